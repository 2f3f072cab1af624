// RO:WHAT  Answers about the node itself: its numbers, its table, a lookup's trace, its records.
// RO:WHY   The page, the command line and people with curl read the same JSON.
// RO:TEST  Tests/DhtLoopTests/Admin/NodeRouteTests.swift

extension AdminAnswers {
    func stats(_ report: StatsReport, _ exchange: HttpExchange) {
        let metrics = report.metrics
        begin()
        json.field("id", report.id.description)
        json.field("home", report.home)
        json.field("uptime_secs", Self.seconds(report.uptimeUs))
        json.field("ready", metrics.ready)
        object("calls") {
            json.fields([
                "puts": metrics.puts, "gets": metrics.gets, "found": metrics.found,
                "provides": metrics.provides, "lookups": metrics.lookups, "timeouts": metrics.timeouts,
            ])
            json.field("pending", metrics.pendingQueries)
        }
        object("records") {
            json.fields([
                "count": metrics.records, "bytes": metrics.recordBytes,
                "memory_bytes": metrics.recordMemoryBytes, "memory_max_bytes": metrics.recordMemoryMaxBytes,
            ])
        }
        object("latency") {
            histogram("get", metrics.getLatency)
            histogram("put", metrics.putLatency)
            histogram("lookup", metrics.lookupLatency)
        }
        write(report.sessions, switchSessions: report.switchSessions, metrics)
        write(report.recent)
        send(.ok, exchange)
    }

    private func write(_ sessions: [StatsReport.Session], switchSessions: Int, _ metrics: DhtMetrics) {
        object("queues") {
            json.field("tx_depth", metrics.txQueueDepth)
            json.field("tx_dropped", metrics.txDropped)
            json.field("switch_sessions", switchSessions)
        }
        array("sessions", sessions) { session in
            json.field("peer", session.peer)
            json.field("open", session.isOpen)
            json.field("kept", session.isKept)
            json.field("tx_depth", session.txDepth)
        }
    }

    private func write(_ calls: [StatsReport.RecentCall]) {
        array("recent", calls) { call in
            json.field("op", call.op)
            json.field("key", call.key.description)
            json.field("outcome", call.outcome)
            json.field("hops", call.hops)
            json.field("elapsed_ms", Double(call.elapsedUs) / 1000)
            json.field("secs_ago", Self.seconds(call.endedAgoUs))
        }
    }

    func routing(_ report: RoutingReport, _ exchange: HttpExchange) {
        begin()
        json.field("id", report.id.description)
        json.field("k", report.k)
        json.field("contacts", report.health.contacts)
        json.field("spares", report.health.spares)
        json.key("deepest")
        if let deepest = report.health.deepest { json.value(deepest) } else { json.null() }
        json.field("gaps", report.health.gaps)
        json.field("oldest_silence_secs", Self.seconds(report.health.oldestSilenceUs))
        json.field("network_size_estimate", report.networkSizeEstimate.rounded())
        json.field("network_entropy_bits", report.networkEntropyBits)
        array("buckets", Array(zip(report.health.buckets, report.peers))) { bucket, peers in
            json.field("prefix", bucket.prefix)
            json.field("count", bucket.contacts)
            json.field("spares", bucket.spares)
            json.field("oldest_silence_secs", Self.seconds(bucket.oldestSilenceUs))
            array("peers", peers) { peer in
                json.field("id", peer.id.description)
                json.field("endpoint", peer.endpoint)
                json.key("rtt_ms")
                milliseconds(peer.rttUs.map { UInt64($0) })
                json.field("seen_secs_ago", Self.seconds(peer.lastSeenAgoUs))
                json.field("failures", peer.failures)
            }
        }
        send(.ok, exchange)
    }

    func explained(_ report: ExplainReport, _ exchange: HttpExchange) {
        begin()
        json.field("key", exchange.key.description)
        json.field("outcome", report.outcome)
        write(report.search)
        array("asked", report.steps) { step in
            let distance = step.peer.distance(to: exchange.key)
            json.field("peer", step.peer.description)
            json.field("endpoint", step.endpoint)
            json.field("hop", step.hop)
            json.field("shared_bits", distance.leadingZeroBitCount)
            json.field("distance", distance.description)
            json.field("asked_at_ms", Double(step.askedAtUs) / 1000)
            json.key("rtt_ms")
            milliseconds(step.rttUs)
            json.field("answer", step.answer)
            json.field("contacts", step.contacts)
        }
        send(.ok, exchange)
    }

    /// 200 with the round trip, 404 for a node that nobody knows, 504 for one that is silent.
    func pinged(_ outcome: PingOutcome, _ exchange: HttpExchange) {
        begin()
        json.field("id", exchange.key.description)
        switch outcome {
        case .answered(let endpoint, let rttUs):
            json.field("endpoint", endpoint)
            json.field("rtt_ms", Double(rttUs) / 1000)
            send(.ok, exchange)
        case .timedOut:
            write(error: "timed out", hint: "the node is known, and did not answer")
            send(.gatewayTimeout, exchange)
        case .unknown:
            write(error: "not found", hint: "nobody who was asked knows a node with this id")
            send(.notFound, exchange)
        }
    }

    /// An array, as the original's.
    func records(_ records: [RecordSummary], _ exchange: HttpExchange) {
        json.clear()
        json.beginArray()
        for record in records {
            json.beginObject()
            json.field("cid", ContentId.text(record.key))
            json.field("bytes", record.byteCount)
            json.field("seq", record.seq)
            json.field("secs_left", Self.seconds(record.leftUs))
            array("entries", record.entries) { entry in
                json.field("node", entry.node)
                json.field("secs_left", Self.seconds(entry.leftUs))
            }
            json.endObject()
        }
        json.endArray()
        json.newline()
        exchange.answer(HttpAnswer(.ok, type: MediaType.json, body: json.bytes))
    }

    private func object(_ name: String, _ members: () -> Void) {
        json.key(name)
        json.beginObject()
        members()
        json.endObject()
    }

    private func array<Item>(_ name: String, _ items: [Item], _ members: (Item) -> Void) {
        json.key(name)
        json.beginArray()
        for item in items {
            json.beginObject()
            members(item)
            json.endObject()
        }
        json.endArray()
    }

    /// Upper bounds in seconds, and the count in each bucket alone; the last has no bound.
    private func histogram(_ name: String, _ histogram: Histogram) {
        object(name) {
            json.field("bounds", histogram.bounds)
            json.field("counts", histogram.counts)
        }
    }

    private func milliseconds(_ timeUs: UInt64?) {
        if let timeUs { json.value(Double(timeUs) / 1000) } else { json.null() }
    }

    /// Whole milliseconds are enough.
    private static func seconds(_ timeUs: UInt64) -> Double { Double(timeUs / 1000) / 1000 }
}
