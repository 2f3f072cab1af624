// RO:WHAT  SessionPool: sessions to overlay endpoints over real sockets, as a SessionPlan orders them.
// RO:WHY   The plan decides and has no socket; this has the sockets and decides nothing.
// RO:INVARIANTS  after each event the plan's orders are carried out; a slot of the plan with a session has it in
//          `links`, which is as long as the plan has slots; an owner is called only from events and at the end of
//          a turn.
// RO:METRICS  dht_active_sessions, dht_tx_queue_depth, dht_tx_dropped_total
// RO:TEST  Tests/DhtLoopTests/Session/SessionPoolTests.swift

/// Sessions by endpoint.
public final class SessionPool: SessionOwner {
    /// What the owner is told when the turn ends.
    private enum Notice {
        case closed(EndpointID, CloseReason)
        case dialFailed(EndpointID, CloseReason)
    }

    private let loop: EventLoop
    private let endpoints: EndpointTable
    private let resolver: Resolver
    private unowned let owner: PoolOwner
    private let policy: PoolPolicy
    private var plan: SessionPlan
    /// Sessions by the plan's slots.
    private var links: [OverlaySession?] = []
    private var alarm = Alarm()
    private var notices: [Notice] = []
    private var delivering: [Notice] = []

    /// Frames, bytes and drops of all sessions so far.
    public let counters = SessionCounters()
    /// Frames not sent because no session could be had at once.
    public private(set) var unsent: UInt64 = 0

    /// `owner` is not retained; `seed` feeds the jitter of reconnects.
    public init(
        loop: EventLoop, endpoints: EndpointTable, owner: PoolOwner, policy: PoolPolicy = PoolPolicy(),
        resolver: Resolver? = nil, seed: UInt64
    ) {
        (self.loop, self.endpoints, self.owner) = (loop, endpoints, owner)
        (self.policy, self.resolver) = (policy, resolver ?? loop.resolver)
        plan = SessionPlan(policy: policy, seed: seed, nowUs: loop.nowUs)
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
        guard let slot = plan.find(endpoint) ?? open(endpoint), let session = links[slot] else {
            unsent += 1
            return false
        }
        guard session.send(payload) else { return false }
        plan.sent(slot, nowUs: loop.nowUs)
        return true
    }

    private func open(_ endpoint: EndpointID) -> Int? {
        let slot = plan.open(endpoint, nowUs: loop.nowUs)
        settle()
        return slot
    }

    /// Opens a session to `endpoint` and opens it again whenever it ends, until `release`.
    public func keep(_ endpoint: EndpointID) {
        plan.keep(endpoint, nowUs: loop.nowUs)
        settle()
    }

    /// Lets a kept session go the way of the others: closed when it is idle, and not opened again.
    public func release(_ endpoint: EndpointID) {
        plan.release(endpoint, nowUs: loop.nowUs)
        settle()
    }

    /// Wants open sessions to `wanted`, the most wanted first, and no longer to those of the set before
    /// (`SessionPlan.keepWarm`). The owner hears of them as of any session.
    public func keepWarm(_ wanted: [EndpointID]) {
        plan.keepWarm(wanted, nowUs: loop.nowUs)
        settle()
    }

    /// Closes all sessions, for good. The owner hears no more.
    public func shutDown() {
        plan.shutDown()
        settle()
        loop.detach(self)
    }

    // MARK: - What there is

    /// Sessions, opening ones included.
    public var sessions: Int { plan.sessions }

    /// Sessions with a complete handshake.
    public var openSessions: Int { plan.openSessions }

    /// Sessions closed to make room for another.
    public var evictions: UInt64 { plan.evictions }

    /// Endpoints of the warm set that have a session, be it only on its way.
    public var warmSessions: Int { plan.warmSessions }

    /// The kept endpoint that others are to be told (`SessionPlan.home`).
    public var home: EndpointID { plan.home }

    /// Whether the pool holds `endpoint`, so that its number must not be given to another.
    public func uses(_ endpoint: EndpointID) -> Bool { plan.uses(endpoint) }

    /// Whether there is a session to `endpoint`, be it only on its way.
    public func hasSession(_ endpoint: EndpointID) -> Bool { plan.hasSession(endpoint) }

    /// Whether the session to `endpoint` has a complete handshake.
    public func isOpen(_ endpoint: EndpointID) -> Bool { plan.isOpen(endpoint) }

    /// The longest TX queue, in frames.
    public var txDepthMax: Int { links.reduce(0) { max($0, $1?.depth ?? 0) } }

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
        for slot in 0..<plan.slotCount where plan.endpoint(of: slot) != .none {
            let endpoint = plan.endpoint(of: slot)
            body(
                SessionView(
                    endpoint: endpoint, isOpen: plan.isOpen(endpoint), isKept: plan.isKept(endpoint),
                    txDepth: links[slot]?.depth ?? 0))
        }
    }

    // MARK: - Orders

    /// Carries out what the plan orders, and sees to it that the plan is asked again in time.
    private func settle() {
        if links.count < plan.slotCount { links += repeatElement(nil, count: plan.slotCount - links.count) }
        var next = 0
        while next < plan.orders.count {
            switch plan.orders[next] {
            case .dial(let slot, let endpoint): dial(slot, endpoint)
            case .close(let slot, let endpoint, let wasOpen, let reason):
                note(endpoint, wasOpen: wasOpen, reason)
                links[slot].take()?.close(reason)
            case .refuse(let endpoint): note(endpoint, wasOpen: false, .noRoom)
            }
            next += 1
        }
        plan.clearOrders()
        alarm.set(plan.nextDeadlineUs, on: loop, for: self)
    }

    private func dial(_ slot: Int, _ endpoint: EndpointID) {
        let session = OverlaySession(
            loop: loop, owner: self, ownerIndex: UInt32(slot), policy: policy.session, counters: counters)
        links[slot] = session
        let answer = resolver.resolve(
            endpoints.bytes(endpoint), for: self, token: UInt32(slot), nowUs: loop.nowUs)
        switch answer {
        case .address(let address): connect(session, to: address)
        case .failed: session.close(.noAddress)
        case .pending: break
        }
    }

    private func connect(_ session: OverlaySession, to address: SocketAddress) {
        do throws(SystemError) {
            try session.dial(address, fastOpen: policy.fastOpen)
        } catch {
            session.close(CloseReason(error))
        }
    }

    private func note(_ endpoint: EndpointID, wasOpen: Bool, _ reason: CloseReason) {
        notices.append(wasOpen ? .closed(endpoint, reason) : .dialFailed(endpoint, reason))
        loop.deferToEndOfTurn(self)
    }

    override public func timer(tag: UInt32, nowUs: UInt64) {
        alarm.fired()
        plan.advance(nowUs: nowUs)
        settle()
    }

    // MARK: - Sessions' events

    override public func sessionOpened(_ session: OverlaySession, nowUs: UInt64) {
        let slot = Int(session.ownerIndex)
        let endpoint = plan.endpoint(of: slot)
        plan.opened(slot, nowUs: nowUs)
        settle()
        owner.poolOpened(endpoint, nowUs: nowUs)
    }

    override public func sessionReceived(
        _ session: OverlaySession, payload: UnsafeRawBufferPointer, nowUs: UInt64
    ) {
        let slot = Int(session.ownerIndex)
        plan.received(slot, nowUs: nowUs)
        owner.poolReceived(plan.endpoint(of: slot), payload: payload, nowUs: nowUs)
    }

    override public func sessionStalled(_ session: OverlaySession, isStalled: Bool) {
        plan.stalled(Int(session.ownerIndex), isStalled)
    }

    override public func sessionClosed(_ session: OverlaySession, reason: CloseReason, nowUs: UInt64) {
        resolver.cancel(client: self, token: session.ownerIndex)
        let slot = Int(session.ownerIndex)
        // One that the plan had closed is not in its slot any more.
        guard links[slot] === session else { return }
        links[slot] = nil
        note(plan.endpoint(of: slot), wasOpen: session.openedUs != 0, reason)
        plan.ended(slot, nowUs: nowUs)
        alarm.set(plan.nextDeadlineUs, on: loop, for: self)
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
        guard Int(token) < links.count, let session = links[Int(token)], session.state == .waiting else {
            return
        }
        guard let address else { return session.close(.noAddress) }
        connect(session, to: address)
    }
}
