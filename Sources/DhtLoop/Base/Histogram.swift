// RO:WHAT  Histogram: counts of observations under fixed upper bounds, with their sum.
// RO:WHY   What Prometheus calls a histogram; on one thread it is a row of integers.
// RO:INVARIANTS  counts.count == bounds.count + 1; count is the sum of counts; bounds never change.
// RO:METRICS  dht_*_latency_seconds, dht_lookup_hops, overlay_accept_latency_seconds, overlay_conn_lifetime_seconds
// RO:TEST  Tests/DhtLoopTests/Base/HistogramTests.swift

/// Observations counted into fixed buckets. `observe` is O(buckets) and allocates nothing.
public struct Histogram: Sendable {
    /// Inclusive upper bounds, ascending; a last bucket without a bound follows them.
    public let bounds: [Double]
    /// Observations in each bucket alone (not cumulative); the last one is above every bound.
    public private(set) var counts: [UInt64]
    /// Sum of what was observed, in the unit of the bounds.
    public private(set) var sum = 0.0
    /// Observations made.
    public private(set) var count: UInt64 = 0

    /// `bounds` are finite and strictly ascending.
    public init(bounds: [Double]) {
        precondition(zip(bounds, bounds.dropFirst()).allSatisfy { $0 < $1 }, "bounds must ascend")
        self.bounds = bounds
        counts = [UInt64](repeating: 0, count: bounds.count + 1)
    }

    /// Counts one finite value in the first bucket whose bound is not below it.
    public mutating func observe(_ value: Double) {
        var bucket = 0
        while bucket < bounds.count, bounds[bucket] < value { bucket += 1 }
        assert(
            value.isFinite && (bucket == bounds.count || value <= bounds[bucket]),
            "a value in another's bucket")
        counts[bucket] &+= 1
        sum += value
        count &+= 1
    }

    /// Counts a duration given in microseconds; the bounds are seconds.
    public mutating func observe(microseconds: UInt64) { observe(Double(microseconds) / 1_000_000) }
}

extension Histogram {
    /// Bounds for the time of a get, a put or a lookup, in seconds. Holds the original's .01, .02, .05, .1, .2,
    /// .5 and 1; the finer ones are where a cluster on one network really answers.
    public static let latencyBounds: [Double] = [
        0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5,
    ]
    /// Bounds for the hops of a lookup. Holds the original's 1...6.
    public static let hopBounds: [Double] = [0, 1, 2, 3, 4, 5, 6, 8, 12, 20]
    /// Bounds for how long a connection lived, in seconds.
    public static let lifetimeBounds: [Double] = [0.01, 0.1, 1, 10, 60, 300, 1800, 3600, 21_600, 86_400]
}
