// RO:WHAT  Measurements: what callers saw, and what the network looked like over time.
// RO:WHY   Percentiles are taken from all values, not from buckets: runs are compared by a few per cent.

/// Values of one kind, kept whole.
struct Samples {
    private var values: [UInt32] = []
    private var isSorted = true

    var count: Int { values.count }

    mutating func add(_ value: Int) {
        values.append(UInt32(clamping: value))
        isSorted = false
    }

    /// The nearest-rank percentile, `share` in 0...1; 0 when there are no values.
    mutating func percentile(_ share: Double) -> Int {
        guard !values.isEmpty else { return 0 }
        if !isSorted { values.sort() }
        isSorted = true
        let rank = Int((share * Double(values.count)).rounded(.up))
        return Int(values[min(max(rank, 1), values.count) - 1])
    }

    var mean: Double {
        values.isEmpty ? 0 : Double(values.reduce(UInt64(0)) { $0 + UInt64($1) }) / Double(values.count)
    }
}

/// The state of the network at one time.
struct SamplePoint {
    /// Seconds since the measured part began.
    var atSeconds = 0.0
    var alive = 0
    /// Gets that ended since the last point, and those of them that found the right value.
    var gets = 0
    var found = 0
    /// Live copies of each record put before the measured part: the mean, and records without one.
    var replicasMean = 0.0
    var recordsLost = 0
    /// Share of the true K closest live nodes that tables know.
    var neighboursKnown = 0.0
    var sessionsMean = 0.0
}

/// A time, as seen from a planned fault that passes: the partition, the hub that is down.
enum FaultPeriod: Int, CaseIterable {
    case before, during
    /// The two minutes in which all should be whole again.
    case healing
    case after
}

/// Everything measured in a run.
struct Measurements {
    /// Times in microseconds.
    var getUs = Samples()
    var putUs = Samples()
    var hops = Samples()
    var getsFound = 0
    var getsNotFound = 0
    var getsTimedOut = 0
    /// Found, but not what was put.
    var getsForged = 0
    /// Gets by when they began, and those of them that found.
    var getsByPeriod = [Int](repeating: 0, count: FaultPeriod.allCases.count)
    var foundByPeriod = [Int](repeating: 0, count: FaultPeriod.allCases.count)
    /// Puts by outcome: all replicas wrote it, some did, none did.
    var putsFull = 0
    var putsPartial = 0
    var putsFailed = 0
    /// Calls whose caller crashed, and calls that could not begin.
    var callsCut = 0
    var callsRefused = 0
    var series: [SamplePoint] = []
    /// Gets that ended since the last point of the series.
    var recentGets = 0
    var recentFound = 0

    var gets: Int { getsFound + getsNotFound + getsTimedOut + getsForged }
    var puts: Int { putsFull + putsPartial + putsFailed }
}
