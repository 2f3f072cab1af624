// RO:WHAT  RttEstimator: smoothed round-trip time and its variation for one peer.
// RO:WHY   A fixed time-out waits seconds for a dead neighbour and gives up on a far one; RFC 6298 adapts.
// RO:TEST  Tests/DhtLoopTests/Kademlia/RttEstimatorTests.swift

/// RFC 6298, section 2, in microseconds. Eight bytes, kept beside each contact.
public struct RttEstimator: Equatable, Sendable {
    /// Shortest working time-out: below it a scheduling hiccup would look like a dead peer.
    static let floorUs: UInt64 = 20_000
    /// Shortest time after which a peer counts as overdue.
    static let overdueFloorUs: UInt64 = 5_000
    /// Working time-out before anything was measured.
    static let initialUs: UInt64 = 500_000

    /// Smoothed round-trip time in microseconds; 0 until the first sample.
    public private(set) var smoothedUs: UInt32 = 0
    /// Smoothed deviation in microseconds.
    public private(set) var deviationUs: UInt32 = 0

    public init() {}

    /// Whether a round trip was ever measured.
    public var isMeasured: Bool { smoothedUs != 0 }

    /// Takes in one measured round trip.
    public mutating func observe(_ sampleUs: UInt64) {
        let sample = UInt32(clamping: max(1, sampleUs))
        guard isMeasured else {
            smoothedUs = sample
            deviationUs = sample / 2
            return
        }
        let error = sample > smoothedUs ? sample - smoothedUs : smoothedUs - sample
        deviationUs = deviationUs - deviationUs / 4 + error / 4
        smoothedUs = max(1, smoothedUs - smoothedUs / 8 + sample / 8)
        assert(isMeasured, "a measured peer seems to be none")
    }

    /// How long to wait for this peer: SRTT + 4 RTTVAR, at least `floorUs`, at most `ceilingUs`.
    public func timeoutUs(ceilingUs: UInt64) -> UInt64 {
        guard isMeasured else { return min(Self.initialUs, ceilingUs) }
        return min(max(UInt64(smoothedUs) + 4 * UInt64(deviationUs), Self.floorUs), ceilingUs)
    }

    /// When nineteen of twenty answers are there: SRTT + 2 RTTVAR, for RTTVAR is a mean deviation, and 1.645
    /// standard deviations of a normal distribution are 2.06 of these.
    public var overdueUs: UInt64 {
        guard isMeasured else { return Self.initialUs / 2 }
        return max(UInt64(smoothedUs) + 2 * UInt64(deviationUs), Self.overdueFloorUs)
    }
}
