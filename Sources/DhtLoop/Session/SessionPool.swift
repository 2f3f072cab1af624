// RO:WHAT  SessionPool: sessions to overlay endpoints, dialled when there is something to send. This file: use,
//          dialling, ends; SessionPool+Warm.swift: sessions that are opened before there is.
// RO:WHY   A cold session costs a round trip: sessions are reused, and those to home and bootstrap are kept.
// RO:INVARIANTS  one link an endpoint; a link without a session is kept and waits for its reconnect;
//          sessions <= maxSessions; an owner is called only from events and at the end of a turn.
// RO:METRICS  dht_active_sessions, dht_tx_queue_depth, dht_tx_dropped_total
// RO:TEST  Tests/DhtLoopTests/Session/SessionPoolTests.swift

/// Sessions by endpoint.
public final class SessionPool: SessionOwner {
    struct Link {
        var endpoint = EndpointID.none
        var session: OverlaySession?
        /// It is opened again whenever it ends.
        var isKept = false
        /// It is in the warm set.
        var isWarm = false
        /// The handing over of the warm set that last named it.
        var warmRound: UInt32 = 0
        var backoff = Backoff()
        var reconnect = Alarm()
    }

    /// What the owner is told when the turn ends.
    private enum Notice {
        case closed(EndpointID, CloseReason)
        case dialFailed(EndpointID, CloseReason)
    }

    private static let noLink = UInt32.max
    /// Tag of the warm set's timer; the others are those of links.
    static let warmTag = UInt32.max

    let loop: EventLoop
    private let endpoints: EndpointTable
    private let resolver: Resolver
    private unowned let owner: PoolOwner
    let policy: PoolPolicy
    private var generator: SeededGenerator
    var links: [Link] = []
    private var freeLinks: [UInt32] = []
    /// Link of an endpoint, by the endpoint's number.
    private var linkOfEndpoint: [UInt32] = []
    private var notices: [Notice] = []
    private var delivering: [Notice] = []
    private(set) var isShutDown = false

    /// The warm set's endpoints that are still to be dialled, the first of them last.
    var toWarm: [EndpointID] = []
    var warmRound: UInt32 = 0
    var warmPace = Alarm()

    /// Frames, bytes and drops of all sessions so far.
    public let counters = SessionCounters()
    /// Sessions, opening ones included.
    public private(set) var sessions = 0
    /// Sessions with a complete handshake.
    public private(set) var openSessions = 0
    /// Frames not sent because no session could be had at once.
    public private(set) var unsent: UInt64 = 0
    /// Sessions closed to make room for another.
    public private(set) var evictions: UInt64 = 0

    /// `owner` is not retained; `seed` feeds the jitter of reconnects.
    public init(
        loop: EventLoop, endpoints: EndpointTable, owner: PoolOwner, policy: PoolPolicy = PoolPolicy(),
        resolver: Resolver? = nil, seed: UInt64
    ) {
        (self.loop, self.endpoints, self.owner) = (loop, endpoints, owner)
        (self.policy, self.resolver) = (policy, resolver ?? loop.resolver)
        generator = SeededGenerator(seed: seed)
        super.init()
        loop.attach(self)
    }

    // MARK: - Use

    /// Queues `payload` for `endpoint`, over a new session if there is none; it leaves when the turn ends.
    ///
    /// - Returns: false when it was dropped, and counted: a full queue, no room for another session, or a kept
    ///   endpoint that waits for its reconnect.
    @discardableResult
    public func send(_ payload: UnsafeRawBufferPointer, to endpoint: EndpointID) -> Bool {
        if let link = find(endpoint) {
            if let session = links[link].session { return session.send(payload) }
        } else if endpoint != .none, !isShutDown, let session = dial(link: add(endpoint)) {
            return session.send(payload)
        }
        unsent += 1
        return false
    }

    /// Opens a session to `endpoint` and opens it again whenever it ends, until `release`.
    public func keep(_ endpoint: EndpointID) {
        guard endpoint != .none, !isShutDown else { return }
        let link = find(endpoint) ?? add(endpoint)
        guard !links[link].isKept else { return }
        links[link].isKept = true
        if let session = links[link].session { session.apply(policy.kept) } else { dial(link: link) }
    }

    /// Lets a kept session go the way of the others: closed when it is idle, and not opened again.
    public func release(_ endpoint: EndpointID) {
        guard let link = find(endpoint), links[link].isKept else { return }
        links[link].isKept = false
        if let session = links[link].session { session.apply(timeouts(of: link)) } else { remove(link: link) }
    }

    /// Whether the pool holds `endpoint`, so that its number must not be given to another.
    public func uses(_ endpoint: EndpointID) -> Bool { find(endpoint) != nil || toWarm.contains(endpoint) }

    /// Whether there is a session to `endpoint`, be it only on its way.
    public func hasSession(_ endpoint: EndpointID) -> Bool {
        guard let link = find(endpoint) else { return false }
        return links[link].session != nil
    }

    /// Whether the session to `endpoint` has a complete handshake.
    public func isOpen(_ endpoint: EndpointID) -> Bool {
        guard let link = find(endpoint) else { return false }
        return links[link].session?.state == .open
    }

    /// The longest TX queue, in frames.
    public var txDepthMax: Int { links.reduce(0) { max($0, $1.session?.depth ?? 0) } }

    /// What can be seen of a session from outside.
    public struct SessionView {
        public let endpoint: EndpointID
        /// The handshake is complete.
        public let isOpen: Bool
        /// It is opened again when it ends.
        public let isKept: Bool
        /// Frames that wait to be sent.
        public let txDepth: Int
    }

    /// Calls `body` with each endpoint the pool holds: those with a session, and kept ones that wait for theirs.
    public func forEachSession(_ body: (SessionView) -> Void) {
        for link in links where link.endpoint != .none {
            body(
                SessionView(
                    endpoint: link.endpoint, isOpen: link.session?.state == .open, isKept: link.isKept,
                    txDepth: link.session?.depth ?? 0))
        }
    }

    /// Closes all sessions, for good. The owner hears no more.
    public func shutDown() {
        isShutDown = true
        toWarm.removeAll()
        warmPace.set(nil, on: loop, for: self)
        for link in links.indices {
            links[link].isKept = false
            links[link].reconnect.set(nil, on: loop, for: self)
            links[link].session?.close(.shutdown)
        }
        loop.detach(self)
    }

    // MARK: - Links

    func find(_ endpoint: EndpointID) -> Int? {
        let number = Int(endpoint.rawValue)
        guard number < linkOfEndpoint.count, linkOfEndpoint[number] != Self.noLink else { return nil }
        return Int(linkOfEndpoint[number])
    }

    func add(_ endpoint: EndpointID) -> Int {
        let link = freeLinks.popLast() ?? UInt32(links.count)
        if link == links.count { links.append(Link()) }
        links[Int(link)].endpoint = endpoint
        let missing = Int(endpoint.rawValue) + 1 - linkOfEndpoint.count
        if missing > 0 { linkOfEndpoint += repeatElement(Self.noLink, count: missing) }
        linkOfEndpoint[Int(endpoint.rawValue)] = link
        return Int(link)
    }

    private func remove(link: Int) {
        links[link].reconnect.set(nil, on: loop, for: self)
        linkOfEndpoint[Int(links[link].endpoint.rawValue)] = Self.noLink
        links[link] = Link()
        freeLinks.append(UInt32(link))
    }

    // MARK: - Dialling

    /// A new session for `link`, on its way; nil when there is no room, of which the owner is told.
    @discardableResult
    func dial(link: Int) -> OverlaySession? {
        let endpoint = links[link].endpoint
        guard sessions < policy.maxSessions || evict() else {
            ended(link: link, reason: .noRoom, livedUs: 0)
            return nil
        }
        let session = OverlaySession(
            loop: loop, owner: self, ownerIndex: UInt32(link),
            policy: timeouts(of: link), counters: counters)
        links[link].session = session
        sessions += 1
        let answer = resolver.resolve(
            endpoints.bytes(endpoint), for: self, token: UInt32(link), nowUs: loop.nowUs)
        switch answer {
        case .address(let address): connect(session, to: address)
        case .failed: session.close(.noAddress)
        case .pending: break
        }
        return session
    }

    private func connect(_ session: OverlaySession, to address: SocketAddress) {
        do throws(SystemError) {
            try session.dial(address, fastOpen: policy.fastOpen)
        } catch {
            session.close(CloseReason(error))
        }
    }

    private func timeouts(of link: Int) -> SessionPolicy {
        links[link].isKept || links[link].isWarm ? policy.kept : policy.passing
    }

    /// Closes the session that has been without Data for longest, of those that are open, not kept, and have
    /// nothing to send; one of the warm set only when there is no other.
    private func evict() -> Bool {
        var oldest: (session: OverlaySession, rank: (Int, UInt64))?
        for link in links where !link.isKept {
            guard let session = link.session, session.state == .open, session.depth == 0 else { continue }
            let rank = (link.isWarm ? 1 : 0, session.lastDataUs)
            if rank < oldest?.rank ?? (.max, .max) { oldest = (session, rank) }
        }
        guard let oldest else { return false }
        evictions += 1
        oldest.session.close(.evicted)
        return true
    }

    override public func timer(tag: UInt32, nowUs: UInt64) {
        if tag == Self.warmTag { return warmNext(nowUs) }
        links[Int(tag)].reconnect.fired()
        dial(link: Int(tag))
    }

    // MARK: - Sessions' events

    override public func sessionOpened(_ session: OverlaySession, nowUs: UInt64) {
        openSessions += 1
        owner.poolOpened(links[Int(session.ownerIndex)].endpoint, nowUs: nowUs)
    }

    override public func sessionReceived(
        _ session: OverlaySession, payload: UnsafeRawBufferPointer, nowUs: UInt64
    ) {
        owner.poolReceived(links[Int(session.ownerIndex)].endpoint, payload: payload, nowUs: nowUs)
    }

    override public func sessionClosed(_ session: OverlaySession, reason: CloseReason, nowUs: UInt64) {
        let link = Int(session.ownerIndex)
        resolver.cancel(client: self, token: session.ownerIndex)
        links[link].session = nil
        sessions -= 1
        if session.openedUs != 0 { openSessions -= 1 }
        let livedUs = session.openedUs == 0 ? 0 : nowUs - session.openedUs
        ended(link: link, wasOpen: session.openedUs != 0, reason: reason, livedUs: livedUs)
    }

    /// Plans the reconnect of a kept link, forgets another, and leaves a notice for the owner.
    private func ended(link: Int, wasOpen: Bool = false, reason: CloseReason, livedUs: UInt64) {
        let endpoint = links[link].endpoint
        notices.append(wasOpen ? .closed(endpoint, reason) : .dialFailed(endpoint, reason))
        loop.deferToEndOfTurn(self)
        guard links[link].isKept else { return remove(link: link) }
        if livedUs >= policy.stableUs { links[link].backoff.reset() }
        let delayUs = links[link].backoff.nextDelayUs(using: &generator)
        links[link].reconnect.set(loop.nowUs + delayUs, on: loop, for: self, tag: UInt32(link))
    }

    override public func endOfTurn(nowUs: UInt64) {
        // An owner that dials again at once leaves new notices: those wait for the next round.
        swap(&notices, &delivering)
        for notice in delivering {
            switch notice {
            case .closed(let endpoint, let reason): owner.poolClosed(endpoint, reason: reason, nowUs: nowUs)
            case .dialFailed(let endpoint, let reason):
                owner.poolDialFailed(endpoint, reason: reason, nowUs: nowUs)
            }
        }
        delivering.removeAll(keepingCapacity: true)
    }
}

extension SessionPool: ResolverClient {
    public func resolved(_ address: SocketAddress?, token: UInt32, nowUs: UInt64) {
        guard Int(token) < links.count, let session = links[Int(token)].session, session.state == .waiting
        else {
            return
        }
        guard let address else { return session.close(.noAddress) }
        connect(session, to: address)
    }
}
