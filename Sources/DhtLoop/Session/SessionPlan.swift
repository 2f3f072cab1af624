// RO:WHAT  SessionPlan: which sessions a node has, as a machine. Events and the time go in, orders come out.
// RO:WHY   A cold session costs a round trip, and each costs both sides memory: when to dial, to keep, to give up is
//          decided here, once, for the daemon (SessionPool, over epoll) and the simulator (its modelled TCP).
// RO:INVARIANTS  `brokenInvariant`: one slot an endpoint; sessions <= maxSessions; a slot that waits for its redial,
//          and one whose session may idle out, holds exactly one armed timer, the others none; only kept ones wait.
//          Warm sessions close none to make room, and are not dialled while `dialsAtOnce` are on their way.
// RO:TEST  Tests/DhtLoopTests/Session/SessionPlanTests.swift

/// One node's sessions to overlays. All times are microseconds of a monotonic clock that the driver keeps.
///
/// Drive it so: hand it an event, carry out `orders`, clear them; and call `advance` no later than `nextDeadlineUs`.
/// A slot names a session, from the order to dial it until the driver says that it ended or is told to close it.
public struct SessionPlan: ~Copyable {
    /// Something for the driver to do.
    public enum Order: Equatable, Sendable {
        /// Make a session to the endpoint; `opened` follows, or `ended`. Frames may be queued for it at once.
        case dial(slot: Int, EndpointID)
        /// End the slot's session. The plan has forgotten it: `ended` does not follow.
        case close(slot: Int, EndpointID, wasOpen: Bool, CloseReason)
        /// There is no room for a session to the endpoint: what was to be sent there is lost.
        case refuse(EndpointID)
    }

    private enum Phase {
        case free
        /// Kept, without a session, until its timer says to dial again.
        case waiting
        case dialling
        case open
    }

    private struct Slot {
        var endpoint = EndpointID.none
        var phase = Phase.free
        /// It is dialled again whenever it ends.
        var isKept = false
        /// It is in the warm set.
        var isWarm = false
        /// The socket takes no more for now.
        var isStalled = false
        /// The handing over of the warm set that last named it.
        var warmRound: UInt32 = 0
        var openedUs: UInt64 = 0
        /// When a Data frame last came or was queued, or when it opened.
        var lastUsedUs: UInt64 = 0
        var lastSentUs: UInt64 = 0
        var backoff = Backoff()
        var timer = TimerID.none

        var hasSession: Bool { phase == .dialling || phase == .open }
        var mayIdle: Bool { phase == .open && !isKept && !isWarm }
    }

    /// Token of the warm set's timer; the others are slots.
    static let paceToken = UInt64.max

    let policy: PoolPolicy
    private var slots: [Slot] = []
    private var wheel: TimerWheel
    private var warmSet = WarmSet()
    private var free: [Int] = []
    private var slotOf = EndpointSlots()
    private var generator: SeededGenerator
    /// Endpoints that are kept, in the order of `keep`.
    private var kept: [EndpointID] = []
    private var isShutDown = false

    /// What is to be done now.
    public private(set) var orders: [Order] = []
    /// Sessions, opening ones included.
    public private(set) var sessions = 0
    /// Sessions with a complete handshake.
    public private(set) var openSessions = 0
    /// Sessions closed to make room for another.
    public private(set) var evictions: UInt64 = 0
    /// The kept endpoint that others are to be told; `.none` until one has been open. It stays when its session ends,
    /// until another kept one is open.
    public private(set) var home = EndpointID.none

    /// `seed` feeds the jitter of redials.
    public init(policy: PoolPolicy, seed: UInt64, nowUs: UInt64) {
        self.policy = policy
        wheel = TimerWheel(nowUs: nowUs, capacity: 16)
        generator = SeededGenerator(seed: seed)
    }

    /// When `advance` must be called; nil while no timer is armed.
    public var nextDeadlineUs: UInt64? { wheel.nextDeadlineUs }

    /// Forgets the orders, which were carried out.
    public mutating func clearOrders() { orders.removeAll(keepingCapacity: true) }

    // MARK: - What there is

    /// The slot of `endpoint`; it has a session, or waits for its redial.
    @inline(__always)
    public func find(_ endpoint: EndpointID) -> Int? { slotOf.find(endpoint) }

    /// Slots, those not in use included.
    public var slotCount: Int { slots.count }

    /// The endpoint of a slot; `.none` when it is not in use.
    @inline(__always)
    public func endpoint(of slot: Int) -> EndpointID { slots[slot].endpoint }

    /// Whether the plan holds `endpoint`, be it only to dial it some time.
    public func uses(_ endpoint: EndpointID) -> Bool { find(endpoint) != nil || warmSet.holds(endpoint) }

    /// Whether there is a session to `endpoint`, be it only on its way.
    public func hasSession(_ endpoint: EndpointID) -> Bool {
        find(endpoint).map { slots[$0].hasSession } ?? false
    }

    /// Whether the session to `endpoint` has a complete handshake.
    public func isOpen(_ endpoint: EndpointID) -> Bool {
        find(endpoint).map { slots[$0].phase == .open } ?? false
    }

    /// Whether `endpoint` is dialled again whenever its session ends.
    public func isKept(_ endpoint: EndpointID) -> Bool { find(endpoint).map { slots[$0].isKept } ?? false }

    // MARK: - What the node wants

    /// The slot over whose session something may be sent to `endpoint`, which is dialled if there is none. Nil when
    /// there is none to be had: no room, or a kept endpoint that waits for its redial.
    public mutating func open(_ endpoint: EndpointID, nowUs: UInt64) -> Int? {
        if let slot = find(endpoint) { return slots[slot].hasSession ? slot : nil }
        guard endpoint != .none, !isShutDown else { return nil }
        let slot = add(endpoint)
        return dial(slot, nowUs) ? slot : nil
    }

    /// Opens a session to `endpoint` and opens it again whenever it ends, until `release`.
    public mutating func keep(_ endpoint: EndpointID, nowUs: UInt64) {
        guard endpoint != .none, !isShutDown, !isKept(endpoint) else { return }
        let slot = find(endpoint) ?? add(endpoint)
        slots[slot].isKept = true
        kept.append(endpoint)
        if slots[slot].hasSession { settle(slot, nowUs) } else { dial(slot, nowUs) }
        chooseHome()
    }

    /// Lets a kept session go the way of the others: closed when it is idle, and not opened again.
    public mutating func release(_ endpoint: EndpointID, nowUs: UInt64) {
        guard let slot = find(endpoint), slots[slot].isKept else { return }
        slots[slot].isKept = false
        kept.removeAll { $0 == endpoint }
        if slots[slot].hasSession { settle(slot, nowUs) } else { forget(slot) }
        chooseHome()
    }

    /// Closes all sessions, for good.
    public mutating func shutDown() {
        isShutDown = true
        kept.removeAll()
        warmSet.shutDown(&wheel)
        for slot in slots.indices where slots[slot].phase != .free {
            slots[slot].isKept = false
            if slots[slot].hasSession { close(slot, .shutdown) } else { forget(slot) }
        }
        assert(sessions == 0 && slotOf.count == 0 && wheel.count == 0)
    }

    // MARK: - What happened

    /// A Data frame was queued for the slot's session.
    @inline(__always)
    public mutating func sent(_ slot: Int, nowUs: UInt64) {
        assert(slots[slot].hasSession)
        slots[slot].lastUsedUs = nowUs
        slots[slot].lastSentUs = nowUs
    }

    /// A Data frame came over the slot's session.
    @inline(__always)
    public mutating func received(_ slot: Int, nowUs: UInt64) {
        assert(slots[slot].hasSession)
        slots[slot].lastUsedUs = nowUs
    }

    /// The socket of the slot's session takes no more for now, or does so again.
    public mutating func stalled(_ slot: Int, _ isStalled: Bool) {
        assert(slots[slot].hasSession)
        slots[slot].isStalled = isStalled
    }

    /// The handshake of the slot's session is complete.
    public mutating func opened(_ slot: Int, nowUs: UInt64) {
        assert(slots[slot].phase == .dialling && slots[slot].timer == .none)
        slots[slot].phase = .open
        (slots[slot].openedUs, slots[slot].lastUsedUs) = (nowUs, nowUs)
        openSessions += 1
        settle(slot, nowUs)
        chooseHome()
    }

    /// The slot's session ended, or did not come about, by no order of the plan.
    public mutating func ended(_ slot: Int, nowUs: UInt64) {
        let livedUs = slots[slot].phase == .open ? nowUs - slots[slot].openedUs : 0
        endSession(slot)
        lost(slot, livedUs: livedUs, nowUs)
        chooseHome()
    }

    /// Does what is due: dials again, dials for the warm set, closes what is idle.
    public mutating func advance(nowUs: UInt64) {
        while let token = wheel.next(dueBy: nowUs) {
            guard token != Self.paceToken else {
                warmNext(nowUs)
                continue
            }
            let slot = Int(token)
            slots[slot].timer = .none
            if slots[slot].phase == .waiting { dial(slot, nowUs) } else { settle(slot, nowUs) }
        }
    }

    // MARK: - Slots

    private mutating func add(_ endpoint: EndpointID) -> Int {
        let slot = free.popLast() ?? slots.count
        if slot == slots.count { slots.append(Slot()) }
        slots[slot].endpoint = endpoint
        slots[slot].phase = .waiting
        slotOf.insert(endpoint, slot: slot)
        return slot
    }

    private mutating func forget(_ slot: Int) {
        assert(!slots[slot].hasSession && !slots[slot].isKept)
        wheel.cancel(slots[slot].timer)
        slotOf.remove(slots[slot].endpoint)
        slots[slot] = Slot()
        free.append(slot)
    }

    /// Orders a session for a slot without one; false when there is no room.
    @discardableResult
    private mutating func dial(_ slot: Int, _ nowUs: UInt64) -> Bool {
        assert(slots[slot].phase == .waiting && slots[slot].timer == .none)
        guard sessions < policy.maxSessions || evict(nowUs) else {
            orders.append(.refuse(slots[slot].endpoint))
            lost(slot, livedUs: 0, nowUs)
            return false
        }
        slots[slot].phase = .dialling
        sessions += 1
        assert(sessions <= policy.maxSessions)
        orders.append(.dial(slot: slot, slots[slot].endpoint))
        return true
    }

    /// Closes the session that has been without Data for longest, of those that are open, not kept, and have nothing
    /// to send; one of the warm set only when there is no other.
    private mutating func evict(_ nowUs: UInt64) -> Bool {
        var oldest: (slot: Int, rank: (Int, UInt64))?
        for slot in slots.indices {
            let held = slots[slot]
            // What was sent in this turn leaves at its end.
            guard held.phase == .open, !held.isKept, !held.isStalled, held.lastSentUs < nowUs else {
                continue
            }
            let rank = (held.isWarm ? 1 : 0, held.lastUsedUs)
            if rank < oldest?.rank ?? (.max, .max) { oldest = (slot, rank) }
        }
        guard let oldest else { return false }
        evictions += 1
        close(oldest.slot, .evicted)
        return true
    }

    private mutating func close(_ slot: Int, _ reason: CloseReason) {
        assert(!slots[slot].isKept)
        let wasOpen = slots[slot].phase == .open
        orders.append(.close(slot: slot, slots[slot].endpoint, wasOpen: wasOpen, reason))
        endSession(slot)
        forget(slot)
    }

    private mutating func endSession(_ slot: Int) {
        assert(slots[slot].hasSession)
        if slots[slot].phase == .open { openSessions -= 1 }
        sessions -= 1
        slots[slot].phase = .waiting
        slots[slot].isStalled = false
        disarm(slot)
    }

    /// Plans the redial of a kept slot without a session, and forgets another.
    private mutating func lost(_ slot: Int, livedUs: UInt64, _ nowUs: UInt64) {
        guard slots[slot].isKept else { return forget(slot) }
        if livedUs >= policy.stableUs { slots[slot].backoff.reset() }
        arm(slot, atUs: nowUs + slots[slot].backoff.nextDelayUs(using: &generator))
    }

    /// Closes the slot's session if it is idle and may be, and sees to it that its timer is armed only then.
    private mutating func settle(_ slot: Int, _ nowUs: UInt64) {
        disarm(slot)
        guard slots[slot].mayIdle, policy.idleTimeoutUs < .max else { return }
        let dueUs = slots[slot].lastUsedUs + policy.idleTimeoutUs
        if nowUs >= dueUs { close(slot, .idle) } else { arm(slot, atUs: dueUs) }
    }

    private mutating func arm(_ slot: Int, atUs: UInt64) {
        assert(slots[slot].timer == .none)
        slots[slot].timer = wheel.schedule(atUs: atUs, token: UInt64(slot))
    }

    private mutating func disarm(_ slot: Int) {
        wheel.cancel(slots[slot].timer)
        slots[slot].timer = .none
    }

    private mutating func chooseHome() {
        if isKept(home), isOpen(home) { return }
        if let other = kept.first(where: { isOpen($0) }) { home = other }
    }
}

// MARK: - The warm set: sessions that are opened before there is anything to send

extension SessionPlan {
    /// Wants open sessions to `wanted`, the most wanted first, and no longer to those of the set before.
    ///
    /// They are dialled one after the other, `warmPaceUs` apart, and do not idle out while they are in the set. One
    /// whose dial fails or whose session ends leaves the set until it is handed over again. What is beyond half of
    /// `maxSessions` is left out.
    public mutating func keepWarm(_ wanted: [EndpointID], nowUs: UInt64) {
        guard !isShutDown else { return }
        warmSet.beginRound()
        var missing: [EndpointID] = []
        for endpoint in wanted.prefix(policy.maxSessions / 2) where endpoint != .none {
            if let slot = find(endpoint) { warm(slot, nowUs) } else { missing.append(endpoint) }
        }
        warmSet.wait(missing)
        for slot in slots.indices where slots[slot].isWarm && slots[slot].warmRound != warmSet.round {
            slots[slot].isWarm = false
            if slots[slot].hasSession { settle(slot, nowUs) }
        }
        if !warmSet.isEmpty { warmSet.arm(&wheel, atUs: nowUs + policy.warmPaceUs) }
    }

    /// Endpoints of the warm set that have a session, be it only on its way.
    public var warmSessions: Int { slots.count { $0.isWarm && $0.hasSession } }

    /// Dials the next one of the warm set, unless as many sessions as may be are on their way.
    private mutating func warmNext(_ nowUs: UInt64) {
        warmSet.fired()
        if sessions - openSessions < policy.dialsAtOnce { dialNextWarm(nowUs) }
        if !warmSet.isEmpty { warmSet.arm(&wheel, atUs: nowUs + policy.warmPaceUs) }
    }

    private mutating func dialNextWarm(_ nowUs: UInt64) {
        while let endpoint = warmSet.next() {
            if let slot = find(endpoint) {
                warm(slot, nowUs)
            } else if sessions < policy.maxSessions {
                let slot = add(endpoint)
                (slots[slot].isWarm, slots[slot].warmRound) = (true, warmSet.round)
                dial(slot, nowUs)
                return
            }
        }
    }

    private mutating func warm(_ slot: Int, _ nowUs: UInt64) {
        (slots[slot].isWarm, slots[slot].warmRound) = (true, warmSet.round)
        if slots[slot].hasSession { settle(slot, nowUs) }
    }
}

extension SessionPlan {
    /// The first thing that is not as it must be; nil when all is well. For tests, and for the simulator's checks.
    public func brokenInvariant() -> String? {
        let used = slots.filter { $0.phase != .free }
        if slotOf.count != used.count || free.count + used.count != slots.count {
            return "slots do not add up"
        }
        if sessions != used.count(where: \.hasSession) { return "sessions are miscounted" }
        if openSessions != used.count(where: { $0.phase == .open }) { return "open sessions are miscounted" }
        if sessions > policy.maxSessions { return "more sessions than there may be" }
        if kept.count != used.count(where: \.isKept) { return "the list of the kept does not fit" }
        let timers = used.count { $0.timer != .none } + (warmSet.isPacing ? 1 : 0)
        if wheel.count != timers { return "timers do not add up" }
        for (slot, held) in slots.enumerated() where held.phase != .free {
            if find(held.endpoint) != slot { return "slot \(slot) is not found" }
            if held.phase == .waiting, !held.isKept { return "slot \(slot) waits and is not kept" }
            let needsTimer = held.phase == .waiting || (held.mayIdle && policy.idleTimeoutUs < .max)
            if needsTimer != (held.timer != .none) { return "slot \(slot) has a timer too many or too few" }
        }
        return warmSet.isEmpty || warmSet.isPacing ? nil : "the warm set has no timer"
    }
}
