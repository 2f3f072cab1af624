// RO:WHAT  NodeHost: the DhtNode on a real event loop, between the session pool, the switch and callers.
// RO:WHY   The node is pure; this performs what it wants done, and tells it what happened.
// RO:INVARIANTS  after each event the outbox is emptied before anything else touches the node: neither the
//                pool nor the switch calls back from inside a send.

import Logging

/// Who waits for calls to end.
open class CallOwner {
    public init() {}

    /// The call started with `ticket` has ended.
    open func callEnded(_ ticket: UInt64, _ result: OperationResult) {}

    /// What `NodeHost.leave` began has ended.
    open func handedOver() {}
}

/// Drives one node. Every method is for the loop's thread.
public final class NodeHost: PoolOwner {
    /// How often endpoints that nobody names any more are forgotten.
    private static let collectUs: UInt64 = 60_000_000
    /// Endpoints held before a collection is worth its walk.
    private static let collectAbove = 4096

    /// Mutate only through this class.
    public private(set) var node: DhtNode
    public let endpoints: EndpointTable
    /// The pool; set once by `start`.
    public private(set) var pool: SessionPool!
    /// The embedded switch; nil for a node that lives at another process's overlay.
    public let overlay: OverlaySwitch?

    private let loop: EventLoop
    private let log: Logger
    private let ticker: Ticker
    private let callOwner: CallOwner
    private var tickets: [OperationID: UInt64] = [:]
    private var lostLinks: [EndpointID] = []
    private var names: BootstrapList!
    private var watch: PeerWatch!
    private var bootstrap: [EndpointID] = []
    private var advertised: EndpointID?

    /// `seed` comes from the system's generator.
    public init(
        config: NodeConfig, endpoints: EndpointTable, loop: EventLoop, overlay: OverlaySwitch?,
        callOwner: CallOwner, log: Logger, seed: UInt64
    ) {
        (self.endpoints, self.loop, self.overlay, self.log) = (endpoints, loop, overlay, log)
        self.callOwner = callOwner
        node = DhtNode(config: config, endpoints: endpoints, seed: seed, nowUs: loop.nowUs)
        ticker = Ticker(loop: loop)
        super.init()
        ticker.host = self
    }

    /// Makes the node ready for its overlays; `setBootstrap` names them.
    ///
    /// - Parameters:
    ///   - embeddedAt: the embedded switch's own endpoint.
    ///   - advertised: what others are told instead of home.
    public func start(
        embeddedAt: EndpointID?, advertised: EndpointID?, policy: PoolPolicy, seed: UInt64
    ) {
        pool = SessionPool(loop: loop, endpoints: endpoints, owner: self, policy: policy, seed: seed)
        names = BootstrapList(loop: loop, endpoints: endpoints, owner: self, seed: seed)
        watch = PeerWatch(loop: loop, host: self)
        names.own = [embeddedAt, advertised].compactMap { $0 }
        self.advertised = advertised
        if let embeddedAt {
            node.setHome(embeddedAt, advertised: advertised ?? embeddedAt)
            overlay?.attachLocal(id: node.config.id, port: LocalNodePort(host: self))
        }
        ticker.scheduleCollection(atUs: loop.nowUs + Self.collectUs)
        settle()
    }

    /// Stays attached to these overlays, `host:port` each, and to none of those before; the first that answers is
    /// home unless a switch is embedded. Contacts are kept.
    public func setBootstrap(_ entries: [String]) { names.set(entries) }

    /// Ends all sessions.
    public func shutDown() {
        names.stop()
        watch.stop()
        pool.shutDown()
        loop.detach(ticker)
    }

    /// Changes the rates of requests that are answered; 0 is no limit.
    public func setRates(perPeer: Int, common: Int) { node.setRates(perPeer: perPeer, common: common) }

    /// Bootstrap overlays whose session is open.
    public var bootstrapUp: Int { bootstrap.count { pool.isOpen($0) } }

    /// Whether the log is told of each request, or only of those that fail.
    public var tellsEveryRpc: Bool {
        get { node.tellsEveryRpc }
        set { node.tellsEveryRpc = newValue }
    }

    // MARK: - Calls

    /// Starts a get; false when too many are in progress. `CallOwner.callEnded` tells how it ended.
    public func get(
        _ key: Key, quorum: Int = 1, paths: Int? = nil, isExplained: Bool = false, ticket: UInt64
    ) -> Bool {
        begin(
            node.get(
                key, quorum: quorum, paths: paths, isExplained: isExplained, nowUs: loop.nowUs), ticket)
    }

    /// Starts a delete; `seq` is the tombstone's version.
    public func delete(_ key: Key, seq: UInt64, ticket: UInt64) -> Bool {
        begin(node.delete(key, seq: seq, nowUs: loop.nowUs), ticket)
    }

    /// Starts to announce that `node` provides `cid`.
    public func provide(_ cid: Key, node uri: [UInt8], ttlSeconds: UInt64, ticket: UInt64) -> Bool {
        begin(node.provide(cid, node: uri, ttlSeconds: ttlSeconds, nowUs: loop.nowUs), ticket)
    }

    /// Starts to find the node `id` and to ask it something.
    public func ping(_ id: NodeID, ticket: UInt64) -> Bool { begin(node.ping(id, nowUs: loop.nowUs), ticket) }

    /// Starts to look for providers of `cid`.
    public func findProviders(_ cid: Key, limit: Int, paths: Int? = nil, ticket: UInt64) -> Bool {
        begin(node.findProviders(cid, limit: limit, paths: paths, nowUs: loop.nowUs), ticket)
    }

    /// Starts a put; `seq` is the version, `ttlSeconds` nil for the default.
    public func put(
        _ key: Key, value: [UInt8], seq: UInt64, ttlSeconds: UInt64?, paths: Int? = nil, ticket: UInt64
    ) -> Bool {
        begin(
            node.put(
                key, value: value, seq: seq, ttlSeconds: ttlSeconds, paths: paths, nowUs: loop.nowUs),
            ticket)
    }

    /// Begins to give what is stored here to those who take this node's place; the owner hears of the end.
    public func leave() {
        node.leave(nowUs: loop.nowUs)
        settle()
    }

    private func begin(_ id: OperationID?, _ ticket: UInt64) -> Bool {
        guard let id else { return false }
        tickets[id] = ticket
        settle()
        return true
    }

    // MARK: - Signs of life

    /// When the contact that was heard last was heard; nil without a contact.
    var lastHeardUs: UInt64? { newestContact?.state.lastSeenUs }

    /// Asks the contact that was heard last, and those near it, for a sign of life; nobody hears what came of it,
    /// but the routing table.
    func askForSign() {
        guard let contact = newestContact else { return }
        _ = node.ping(contact.id, nowUs: loop.nowUs)
        settle()
    }

    private var newestContact: (id: NodeID, state: PeerState)? {
        var newest: (id: NodeID, state: PeerState)?
        for bucket in node.table.buckets {
            for (id, state) in zip(bucket.ids, bucket.states)
            where state.lastSeenUs >= newest?.state.lastSeenUs ?? 0 {
                newest = (id, state)
            }
        }
        return newest
    }

    /// A random key that some contact is nearer to than this node, when there is a contact.
    func keyElsewhere(using generator: inout SeededGenerator) -> Key {
        let (own, key) = (node.config.id, Key.random(using: &generator))
        let contacts = node.table.buckets.flatMap(\.ids)
        let isElsewhere = contacts.contains { $0.distance(to: key) < own.distance(to: key) }
        guard !isElsewhere, let near = contacts.randomElement(using: &generator) else { return key }
        return near.random(
            sharingPrefix: min(near.distance(to: own).leadingZeroBitCount + 1, 255), using: &generator)
    }

    // MARK: - Sessions before they are needed

    /// Wants open sessions to these, the most wanted first, and no longer to those of the call before
    /// (`SessionPool.keepWarm`).
    func keepWarm(_ wanted: [EndpointID]) {
        pool.keepWarm(wanted.filter { overlay == nil || $0 != node.home })
    }

    // MARK: - Events

    override public func poolOpened(_ endpoint: EndpointID, nowUs: UInt64) {
        log.log(
            level: sessionLevel(endpoint), "overlay_up",
            metadata: ["peer": .string(endpoints.text(endpoint))])
        names.opened(endpoint)
        followHome()
        node.sessionOpened(endpoint, nowUs: nowUs)
        settle()
    }

    override public func poolReceived(
        _ endpoint: EndpointID, payload: UnsafeRawBufferPointer, nowUs: UInt64
    ) {
        receive(payload, Link(endpoint: endpoint), nowUs)
    }

    override public func poolClosed(_ endpoint: EndpointID, reason: CloseReason, nowUs: UInt64) {
        log.log(
            level: sessionLevel(endpoint), "overlay_down", metadata: describe(reason, at: endpoint))
        followHome()
        node.sessionClosed(endpoint)
        if !reason.isDisuse { lost(endpoint, isRemote: reason.isRemote, nowUs) }
    }

    /// Sessions to other nodes' overlays come and go; those to bootstrap overlays are news.
    private func sessionLevel(_ endpoint: EndpointID) -> Logger.Level {
        bootstrap.contains(endpoint) ? .info : .debug
    }

    private func describe(_ reason: CloseReason, at endpoint: EndpointID) -> Logger.Metadata {
        var metadata: Logger.Metadata = [
            "peer": .string(endpoints.text(endpoint)), "cause": .string(reason.label),
        ]
        if let detail = reason.detail { metadata["error"] = .string(detail) }
        return metadata
    }

    override public func poolDialFailed(_ endpoint: EndpointID, reason: CloseReason, nowUs: UInt64) {
        log.warning("dial_failed", metadata: describe(reason, at: endpoint))
        lost(endpoint, isRemote: reason.isRemote, nowUs)
    }

    /// A payload for the node, over the pool or through the switch.
    @inline(__always)
    fileprivate func receive(_ payload: UnsafeRawBufferPointer, _ link: Link, _ nowUs: UInt64) {
        node.receive(payload, from: link, nowUs: nowUs)
        settle()
    }

    fileprivate func tick(_ nowUs: UInt64) {
        node.advance(nowUs: nowUs)
        settle()
    }

    private func lost(_ endpoint: EndpointID, isRemote: Bool, _ nowUs: UInt64) {
        names.failed(endpoint)
        node.linkDown(endpoint, isRemote: isRemote, nowUs: nowUs)
        settle()
    }

    /// Without a switch of its own, the node's home is the one that the sessions' plan has chosen.
    private func followHome() {
        guard overlay == nil, pool.home != .none, pool.home != node.home else { return }
        node.setHome(pool.home, advertised: advertised ?? pool.home)
        log.info("home", metadata: ["peer": .string(endpoints.text(pool.home))])
    }

    // MARK: - Performing

    /// Empties the outbox, and sees to the next deadline at the end of the turn.
    @inline(__always)
    private func settle() {
        perform()
        if !lostLinks.isEmpty { tellLostLinks() }
        loop.deferToEndOfTurn(ticker)
    }

    @inline(__always)
    private func perform() {
        var next = 0
        while next < node.outbox.actions.count {
            switch node.outbox.actions[next] {
            case .reply(let link, let slice): reply(link, node.outbox.payload(slice))
            case .send(let endpoint, let slice): send(endpoint, node.outbox.payload(slice))
            case .warm(let endpoints): keepWarm(endpoints)
            case .finished(let id, let result): finish(id, result)
            case .event(let event): tell(event)
            }
            next += 1
        }
        node.outbox.clear()
    }

    private func tellLostLinks() {
        while let endpoint = lostLinks.popLast() {
            node.linkDown(endpoint, isRemote: false, nowUs: loop.nowUs)
            perform()
        }
    }

    @inline(__always)
    private func reply(_ link: Link, _ payload: UnsafeRawBufferPointer) {
        if link.token != Link.dialled, let overlay {
            overlay.reply(to: SwitchLink(rawValue: link.token), payload)
        } else {
            pool.send(payload, to: link.endpoint)
        }
    }

    private func send(_ endpoint: EndpointID, _ payload: UnsafeRawBufferPointer) {
        if endpoint == node.home, let overlay { return overlay.sendLocal(payload) }
        // An overlay that is down will not answer: whoever waits learns it now, not by time-out.
        if !pool.send(payload, to: endpoint), !pool.hasSession(endpoint) { lostLinks.append(endpoint) }
    }

    private func finish(_ id: OperationID, _ result: OperationResult) {
        guard let ticket = tickets.removeValue(forKey: id) else { return }
        callOwner.callEnded(ticket, result)
    }

    private func tell(_ event: NodeEvent) {
        switch event {
        case .hasPeers(true): log.info("has_peers", metadata: ["op": "pong"])
        case .hasPeers(false): log.warning("alone", metadata: ["cause": "every contact was lost"])
        case .shedding(let requests, let peer, let link):
            log.warning(
                "shedding",
                metadata: [
                    "cause": "requests over RON_DHT_PEER_RPS or RON_DHT_GLOBAL_RPS",
                    "peer": .string(peer.description), "requests": .stringConvertible(requests),
                    "overlay": .string(endpoints.text(link.endpoint)),
                ])
        case .handedOver(let records):
            log.info("handed_over", metadata: ["records": .stringConvertible(records)])
            callOwner.handedOver()
        case .rpcEnded(let op, let peer, let code, let elapsedUs):
            let level: Logger.Level = code == .ok || code == .late ? .debug : .warning
            log.log(
                level: level, "rpc",
                metadata: [
                    "op": .string(op.label), "peer": .string(peer.description), "cause": .string(code.label),
                    "ms": .stringConvertible(Double(elapsedUs) / 1000),
                ])
        }
    }

    fileprivate func collectEndpoints(_ nowUs: UInt64) {
        ticker.scheduleCollection(atUs: nowUs + Self.collectUs)
        guard endpoints.count > Self.collectAbove else { return }
        let used = node.endpointsInUse()
        endpoints.collect { used.contains($0) || pool.uses($0) }
    }
}

extension NodeHost: BootstrapOwner {
    func bootstrapChanged() {
        let (before, now) = (bootstrap, names.attached)
        bootstrap = now
        node.setBootstrap(now)
        for endpoint in before where !now.contains(endpoint) { pool.release(endpoint) }
        for endpoint in now where !before.contains(endpoint) {
            pool.keep(endpoint)
            // Open already, for another reason: nobody was asked yet who else is there.
            if pool.isOpen(endpoint) { node.linkUp(endpoint, nowUs: loop.nowUs) }
        }
        followHome()
        settle()
    }

    func bootstrapUnresolved(_ entry: String) {
        log.warning("dial_failed", metadata: ["peer": .string(entry), "cause": "no_address"])
    }
}

/// The host's timers: the node's next deadline, re-armed once a turn, and the endpoint collection.
private final class Ticker: EventSource {
    private static let nodeTag: UInt32 = 0
    private static let collectionTag: UInt32 = 1

    /// Set once, by the host that owns this.
    unowned(unsafe) var host: NodeHost!
    private let loop: EventLoop
    private var alarm = Alarm()

    init(loop: EventLoop) {
        self.loop = loop
        super.init()
        loop.attach(self)
    }

    func scheduleCollection(atUs: UInt64) { _ = loop.schedule(self, atUs: atUs, tag: Self.collectionTag) }

    override func timer(tag: UInt32, nowUs: UInt64) {
        if tag == Self.collectionTag { host.collectEndpoints(nowUs) }
        if tag == Self.nodeTag {
            alarm.fired()
            host.tick(nowUs)
        }
    }

    override func endOfTurn(nowUs: UInt64) {
        alarm.set(host.node.nextDeadlineUs, on: loop, for: self)
    }
}

/// The embedded switch's way to the node.
private final class LocalNodePort: LocalPort {
    /// The host outlives the switch's use of this port: it detaches it when it shuts down.
    private unowned(unsafe) let host: NodeHost

    init(host: NodeHost) { self.host = host }

    override func deliver(_ payload: UnsafeRawBufferPointer, from link: SwitchLink, nowUs: UInt64) {
        host.receive(payload, Link(endpoint: host.node.home, token: link.rawValue), nowUs)
    }
}
