// RO:WHAT  NodeService: the node as its admin port sees it: readiness, and the calls that change or read the network.
// RO:WHY   The port knows HTTP, the host knows the network; this turns one's words into the other's.
// RO:INVARIANTS  each started call is completed once, by the call's own deadline at the latest.

/// Answers the admin port for one node.
final class NodeService: CallOwner, NodeBackend, DrainOwner {
    /// What of it can change while the node runs is read here each time.
    var config: Config
    let build: BuildInfo
    let startedUs: UInt64
    let loop: EventLoop
    /// Set by the daemon before the port opens.
    unowned var host: NodeHost!
    /// Set by the daemon once the port is open.
    var admin: AdminServer?
    var calls = CallBook()
    private(set) lazy var drain = Drain(loop: loop, owner: self)
    /// Set by the daemon before the loop runs.
    var canary: Canary!
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
        canary.setPace(seconds: 0)
        host.leave()
        drain.begin(withinUs: withinUs)
    }

    /// Calls that run, and the hand-over of records.
    var unfinished: Int { calls.running + (host.node.isHandingOver ? 1 : 0) }

    override func handedOver() { drain.progressed() }

    func drained(nowUs: UInt64) { loop.stop() }

    // MARK: - Readiness

    var readiness: ReadinessReport {
        let peers = host.bootstrapUp + (host.overlay?.openSessions ?? 0)
        let entries = host.node.table.count
        let depth = deepestQueue
        let silentUs = host.lastHeardUs.map { loop.nowUs - min(loop.nowUs, $0) }
        let gates = [
            ReadinessReport.Gate("listeners_bound", isOpen: admin != nil && !isStopping),
            ReadinessReport.Gate(
                "routing_ready",
                isOpen: peers >= config.readyPeers && entries >= config.readyEntries
                    && silentUs ?? 0 < PeerWatch.isolatedAfterUs,
                numbers: [
                    ("peers", peers), ("peers_wanted", config.readyPeers), ("entries", entries),
                    ("entries_wanted", config.readyEntries),
                ] + (silentUs.map { [("heard_ago_secs", Int($0 / 1_000_000))] } ?? [])),
            ReadinessReport.Gate(
                "queues_ok", isOpen: depth <= config.txWatermark,
                numbers: [("tx_depth", depth), ("tx_watermark", config.txWatermark)]),
        ]
        return ReadinessReport(gates: gates + (canary.gate.map { [$0] } ?? []))
    }

    /// Frames that wait in the longest queue.
    var deepestQueue: Int { max(host.pool.txDepthMax, host.overlay?.txDepthMax ?? 0) }

    override func callEnded(_ ticket: UInt64, _ result: OperationResult) {
        if ticket == Self.canaryTicket { return canary.ended(result) }
        ended(AdminTicket(rawValue: ticket), result)
    }

    /// The canary's calls are nobody else's: the admin port has no exchange of that name.
    private static let canaryTicket = UInt64.max

    /// Why no call is taken now; nil when one is.
    func refusal(ofWrite isWrite: Bool) -> CallRefusal? {
        if isStopping { return .stopping }
        return isWrite && !readiness.isReady ? .notReady(retryAfterSeconds: 1) : nil
    }
}

extension NodeService: CanaryNetwork {
    func canaryKey(using generator: inout SeededGenerator) -> Key {
        host.keyElsewhere(using: &generator)
    }

    func putCanary(_ key: Key, _ value: [UInt8]) -> Bool {
        // It need not outlive the longest put and the longest get after it.
        let seconds = 2 * UInt64(config.deadlineMs) / 1000 + 10
        return host.put(
            key, value: value, seq: Clock.realtimeUs(),
            ttlSeconds: seconds, ticket: Self.canaryTicket)
    }

    func readCanary(_ key: Key) -> Bool { host.get(key, quorum: 2, ticket: Self.canaryTicket) }
}
