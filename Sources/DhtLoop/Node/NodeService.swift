// RO:WHAT  NodeService: the node as its admin port sees it: readiness, and the calls that change or read the network.
// RO:WHY   The port knows HTTP, the host knows the network; this turns one's words into the other's.
// RO:INVARIANTS  each started call is completed once, by the call's own deadline at the latest.
// RO:INTERACTS  AdminServer asks, NodeHost does.

/// Answers the admin port for one node.
final class NodeService: CallOwner, NodeBackend, DrainOwner {
    /// What of it can change while the node runs is read here each time.
    var config: Config
    let build: BuildInfo
    let startedUs: UInt64
    private let loop: EventLoop
    /// Set by the daemon before the port opens.
    unowned var host: NodeHost!
    /// Set by the daemon once the port is open.
    var admin: AdminServer?
    private(set) var calls = CallBook()
    private(set) lazy var drain = Drain(loop: loop, owner: self)
    /// No new call is taken, and what balances load shall look elsewhere.
    private(set) var isStopping = false

    init(config: Config, build: BuildInfo, loop: EventLoop) {
        (self.config, self.build, self.loop) = (config, build, loop)
        startedUs = loop.nowUs
    }

    // MARK: - Ending

    /// Is not ready from here on, lets calls finish for at most `withinUs`, then stops the loop.
    func beginStopping(withinUs: UInt64) {
        isStopping = true
        drain.begin(withinUs: withinUs)
    }

    /// Calls that run.
    var unfinished: Int { calls.running }

    func drained(nowUs: UInt64) { loop.stop() }

    // MARK: - Readiness

    var readiness: ReadinessReport {
        let peers = host.bootstrapUp + (host.overlay?.openSessions ?? 0)
        let entries = host.node.table.count
        let depth = deepestQueue
        return ReadinessReport(gates: [
            ReadinessReport.Gate("listeners_bound", isOpen: admin != nil && !isStopping),
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

    /// Frames that wait in the longest queue.
    var deepestQueue: Int { max(host.pool.txDepthMax, host.overlay?.txDepthMax ?? 0) }

    // MARK: - Calls

    func startPut(_ request: PutRequest, ticket: AdminTicket, nowUs: UInt64) {
        if let refusal = refusal(ofWrite: true) {
            admin?.complete(ticket, PutOutcome.refused(refusal), nowUs: nowUs)
            return
        }
        // A version cannot be asked for yet: storing regardless would be the lost update it is there to prevent.
        guard request.ifMatch == nil else {
            admin?.complete(ticket, PutOutcome.refused(.unsupported), nowUs: nowUs)
            return
        }
        let started = begin(request.key, ticket) {
            host.put(
                request.key, value: Array(request.value), seq: Clock.realtimeUs(),
                ttlSeconds: request.ttlSeconds, ticket: ticket.rawValue)
        }
        if !started { admin?.complete(ticket, PutOutcome.refused(.busy(retryAfterSeconds: 1)), nowUs: nowUs) }
    }

    func startGet(_ key: Key, ticket: AdminTicket, nowUs: UInt64) {
        if let refusal = refusal(ofWrite: false) {
            admin?.complete(ticket, GetOutcome.refused(refusal), nowUs: nowUs)
            return
        }
        let started = begin(key, ticket) { host.get(key, ticket: ticket.rawValue) }
        if !started { admin?.complete(ticket, GetOutcome.refused(.busy(retryAfterSeconds: 1)), nowUs: nowUs) }
    }

    func startDelete(_ key: Key, ifMatch: UInt64?, ticket: AdminTicket, nowUs: UInt64) {
        admin?.complete(ticket, PutOutcome.refused(.unsupported), nowUs: nowUs)
    }

    func startProvide(_ request: ProvideRequest, ticket: AdminTicket, nowUs: UInt64) {
        admin?.complete(ticket, ProvideOutcome.refused(.unsupported), nowUs: nowUs)
    }

    func startFindProviders(_ key: Key, limit: Int, ticket: AdminTicket, nowUs: UInt64) {
        admin?.complete(ticket, ProvidersOutcome.refused(.unsupported), nowUs: nowUs)
    }

    func startPing(_ id: NodeID, ticket: AdminTicket, nowUs: UInt64) {
        admin?.complete(ticket, PingOutcome.refused(.unsupported), nowUs: nowUs)
    }

    func startExplain(_ key: Key, ticket: AdminTicket, nowUs: UInt64) {
        admin?.complete(ticket, ExplainOutcome.refused(.unsupported), nowUs: nowUs)
    }

    /// Why no call is taken now; nil when one is.
    private func refusal(ofWrite isWrite: Bool) -> CallRefusal? {
        if isStopping { return .stopping }
        return isWrite && !readiness.isReady ? .notReady(retryAfterSeconds: 1) : nil
    }

    /// Starts a call and keeps book of it; false when the node takes no more.
    private func begin(_ key: Key, _ ticket: AdminTicket, _ start: () -> Bool) -> Bool {
        // A call may end within its start.
        calls.began(ticket.rawValue, key)
        if start() { return true }
        calls.refused(ticket.rawValue)
        return false
    }

    override func callEnded(_ ticket: UInt64, _ result: CallResult) {
        switch result {
        case .put(let result):
            calls.ended(
                ticket, op: "put", outcome: result.acks < result.wanted ? "partial" : "stored",
                hops: result.hops, elapsedUs: result.elapsedUs, nowUs: loop.nowUs)
            putEnded(AdminTicket(rawValue: ticket), result)
        case .get(let result):
            calls.ended(
                ticket, op: "get", outcome: result.outcome.label, hops: result.hops,
                elapsedUs: result.elapsedUs, nowUs: loop.nowUs)
            getEnded(AdminTicket(rawValue: ticket), result)
        }
        drain.progressed()
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
}

extension GetResult.Outcome {
    /// The word for it in JSON.
    fileprivate var label: String {
        switch self {
        case .found: "found"
        case .notFound: "not_found"
        case .timedOut: "timed_out"
        }
    }
}
