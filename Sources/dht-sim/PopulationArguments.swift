// RO:WHAT  Arguments that say how many nodes there are, with what parameters, and what callers do.
// RO:WHY   Names and units here are what scripts and documents use.

import ArgumentParser
import DhtSim

struct PopulationArguments: ParsableArguments {
    @Option(help: "Nodes at a time.")
    var nodes = 1000
    @Option(help: "Bucket size, and how many closest nodes a lookup converges on.")
    var k = 20
    @Option(help: "Requests a lookup keeps in flight.")
    var alpha = 3
    @Option(help: "Extra requests a lookup may send when a peer is late.")
    var beta = 0
    @Option(help: "Disjoint paths of a lookup.")
    var paths = 1
    @Option(help: "Replicas of a record.")
    var replica = 3
    @Option(help: "Upper bound of one request.")
    var timeoutMs = 2000
    @Option(help: "Upper bound of one put or get.")
    var deadlineMs = 5000
    @Option(help: "Shared overlays with the nodes behind them; 0: each node has its own.")
    var hubs = 0

    func fill(_ config: inout SimConfig) {
        config.nodes.count = nodes
        config.nodes.k = k
        config.nodes.alpha = alpha
        config.nodes.beta = beta
        config.nodes.paths = paths
        config.nodes.replica = replica
        config.nodes.timeoutMs = timeoutMs
        config.nodes.deadlineMs = deadlineMs
        config.nodes.hubs = hubs
    }
}

struct WorkloadArguments: ParsableArguments {
    @Option(help: "Gets in the measured part.")
    var lookups = 1000
    @Option(help: "Puts in the measured part; a tenth of the gets if not given.")
    var puts: Int?
    @Option(help: "Records put before it; a tenth of the gets if not given, but a hundred at least.")
    var records: Int?
    @Option(help: "Bytes of a value.")
    var valueBytes = 100
    @Option(help: "Seconds in which all nodes join; 0: a hundred join a second.")
    var joinS = 0.0
    @Option(help: "Seconds after the last join until the first record is put.")
    var settleS = 120.0
    @Option(help: "Seconds in which the records are put.")
    var seedS = 60.0
    @Option(help: "Seconds of the measured part; ten minutes, or five more than planned faults last.")
    var measureS: Double?
    @Option(help: "Hours of the measured part, instead of --measure-s.")
    var hours: Double?
    @Option(help: "Records that one node puts at the start of the measured part, as fast as it may.")
    var publish = 0
    @Option(help: "Points of the time series.")
    var samples = 20

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
