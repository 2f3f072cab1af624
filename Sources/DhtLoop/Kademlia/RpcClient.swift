// RO:WHAT  RpcClient: requests of the local node, from their sending to their answer or their time-out.
// RO:WHY   A reply counts only if id, source and session agree with what was asked. How long to wait for it is
//          learned from the peer, or from what other strangers took at first.
// RO:INVARIANTS  each pending request holds exactly one armed timer, which its patience names; an id is never given
//                out twice while its request is pending; the number of requests is bounded.
// RO:SECURITY  48 bits of an id are random, and source and session must agree as well.
// RO:TEST  Tests/DhtLoopTests/Kademlia/RpcClientTests.swift

/// Requests in flight. It knows ids of messages and times; what a request is for, its owner knows.
struct RpcClient<Owner: Equatable> {
    typealias Pending = PendingRpc<Owner>

    /// The bits of an id that name the slot.
    private static var slotMask: UInt64 { 0xFFFF }

    private var slots: SlotTable<Pending>
    /// Round trips of first requests to a peer: what is to be expected of one that was never measured.
    private var strangers = RecentRtts()
    /// Peers that asked to be left alone for a while.
    private var busyPeers = BusyPeers()

    /// `limit` is 1...65536 requests at a time.
    init(limit: Int) { slots = SlotTable(limit: min(max(1, limit), Int(Self.slotMask) + 1)) }

    // MARK: - What is pending

    /// Requests pending.
    var count: Int { slots.count }
    var isFull: Bool { slots.isFull }

    /// The request with that id.
    subscript(id: UInt64) -> Pending? {
        guard let rpc = slots[Int(id & Self.slotMask)], rpc.id == id else { return nil }
        return rpc
    }

    /// All pending requests, in the order of slots.
    var pending: [Pending] {
        var found: [Pending] = []
        slots.visit { found.append($0) }
        return found
    }

    /// Those that went to `endpoint`.
    func pending(at endpoint: EndpointID) -> [Pending] { pending.filter { $0.endpoint == endpoint } }

    /// Adds the endpoints that requests went to.
    func addEndpoints(to used: inout Set<EndpointID>) { slots.visit { used.insert($0.endpoint) } }

    // MARK: - Sending

    /// Opens a request, arms its timer and begins its envelope. The caller appends the message and hands the
    /// payload to `outbox.send(to:from:)`.
    ///
    /// - Parameters:
    ///   - rtt: what was measured of the peer; nil when nothing was.
    ///   - mayHedge: whether the owner wants to hear when the answer is later than most.
    ///   - recursion: steps that the request may be passed on.
    /// - Returns: where the payload begins in the outbox, or nil when too many requests are pending.
    mutating func begin(
        _ op: RpcOp, to contact: Contact, for owner: Owner, rtt: RttEstimator?, mayHedge: Bool = false,
        recursion: UInt8 = 0, _ nowUs: UInt64, _ context: inout NodeContext
    ) -> Int? {
        let peer = rtt ?? RttEstimator()
        var rpc = Pending(
            id: 0, dst: contact.id, endpoint: contact.endpoint, sentUs: nowUs, op: op, owner: owner)
        rpc.recursion = recursion
        rpc.isFirst = !peer.isMeasured
        let ceilingUs = context.config.timeoutUs
        rpc.timeoutUs = UInt32(
            clamping: peer.isMeasured
                ? peer.timeoutUs(ceilingUs: ceilingUs) : strangers.timeoutUs(ceilingUs: ceilingUs))
        // Later than it usually is, or than nine of ten others are at first: a peer known to be slow is slow.
        let overdueUs = rpc.isFirst ? strangers.overdueUs : min(peer.overdueUs, strangers.overdueUs)
        let isHedged = mayHedge && context.config.beta > 0 && overdueUs < UInt64(rpc.timeoutUs)
        rpc.patience = isHedged ? .expected : .timeout
        let dueUs = nowUs + (isHedged ? overdueUs : UInt64(rpc.timeoutUs))
        assert(dueUs > nowUs, "a request is due before it is sent")
        guard let id = open(rpc, dueUs: dueUs, &context) else {
            context.stats.errors[.overload] += 1
            return nil
        }
        return context.beginEnvelope(to: contact.id, rpc: id)
    }

    /// Takes a request in, gives it its id and arms its timer.
    private mutating func open(_ rpc: Pending, dueUs: UInt64, _ context: inout NodeContext) -> UInt64? {
        let random = context.generator.next()
        var rpc = rpc
        let name = slots.insert { name in
            rpc.id = random & ~Self.slotMask | UInt64(name.slot)
            return rpc
        }
        guard let slot = name.map({ Int($0.slot) }) else { return nil }
        slots[slot]?.timer = context.timers.scheduleRpc(slot: slot, atUs: dueUs)
        assert(self[rpc.id]?.timer != TimerID.none, "a request without its timer")
        return rpc.id
    }

    // MARK: - Answers

    /// The request that a reply over `link` answers; nil when nothing that was asked agrees with it.
    func request(answeredBy reply: EnvelopeView, over link: Link) -> Pending? {
        guard let rpc = self[reply.rpc], rpc.endpoint == link.endpoint else { return nil }
        if case .unreachable(let node) = reply.message {
            // A switch may only say that a node is not there.
            return reply.src.isZero && node == rpc.dst ? rpc : nil
        }
        return reply.src == rpc.dst || (rpc.isToAnyone && !reply.src.isZero) ? rpc : nil
    }

    /// Whether a peer that answered so has more to say.
    static func isFollowed(_ reply: EnvelopeView, _ rpc: Pending) -> Bool {
        guard case .nodes(let isMoreToCome) = reply.message else { return false }
        return isMoreToCome && rpc.furtherAnswers < rpc.recursion
    }

    /// The first answer to a request came: learns from it, and ends the request unless more is to follow.
    mutating func took(_ reply: EnvelopeView, to rpc: Pending, _ nowUs: UInt64, _ context: inout NodeContext)
    {
        assert(
            !rpc.isToAnyone && !rpc.isFurther,
            "only the first answer of the peer that was asked ends a request")
        if Self.isFollowed(reply, rpc) {
            expectFurther(of: rpc, nowUs, &context)
        } else {
            close(rpc.id, &context)
        }
        if rpc.isFirst { strangers.observe(nowUs - rpc.sentUs) }
    }

    /// A further answer came: a peer hands on what others told it.
    ///
    /// - Returns: the request with that answer counted, and whether the answer was the last.
    mutating func tookFurther(
        _ reply: EnvelopeView, to rpc: Pending, _ nowUs: UInt64, _ context: inout NodeContext
    ) -> (rpc: Pending, isLast: Bool) {
        assert(rpc.isFurther && rpc.furtherAnswers < rpc.recursion, "a further answer was not waited for")
        var rpc = rpc
        rpc.furtherAnswers += 1
        slots[Self.slot(of: rpc.id)]?.furtherAnswers = rpc.furtherAnswers
        assert(rpc.furtherAnswers <= rpc.recursion, "more answers than steps")
        let isLast = !Self.isFollowed(reply, rpc)
        if isLast { close(rpc.id, &context) } else { expectFurther(of: rpc, nowUs, &context) }
        return (rpc, isLast)
    }

    /// A node answered a request to any. Several may, so it stays open until its time is up. Returns whether this
    /// is the first.
    mutating func tookAnyone(_ rpc: Pending) -> Bool {
        assert(rpc.isToAnyone)
        slots[Self.slot(of: rpc.id)]?.isAnswered = true
        return !rpc.isAnswered
    }

    /// Keeps an answered request open for what others tell the peer. A stranger's first answer takes two round trips,
    /// one to open a session; this one comes over a session that is open.
    private mutating func expectFurther(of rpc: Pending, _ nowUs: UInt64, _ context: inout NodeContext) {
        context.timers.cancel(rpc.timer)
        wait(rpc, .further, untilUs: nowUs + strangers.overdueUs / 2, &context)
    }

    /// What a request that was sent on behalf of another node is for from now on.
    mutating func setOwner(_ owner: Owner, of id: UInt64) {
        if self[id] != nil { slots[Self.slot(of: id)]?.owner = owner }
    }

    /// Ends a request; the request as it was, if it was pending.
    @discardableResult
    mutating func close(_ id: UInt64, _ context: inout NodeContext) -> Pending? {
        guard let rpc = self[id] else { return nil }
        context.timers.cancel(rpc.timer)
        return slots.remove(slot: Self.slot(of: id))
    }

    // MARK: - Silence

    /// The timer of the request in a slot has fired.
    mutating func timerFired(slot: Int, _ nowUs: UInt64, _ context: inout NodeContext) -> RpcExpiry<Owner>? {
        assert(slots.holds(slot: slot), "a timer outlives its request")
        guard let rpc = slots[slot] else { return nil }
        switch rpc.patience {
        case .expected:
            wait(rpc, .overdue, untilUs: max(nowUs, rpc.sentUs + UInt64(rpc.timeoutUs)), &context)
            return .overdue(rpc)
        case .timeout where rpc.isToAnyone:
            return rpc.isAnswered ? .givenUp(rpc) : .unheard(rpc)
        case .timeout, .overdue:
            let lastUs = max(rpc.sentUs + context.config.timeoutUs, nowUs + (nowUs - rpc.sentUs))
            wait(rpc, .late, untilUs: lastUs, &context)
            return .timedOut(rpc)
        case .late:
            return .givenUp(rpc)
        case .further:
            let lastUs = nowUs + strangers.timeoutUs(ceilingUs: context.config.timeoutUs)
            wait(rpc, .furtherLate, untilUs: lastUs, &context)
            return .stuck(rpc)
        case .furtherLate:
            return .toldAll(rpc)
        }
    }

    /// Arms the timer of a request anew, its last one having fired or been cancelled.
    private mutating func wait(
        _ rpc: Pending, _ patience: Pending.Patience, untilUs: UInt64, _ context: inout NodeContext
    ) {
        let slot = Self.slot(of: rpc.id)
        slots[slot]?.patience = patience
        slots[slot]?.timer = context.timers.scheduleRpc(slot: slot, atUs: untilUs)
    }

    private static func slot(of id: UInt64) -> Int { Int(id & slotMask) }

    // MARK: - Busy peers

    /// A peer said Busy: it is left alone for as long as it asked, within bounds.
    mutating func noteBusy(_ id: NodeID, retryMs: UInt64, _ nowUs: UInt64) {
        let range = AdmissionControl.retryRangeMs
        let waitUs = min(max(retryMs, range.lowerBound), range.upperBound) * 1000
        busyPeers.note(id, waitUs: waitUs, nowUs)
    }

    /// Whether `id` is to be left alone.
    func isBusy(_ id: NodeID, _ nowUs: UInt64) -> Bool { busyPeers.holds(id, nowUs) }

    /// Until when `id` is to be left alone; nil when it may be asked.
    func busyUntilUs(_ id: NodeID, _ nowUs: UInt64) -> UInt64? { busyPeers.until(id, nowUs) }

    /// Whether the peer of a request said Busy since it was sent: what is on its way then may be dropped without a
    /// word, and that is no silence.
    func saidBusy(since rpc: Pending) -> Bool { busyPeers.said(rpc.dst, since: rpc.sentUs) }

    /// When one more operation may ask `id`, see `BusyPeers.takeTurn`; nil when it may now.
    mutating func takeTurn(_ id: NodeID, _ nowUs: UInt64) -> UInt64? { busyPeers.takeTurn(id, nowUs) }
}
