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
    let loop: EventLoop
    /// Set by the daemon before the port opens.
    unowned var host: NodeHost!
    /// Set by the daemon once the port is open.
    var admin: AdminServer?
    var calls = CallBook()
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

    override func callEnded(_ ticket: UInt64, _ result: CallResult) {
        ended(AdminTicket(rawValue: ticket), result)
    }

    /// Why no call is taken now; nil when one is.
    func refusal(ofWrite isWrite: Bool) -> CallRefusal? {
        if isStopping { return .stopping }
        return isWrite && !readiness.isReady ? .notReady(retryAfterSeconds: 1) : nil
    }
}
