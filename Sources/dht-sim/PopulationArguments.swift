// RO:WHAT  Arguments that say how many nodes there are, and with what parameters.
// RO:WHY   Names and units here are what scripts and documents use.

import ArgumentParser
import DhtSim

struct PopulationArguments: ParsableArguments {
    @Option(help: "Nodes at a time.")
    var nodes = defaults.nodes.count
    @Option(help: "Bucket size, and how many closest nodes a lookup converges on.")
    var k = defaults.nodes.k
    @Option(help: "Requests a lookup keeps in flight.")
    var alpha = defaults.nodes.alpha
    @Option(help: "Extra requests a lookup may send when a peer is late.")
    var beta = defaults.nodes.beta
    @Option(help: "Contacts of each bucket to which sessions are kept open.")
    var warmPerBucket = defaults.nodes.warmPerBucket
    @Option(help: "Steps that a lookup's first requests may be passed on.")
    var recursion = defaults.nodes.recursion
    @Option(help: "Seconds in which each node refreshes what was put there.")
    var republishS = defaults.nodes.republishSeconds
    @Option(help: "Disjoint paths of a lookup.")
    var paths = defaults.nodes.paths
    @Option(help: "Replicas of a record.")
    var replica = defaults.nodes.replica
    @Option(help: "Upper bound of one request.")
    var timeoutMs = defaults.nodes.timeoutMs
    @Option(help: "Upper bound of one put or get.")
    var deadlineMs = defaults.nodes.deadlineMs
    @Option(help: "Requests a second that a node answers of one peer; 0: no limit.")
    var peerRps = defaults.nodes.peerRps
    @Option(help: "Requests a second that a node answers of all peers together; 0: no limit.")
    var globalRps = defaults.nodes.globalRps
    @Option(help: "Shared overlays with the nodes behind them; 0: each node has its own.")
    var hubs = defaults.nodes.hubs

    func fill(_ config: inout SimConfig) {
        config.nodes.count = nodes
        config.nodes.k = k
        config.nodes.alpha = alpha
        config.nodes.beta = beta
        config.nodes.paths = paths
        config.nodes.republishSeconds = republishS
        config.nodes.warmPerBucket = warmPerBucket
        config.nodes.recursion = recursion
        config.nodes.replica = replica
        config.nodes.timeoutMs = timeoutMs
        config.nodes.deadlineMs = deadlineMs
        config.nodes.peerRps = peerRps
        config.nodes.globalRps = globalRps
        config.nodes.hubs = hubs
    }
}
