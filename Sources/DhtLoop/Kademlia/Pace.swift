// RO:WHAT  Pace: a rate and its burst, as one interval and one tolerance.
// RO:WHY   The generic cell rate algorithm (ITU-T I.371, annex A) is a token bucket that needs one number a
//          bucket and no refilling: the time at which it would be empty again.
// RO:INVARIANTS  in any time of length t at most `burst + t / interval` requests are admitted.
// RO:TEST  Tests/DhtLoopTests/Kademlia/AdmissionControlTests.swift

/// How fast requests may come. Times are in ticks of 1/4096 us: fine enough for ten million a second, and
/// 64 bits of them last 142 years.
struct Pace {
    static let ticksPerUs: UInt64 = 4096
    static let ticksPerMs = ticksPerUs * 1000
    private static let ticksPerSecond = ticksPerUs * 1_000_000
    /// Rates are at most this, in requests a second.
    static let mostPerSecond = NodeSettings.mostRequestsPerSecond
    /// Requests that may come at once, however low the rate: a lookup asks several things together.
    static let leastBurst: UInt64 = 32

    /// Requests that may come at once: a quarter of a second's worth.
    let burst: UInt64
    /// What one request takes from the bucket.
    let interval: UInt64
    /// How much a bucket may owe and still admit a request.
    let tolerance: UInt64

    /// `perSecond` is 1...`mostPerSecond`; nil for 0 and less, which is no limit.
    init?(perSecond: Int) {
        guard perSecond > 0 else { return nil }
        let rate = UInt64(min(perSecond, Self.mostPerSecond))
        burst = max(Self.leastBurst, rate / 4)
        interval = (Self.ticksPerSecond + rate - 1) / rate
        tolerance = (burst - 1) * interval
        assert(interval > 0 && tolerance >= interval, "a pace without a burst")
    }
}
