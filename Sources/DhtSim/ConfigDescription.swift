// RO:WHAT  The configuration as a report repeats it.
// RO:WHY   A line of output says by itself how to run it again.

extension Simulation {
    func describeConfig() -> JsonObject {
        var object = JsonObject()
        let (nodes, workload) = (config.nodes, config.workload)
        object.add([
            "nodes": nodes.count, "lookups": workload.lookups, "puts": workload.puts,
            "records": workload.records, "replica": nodes.replica, "k": nodes.k, "alpha": nodes.alpha,
            "beta": nodes.beta, "paths": nodes.paths, "publish": workload.publish,
            "peer_rps": nodes.peerRps, "global_rps": nodes.globalRps, "hubs": nodes.hubs,
        ])
        object.add("measure_s", workload.measureSeconds, decimals: 0)
        addFaults(to: &object)
        addSessions(to: &object)
        return object
    }

    private func addFaults(to object: inout JsonObject) {
        let faults = config.faults
        object.add(
            [
                "loss": faults.loss, "duplication": faults.duplication, "reordering": faults.reordering,
                "stragglers": faults.stragglers, "dead_fraction": faults.deadFraction,
            ], decimals: 4)
        object.add("dead_silent", faults.isDeadSilent)
        object.add("churn_median_s", faults.churnMedianSeconds, decimals: 1)
        object.add("churn_shape", faults.churnShape, decimals: 3)
        object.add("return_s", faults.returnSeconds, decimals: 1)
        object.add("partition_s", faults.partitionSeconds, decimals: 1)
        object.add("partition_one_way", faults.isPartitionOneWay)
        object.add("hub_down_s", faults.hubDownSeconds, decimals: 1)
        object.add("adversary", faults.adversary.rawValue)
        object.add("adversary_fraction", faults.adversaryFraction, decimals: 4)
        object.add("flood_rps", faults.floodRate, decimals: 1)
        object.add("flood_victims", faults.floodVictims)
    }

    private func addSessions(to object: inout JsonObject) {
        let sessions = config.sessions
        object.add("session_idle_s", sessions.idleSeconds, decimals: 1)
        object.add("session_cap", sessions.cap)
        object.add("session_kbps", config.network.sessionKbps)
        object.add("fast_open", sessions.fastOpen.rawValue)
        object.add("bidirectional", sessions.isBidirectional)
        object.add("warm_per_bucket", config.nodes.warmPerBucket)
        object.add("recursion", config.nodes.recursion)
        object.add("republish_s", config.nodes.republishSeconds)
        object.add("dial_ahead", sessions.dialAhead)
    }
}
