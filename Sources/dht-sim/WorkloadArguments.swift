// RO:WHAT  Arguments that say what callers do, and when.
// RO:WHY   Names and units here are what scripts and documents use.

import ArgumentParser
import DhtSim

struct WorkloadArguments: ParsableArguments {
    @Option(help: "Gets in the measured part.")
    var lookups = defaults.workload.lookups
    @Option(help: "Puts in the measured part; a tenth of the gets if not given.")
    var puts: Int?
    @Option(help: "Records put before it; a tenth of the gets if not given, but a hundred at least.")
    var records: Int?
    @Option(help: "Bytes of a value.")
    var valueBytes = defaults.workload.valueBytes
    @Option(help: "Seconds in which all nodes join; 0: a hundred join a second.")
    var joinS = defaults.workload.joinSeconds
    @Option(help: "Seconds after the last join until the first record is put.")
    var settleS = defaults.workload.settleSeconds
    @Option(help: "Seconds in which the records are put.")
    var seedS = defaults.workload.seedSeconds
    @Option(help: "Seconds of the measured part; ten minutes, or five more than planned faults last.")
    var measureS: Double?
    @Option(help: "Hours of the measured part, instead of --measure-s.")
    var hours: Double?
    @Option(help: "Records that one node puts at the start of the measured part, as fast as it may.")
    var publish = defaults.workload.publish
    @Option(help: "Points of the time series.")
    var samples = defaults.workload.samples

    func fill(_ config: inout SimConfig) {
        config.workload.lookups = lookups
        config.workload.puts = puts ?? lookups / 10
        config.workload.records = records ?? max(100, lookups / 10)
        config.workload.valueBytes = valueBytes
        config.workload.joinSeconds = joinS
        config.workload.settleSeconds = settleS
        config.workload.seedSeconds = seedS
        if let seconds = hours.map({ $0 * 3600 }) ?? measureS { config.workload.measureSeconds = seconds }
        config.workload.samples = samples
        config.workload.publish = publish
    }
}
