// RO:WHAT  LatencyRecorder: latencies as an HdrHistogram.
// RO:WHY   Three significant digits from nanoseconds to a minute, in constant memory. The package's type has
//          the name of one of ours, so this file sees only the package.

import Histogram

/// Records nanoseconds.
struct LatencyRecorder {
    /// What reports show.
    static let percentiles: [Double] = [50, 90, 99, 99.9, 99.99]

    private var histogram = Histogram<UInt64>(
        highestTrackableValue: 60_000_000_000, numberOfSignificantValueDigits: .three)

    /// A latency above the range counts as the highest there is.
    mutating func record(_ ns: UInt64) { _ = histogram.record(min(ns, histogram.highestTrackableValue)) }

    mutating func reset() { histogram.reset() }

    mutating func add(_ other: LatencyRecorder) { histogram.add(other.histogram) }

    var count: UInt64 { histogram.totalCount }
    var maxNs: UInt64 { histogram.totalCount == 0 ? 0 : histogram.maxRecorded }
    var meanNs: Double { histogram.totalCount == 0 ? 0 : histogram.mean }

    /// The latency that `percent` of the requests did not exceed; 0 without requests.
    func ns(atPercent percent: Double) -> UInt64 {
        histogram.totalCount == 0 ? 0 : histogram.valueAtPercentile(percent)
    }
}
