// RO:WHAT  NodeService: the node as its admin port sees it: readiness, metrics, put and get.
// RO:WHY   The port knows HTTP, the host knows the network; this turns one's words into the other's.
// RO:INVARIANTS  each started call is completed once, by the call's own deadline at the latest.
// RO:INTERACTS  AdminServer asks, NodeHost does.
// RO:METRICS  all of dht_*, process_*, and overlay_* with an embedded switch

/// Answers the admin port for one node.
final class NodeService: CallOwner, NodeBackend {
    /// What of it can change while the node runs is read here each time.
    var config: Config
    private let build: BuildInfo
    private let loop: EventLoop
    /// Set by the daemon before the port opens.
    unowned var host: NodeHost!
    /// Set by the daemon once the port is open.
    var admin: AdminServer?

    init(config: Config, build: BuildInfo, loop: EventLoop) {
        (self.config, self.build, self.loop) = (config, build, loop)
    }

    // MARK: - Readiness

    var readiness: ReadinessReport {
        let peers = host.bootstrapUp + (host.overlay?.openSessions ?? 0)
        let entries = host.node.table.count
        let depth = deepestQueue
        return ReadinessReport(gates: [
            ReadinessReport.Gate("listeners_bound", isOpen: admin != nil),
            ReadinessReport.Gate(
                "routing_ready", isOpen: peers >= config.readyPeers && entries >= config.readyEntries,
                numbers: [
                    ("peers", peers), ("peers_wanted", config.readyPeers), ("entries", entries),
                    ("entries_wanted", config.readyEntries),
                ]),
            ReadinessReport.Gate(
                "queues_ok", isOpen: depth <= config.txWatermark,
                numbers: [("tx_depth", depth), ("tx_watermark", config.txWatermark)]),
        ])
    }

    private var deepestQueue: Int { max(host.pool.txDepthMax, host.overlay?.txDepthMax ?? 0) }

    // MARK: - Calls

    func startPut(_ request: PutRequest, ticket: AdminTicket, nowUs: UInt64) {
        guard readiness.isReady else {
            return refusePut(ticket, .notReady(retryAfterSeconds: 1), nowUs)
        }
        let started = host.put(
            request.key, value: Array(request.value), seq: Clock.realtimeUs(),
            ttlSeconds: request.ttlSeconds, ticket: ticket.rawValue)
        if !started { refusePut(ticket, .busy(retryAfterSeconds: 1), nowUs) }
    }

    private func refusePut(_ ticket: AdminTicket, _ refusal: CallRefusal, _ nowUs: UInt64) {
        admin?.complete(ticket, PutOutcome.refused(refusal), nowUs: nowUs)
    }

    func startGet(_ key: Key, ticket: AdminTicket, nowUs: UInt64) {
        guard !host.get(key, ticket: ticket.rawValue) else { return }
        admin?.complete(ticket, GetOutcome.refused(.busy(retryAfterSeconds: 1)), nowUs: nowUs)
    }

    override func callEnded(_ ticket: UInt64, _ result: CallResult) {
        let ticket = AdminTicket(rawValue: ticket)
        switch result {
        case .put(let result): putEnded(ticket, result)
        case .get(let result): getEnded(ticket, result)
        }
    }

    private func putEnded(_ ticket: AdminTicket, _ result: PutResult) {
        let report = PutReport(
            acks: result.acks, wanted: result.wanted, ttlSeconds: result.ttlSeconds,
            expiresAtSeconds: Clock.realtimeSeconds() + result.ttlSeconds, hops: result.hops,
            elapsedUs: result.elapsedUs,
            failures: result.failed.map { PutReport.Failure(peer: $0.peer, cause: $0.cause.rawValue) })
        admin?.complete(ticket, PutOutcome.done(report), nowUs: loop.nowUs)
    }

    private func getEnded(_ ticket: AdminTicket, _ result: GetResult) {
        let search = SearchReport(hops: result.hops, elapsedUs: result.elapsedUs)
        switch result.outcome {
        case .found(let value, let seq, let ttlSeconds):
            value.withUnsafeBytes { bytes in
                let found = FoundValue(bytes: bytes, seq: seq, ttlSeconds: ttlSeconds)
                admin?.complete(ticket, GetOutcome.found(found, search), nowUs: loop.nowUs)
            }
        case .notFound: admin?.complete(ticket, GetOutcome.notFound(search), nowUs: loop.nowUs)
        case .timedOut: admin?.complete(ticket, GetOutcome.timedOut(search), nowUs: loop.nowUs)
        }
    }

    // MARK: - Metrics

    func renderMetrics(into page: inout PrometheusText) {
        var metrics = DhtMetrics(host.node.stats)
        metrics.txDropped = host.pool.counters.txDropped + host.pool.unsent
        metrics.rejected["http"] = admin?.rejected ?? 0
        metrics.routingTableSize = host.node.table.count
        metrics.activeSessions = host.pool.openSessions + (host.overlay?.openSessions ?? 0)
        metrics.pendingQueries = host.node.pendingRpcs
        metrics.records = host.node.store.count
        metrics.recordBytes = host.node.store.liveBytes
        metrics.recordMemoryBytes = host.node.store.heldBytes
        metrics.recordMemoryMaxBytes = host.node.config.memoryBudget
        metrics.txQueueDepth = deepestQueue
        metrics.ready = readiness.isReady
        metrics.render(into: &page, build: build)
        if let overlay = host.overlay { OverlayMetrics(overlay).render(into: &page, build: build) }
        ProcessMetrics().render(into: &page)
    }
}
