// RO:WHAT  Arguments that say what goes wrong, and what the network and its sessions are like.
// RO:WHY   Every fault has a name and is off unless asked for.

import ArgumentParser
import DhtSim

struct FaultArguments: ParsableArguments {
    @Option(help: "Share of frames that vanish.")
    var loss = 0.0
    @Option(help: "Share of frames that come twice.")
    var duplicate = 0.0
    @Option(help: "Share of frames that are overtaken.")
    var reorder = 0.0
    @Option(help: "Share of nodes that are ten times slower.")
    var stragglers = 0.0
    @Option(help: "Share of nodes that die silently when the measured part begins.")
    var deadFraction = 0.0
    @Flag(help: "Nodes that crash by churn leave without a word, instead of refusing connections.")
    var deadSilent = false
    @Option(help: "Median length of a node's life in seconds; 0: it stays.")
    var churnMedianS = 0.0
    @Option(help: "Weibull shape of it; 1 is exponential.")
    var churnShape = 1.0
    @Option(help: "Mean seconds until a crashed node is back; 0: a new one takes its place at once.")
    var returnS = 0.0
    @Option(help: "Seconds for which the network is in two halves, from a minute into the measured part.")
    var partitionS = 0.0
    @Flag(help: "Only frames from one half to the other are lost.")
    var partitionOneWay = false
    @Option(help: "Seconds for which the first hub is down, from a minute into the measured part.")
    var hubDownS = 0.0
    @Option(help: "How adversaries misbehave: \(AdversaryKind.names).")
    var adversary = AdversaryKind.none
    @Option(help: "Share of nodes that are adversaries.")
    var adversaryFraction = 0.0
    @Option(help: "Requests a second of each flooder.")
    var floodRps = 20.0

    func fill(_ config: inout SimConfig) {
        config.faults.loss = loss
        config.faults.duplication = duplicate
        config.faults.reordering = reorder
        config.faults.stragglers = stragglers
        config.faults.deadFraction = deadFraction
        config.faults.isDeadSilent = deadSilent
        config.faults.churnMedianSeconds = churnMedianS
        config.faults.churnShape = churnShape
        config.faults.returnSeconds = returnS
        config.faults.partitionSeconds = partitionS
        config.faults.isPartitionOneWay = partitionOneWay
        config.faults.hubDownSeconds = hubDownS
        config.faults.adversary = adversary
        config.faults.adversaryFraction = adversaryFraction
        config.faults.floodRate = floodRps
    }
}

struct NetworkArguments: ParsableArguments {
    @Option(help: "One-way latency that nothing is below, in milliseconds.")
    var floorMs = 10.0
    @Option(help: "10th percentile of one-way latency, in milliseconds.")
    var p10Ms = 20.0
    @Option(help: "90th percentile of one-way latency, in milliseconds.")
    var p90Ms = 60.0
    @Option(help: "A packet takes up to this share longer than its pair's base.")
    var jitter = 0.1
    @Option(help: "Kilobits a second of one session, each way; 0: no limit.")
    var sessionKbps = 0
    @Option(help: "Seconds after which an unused session is closed.")
    var sessionIdleS = 120.0
    @Option(help: "Sessions that one node may have dialled.")
    var sessionCap = 256
    @Option(help: "TCP fast open: \(FastOpen.names).")
    var fastOpen = FastOpen.off
    @Flag(help: "Use sessions that the other side opened, too.")
    var bidirectional = false
    @Option(help: "Every so many seconds, dial the contacts of the table and keep those sessions; 0: never.")
    var warmS = 0.0
    @Option(help: "Dial so many contacts of a reply at once.")
    var dialAhead = 0

    func fill(_ config: inout SimConfig) {
        config.network.floorMs = floorMs
        config.network.p10Ms = p10Ms
        config.network.p90Ms = p90Ms
        config.network.jitter = jitter
        config.network.sessionKbps = sessionKbps
        config.sessions.idleSeconds = sessionIdleS
        config.sessions.cap = sessionCap
        config.sessions.fastOpen = fastOpen
        config.sessions.isBidirectional = bidirectional
        config.sessions.warmSeconds = warmS
        config.sessions.dialAhead = dialAhead
    }
}

extension CaseIterable where Self: RawRepresentable, RawValue == String {
    /// The values, for a help text.
    static var names: String { allCases.map(\.rawValue).joined(separator: ", ") }
}
