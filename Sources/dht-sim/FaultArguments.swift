// RO:WHAT  Arguments that say what goes wrong.
// RO:WHY   Every fault has a name and is off unless asked for.

import ArgumentParser
import DhtSim

struct FaultArguments: ParsableArguments {
    @Option(help: "Share of frames that vanish.")
    var loss = defaults.faults.loss
    @Option(help: "Share of frames that come twice.")
    var duplicate = defaults.faults.duplication
    @Option(help: "Share of frames that are overtaken.")
    var reorder = defaults.faults.reordering
    @Option(help: "Share of nodes that are ten times slower.")
    var stragglers = defaults.faults.stragglers
    @Option(help: "Share of nodes that die silently when the measured part begins.")
    var deadFraction = defaults.faults.deadFraction
    @Flag(help: "Nodes that crash by churn leave without a word, instead of refusing connections.")
    var deadSilent = false
    @Option(help: "Median length of a node's life in seconds; 0: it stays.")
    var churnMedianS = defaults.faults.churnMedianSeconds
    @Option(help: "Weibull shape of it; 1 is exponential.")
    var churnShape = defaults.faults.churnShape
    @Option(help: "Mean seconds until a crashed node is back; 0: a new one takes its place at once.")
    var returnS = defaults.faults.returnSeconds
    @Option(help: "Seconds for which the network is in two halves, from a minute into the measured part.")
    var partitionS = defaults.faults.partitionSeconds
    @Flag(help: "Only frames from one half to the other are lost.")
    var partitionOneWay = false
    @Option(help: "Seconds for which the first hub is down, from a minute into the measured part.")
    var hubDownS = defaults.faults.hubDownSeconds
    @Option(help: "How adversaries misbehave: \(AdversaryKind.names).")
    var adversary = defaults.faults.adversary
    @Option(help: "Share of nodes that are adversaries.")
    var adversaryFraction = defaults.faults.adversaryFraction
    @Option(help: "Requests a second of each flooder.")
    var floodRps = defaults.faults.floodRate
    @Option(help: "Nodes that each flooder asks, always the same; 0: all.")
    var floodVictims = defaults.faults.floodVictims

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
        config.faults.floodVictims = floodVictims
    }
}
