// RO:WHAT  Report: what a run showed, as one JSON line and as lines for a person.
// RO:WHY   Scripts compare lines; a seed must give the same line again, but for wall, cpu and rss fields.

/// The outcome of a run.
public struct Report {
    /// All of it, the configuration included.
    let object: JsonObject
    /// The steps of the traced get, if one was asked for.
    public let trace: [String]
    /// Invariants that were found broken; a run without mistakes has none.
    public let violations: [String]

    /// One JSON object, without line breaks.
    public var json: String { object.text }

    /// A field's JSON text.
    public subscript(name: String) -> String? { object.fields.first { $0.name == name }?.value }

    /// The plain fields, one a line; lists are left to `json`.
    public var lines: [String] {
        object.fields.compactMap { field in
            guard !field.value.hasPrefix("[") else { return nil }
            let padding = String(repeating: " ", count: max(1, 28 - field.name.count))
            return field.name + padding + field.value
        }
    }
}

extension Simulation {
    func report(_ clock: Stopwatch, setUp: Usage) -> Report {
        var object = JsonObject()
        object.add("config", describeConfig())
        object.add("seed", config.seed)
        addCalls(to: &object)
        addTraffic(to: &object)
        addNetwork(to: &object)
        object.add("series", measurements.series.map(Self.describe))
        addCost(to: &object, clock, setUp)
        return Report(object: object, trace: tracer?.lines ?? [], violations: violations)
    }

    private func addCalls(to object: inout JsonObject) {
        let gets = Double(max(1, measurements.gets))
        object.add("lookups", measurements.gets)
        object.add("lookup_success", Double(measurements.getsFound) / gets, decimals: 5)
        object.add("gets_not_found", measurements.getsNotFound)
        object.add("gets_timed_out", measurements.getsTimedOut)
        object.add("gets_forged", measurements.getsForged)
        for (name, share) in [("get_p50_ms", 0.5), ("get_p95_ms", 0.95), ("get_p99_ms", 0.99)] {
            object.add(name, Double(measurements.getUs.percentile(share)) / 1000, decimals: 1)
        }
        object.add("hops_p50", measurements.hops.percentile(0.5))
        object.add("hops_p99", measurements.hops.percentile(0.99))
        object.add("hops_mean", measurements.hops.mean, decimals: 3)
        object.add("puts", measurements.puts)
        let puts = Double(max(1, measurements.puts))
        object.add("put_success", Double(measurements.putsFull) / puts, decimals: 5)
        object.add("puts_partial", measurements.putsPartial)
        object.add("puts_failed", measurements.putsFailed)
        for (name, share) in [("put_p50_ms", 0.5), ("put_p95_ms", 0.95), ("put_p99_ms", 0.99)] {
            object.add(name, Double(measurements.putUs.percentile(share)) / 1000, decimals: 1)
        }
        if faultSeconds > 0 { addPeriods(to: &object) }
        object.add("calls_cut", measurements.callsCut)
        object.add("calls_refused", measurements.callsRefused)
    }

    /// Success of gets by when they began, as seen from the planned fault.
    private func addPeriods(to object: inout JsonObject) {
        for period in FaultPeriod.allCases {
            let gets = measurements.getsByPeriod[period.rawValue]
            let found = measurements.foundByPeriod[period.rawValue]
            let share = Double(found) / Double(max(1, gets))
            object.add("lookup_success_\(period)", share, decimals: 5)
        }
    }

    private func addTraffic(to object: inout JsonObject) {
        let seconds = Double(nowUs - measuredFromUs) / 1_000_000
        let nodeSeconds = Double(config.nodes.count) * seconds
        let gets = Double(max(1, measurements.gets))
        object.add("messages_per_lookup", Double(traffic.messages(.get)) / gets, decimals: 2)
        object.add("bytes_per_node_per_s", Double(traffic.totalBytes) / nodeSeconds, decimals: 1)
        object.add("payload_bytes_per_node_per_s", Double(traffic.payloadBytes) / nodeSeconds, decimals: 1)
        object.add("session_bytes_per_node_per_s", Double(traffic.sessionBytes) / nodeSeconds, decimals: 1)
        object.add("messages_per_node_per_s", Double(traffic.messages) / nodeSeconds, decimals: 3)
        for purpose in Purpose.allCases {
            object.add("messages_\(purpose)", traffic.messages(purpose))
        }
        object.add("sessions_opened", traffic.sessionsOpened)
        object.add("sessions_failed", traffic.sessionsFailed)
        object.add("sessions_evicted", traffic.sessionsEvicted)
        object.add("frames_lost", traffic.lost)
        object.add("frames_swallowed", traffic.swallowed)
        object.add("frames_queue_dropped", traffic.queueDrops)
        object.add("unreachable", traffic.unreachable)
        object.add("flood_requests", traffic.floodRequests)
        if isRationed { addRations(to: &object) }
        if config.workload.publish > 0 { addPublisher(to: &object) }
    }

    private func addRations(to object: inout JsonObject) {
        object.add("flood_answers", traffic.floodAnswers)
        object.add("busy_to_flooders", traffic.busyToFlooders)
        object.add("busy_to_others", traffic.busyToOthers)
        object.add("busy_sent", traffic.busyToFlooders + traffic.busyToOthers)
        let dropped = sites.indices.reduce(UInt64(0)) { sum, site in
            sum + (sites[site].machine?.node.stats.rejections[.overRate] ?? 0)
        }
        object.add("requests_dropped", dropped)
    }

    private func addPublisher(to object: inout JsonObject) {
        let done = Double(max(1, publisher.done))
        object.add("published", publisher.done)
        object.add("published_full", publisher.acked)
        let toPut = Double(publisher.messagesToPut)
        object.add("publisher_messages_per_record", toPut / done, decimals: 3)
        object.add("refreshed", publisher.refreshed)
        if let messages = publisher.messagesToRefresh {
            object.add("refresh_messages_per_record", Double(messages) / done, decimals: 4)
            object.add("refresh_share_of_puts", Double(messages) / max(1, toPut), decimals: 4)
        }
        object.add("publish_s", Double(publisher.endedUs - measuredFromUs) / 1_000_000, decimals: 1)
    }

    private func addNetwork(to object: inout JsonObject) {
        let last = measurements.series.last ?? SamplePoint()
        let quality = tableQuality()
        object.add("records", workload.seeded.count)
        object.add("records_lost", last.recordsLost)
        object.add("replicas_mean", last.replicasMean, decimals: 3)
        object.add("median_rtt_ms", Double(medianRoundTripUs()) / 1000, decimals: 1)
        object.add("table_contacts", quality.contacts, decimals: 1)
        object.add("table_neighbours_known", quality.neighboursKnown, decimals: 4)
        object.add("table_dead", quality.dead, decimals: 4)
        object.add("network_size_estimate", quality.sizeEstimate)
        object.add("sessions_mean", last.sessionsMean, decimals: 1)
        object.add("nodes_alive", callers.count)
        object.add("nodes_ever", sites.count - config.nodes.hubs)
        object.add("virtual_s", Double(nowUs - Self.startUs) / 1_000_000, decimals: 0)
        object.add("events", events)
        object.add("violations", violations.count)
    }

    private static func describe(_ point: SamplePoint) -> JsonObject {
        var object = JsonObject()
        object.add("t_s", point.atSeconds, decimals: 0)
        object.add("alive", point.alive)
        object.add("gets", point.gets)
        object.add("found", point.found)
        object.add("replicas_mean", point.replicasMean, decimals: 3)
        object.add("records_lost", point.recordsLost)
        object.add("neighbours_known", point.neighboursKnown, decimals: 4)
        object.add("sessions_mean", point.sessionsMean, decimals: 1)
        return object
    }

    private func addCost(to object: inout JsonObject, _ clock: Stopwatch, _ setUp: Usage) {
        let usage = Usage.now()
        let cpu = usage.cpuSeconds - clock.before.cpuSeconds
        object.add("wall_s", clock.wallSeconds, decimals: 2)
        object.add("cpu_s", cpu, decimals: 2)
        object.add("cpu_setup_s", setUp.cpuSeconds - clock.before.cpuSeconds, decimals: 2)
        object.add("events_per_cpu_s", Double(events) / max(cpu, 0.001), decimals: 0)
        object.add("rss_peak_mib", Double(usage.peakBytes) / 1_048_576, decimals: 1)
        let grown = usage.peakBytes - clock.before.peakBytes
        object.add("rss_bytes_per_node", Double(grown) / Double(config.nodes.count), decimals: 0)
    }
}
