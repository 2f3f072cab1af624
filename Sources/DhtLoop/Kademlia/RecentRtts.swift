// RO:WHAT  RecentRtts: the last round trips of first requests, and how long the ninth of ten took.
// RO:WHY   A peer that was never measured may be near, far, or not connected yet. What others took at first is
//          the best guess; and a quantile, unlike a mean, is not moved by the few that are very slow.
// RO:TEST  Tests/DhtLoopTests/Kademlia/RttEstimatorTests.swift

/// What to expect of strangers.
struct RecentRtts {
    private static let capacity = 32
    /// Fewer tell nothing about the ninth of ten.
    private static let fewest = 8

    private var samplesUs: [UInt32] = []
    private var oldest = 0
    /// Nine of ten took no longer, in microseconds; nil while too few were measured.
    private(set) var ninthUs: UInt64?

    /// Takes in one measured round trip.
    mutating func observe(_ sampleUs: UInt64) {
        let sample = UInt32(clamping: max(1, sampleUs))
        if samplesUs.count < Self.capacity {
            samplesUs.append(sample)
        } else {
            samplesUs[oldest] = sample
            oldest = (oldest + 1) % Self.capacity
        }
        assert(samplesUs.count <= Self.capacity && oldest < Self.capacity, "more samples than are kept")
        guard samplesUs.count >= Self.fewest else { return }
        ninthUs = UInt64(samplesUs.sorted()[samplesUs.count * 9 / 10])
    }

    /// After so long, another peer may be asked as well.
    var overdueUs: UInt64 { max(ninthUs ?? RttEstimator.initialUs / 2, RttEstimator.overdueFloorUs) }

    /// How long to wait for a stranger: twice what nine of ten took, and not less than a few hiccups.
    func timeoutUs(ceilingUs: UInt64) -> UInt64 {
        let waitUs = ninthUs.map { max(2 * $0, 5 * RttEstimator.floorUs) } ?? RttEstimator.initialUs
        return min(waitUs, ceilingUs)
    }
}
