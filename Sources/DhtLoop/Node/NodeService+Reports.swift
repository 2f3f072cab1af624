// RO:WHAT  NodeService's reports: numbers, routing table, sessions, records.
// RO:WHY   Apart from calls, because nothing here changes anything.
// RO:METRICS  all of dht_*, process_*, and overlay_* with an embedded switch

extension NodeService {
    func renderMetrics(into page: inout PrometheusText) {
        metrics.render(into: &page, build: build)
        if let overlay = host.overlay { OverlayMetrics(overlay).render(into: &page, build: build) }
        ProcessMetrics().render(into: &page)
    }

    private var metrics: DhtMetrics {
        var metrics = DhtMetrics(host.node.stats)
        metrics.txDropped = host.pool.counters.txDropped + host.pool.unsent
        metrics.rejected["http"] = admin?.rejected ?? 0
        metrics.routingTableSize = host.node.table.count
        metrics.networkSizeEstimate = host.node.table.networkSizeEstimate
        metrics.networkEntropyBits = Entropy.bits(ofCounts: host.node.table.contactsByNetwork)
        metrics.activeSessions = host.pool.openSessions + (host.overlay?.openSessions ?? 0)
        metrics.pendingQueries = host.node.pendingRpcs
        metrics.records = host.node.store.count
        metrics.publications = host.node.publications.count
        metrics.recordBytes = host.node.store.liveBytes
        metrics.recordMemoryBytes = host.node.store.heldBytes
        metrics.recordMemoryMaxBytes = host.node.config.memoryBudget
        metrics.txQueueDepth = deepestQueue
        metrics.ready = readiness.isReady
        metrics.canaries[CanaryOutcome.ok.rawValue] = canary.oks
        metrics.canaries[CanaryOutcome.failed.rawValue] = canary.failures
        return metrics
    }

    func stats(nowUs: UInt64) -> StatsReport {
        var sessions: [StatsReport.Session] = []
        host.pool.forEachSession { session in
            sessions.append(
                StatsReport.Session(
                    peer: host.endpoints.text(session.endpoint), isOpen: session.isOpen,
                    isKept: session.isKept, txDepth: session.txDepth))
        }
        return StatsReport(
            id: host.node.config.id, home: host.endpoints.text(host.node.home),
            uptimeUs: nowUs - min(nowUs, startedUs), metrics: metrics, sessions: sessions,
            switchSessions: host.overlay?.openSessions ?? 0, recent: calls.recent(nowUs: nowUs))
    }

    func routing(nowUs: UInt64) -> RoutingReport {
        let table = host.node.table
        var report = RoutingReport(id: table.ownID, k: table.k, health: table.health(nowUs: nowUs))
        report.networkSizeEstimate = table.networkSizeEstimate
        report.networkEntropyBits = Entropy.bits(ofCounts: table.contactsByNetwork)
        for health in report.health.buckets {
            let bucket = table.buckets[health.prefix]
            report.peers.append(
                zip(bucket.ids, bucket.states).map { id, state in
                    RoutingReport.Peer(
                        id: id, endpoint: host.endpoints.text(state.endpoint),
                        rttUs: state.rtt.isMeasured ? state.rtt.smoothedUs : nil,
                        lastSeenAgoUs: nowUs - min(nowUs, state.lastSeenUs), failures: Int(state.failures))
                })
        }
        return report
    }

    func records(limit: Int, nowUs: UInt64) -> [RecordSummary] {
        let records = host.node.recordInfos(limit: limit, nowUs: nowUs).map {
            RecordSummary(key: $0.key, byteCount: $0.byteCount, seq: $0.seq, leftUs: $0.leftUs)
        }
        return records + provided(limit: limit - records.count, nowUs: nowUs)
    }

    /// Content ids with the providers that this node holds for others.
    private func provided(limit: Int, nowUs: UInt64) -> [RecordSummary] {
        host.node.providers.keys.prefix(max(0, limit)).map { key in
            let entries = host.node.providers.find(key, limit: ProviderStore.perKey, nowUs: nowUs).map {
                RecordSummary.Entry(
                    node: String(decoding: $0.node, as: UTF8.self), leftUs: $0.expiresAtUs - nowUs)
            }
            let bytes = entries.reduce(0) { $0 + $1.node.utf8.count }
            return RecordSummary(
                key: key, byteCount: bytes, seq: 0, leftUs: entries.first?.leftUs ?? 0, entries: entries)
        }
    }
}
