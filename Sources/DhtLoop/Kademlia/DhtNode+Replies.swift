// RO:WHAT  Requests of our own: sending them, their time-outs, and what their replies mean.
// RO:WHY   A reply counts only if id, source and session agree with what was asked. Silence is first a
//          hint (the lookup moves on, the answer still counts when late), then a failure.
// RO:METRICS  dht_rpcs_total{op,code}, dht_timeout_total, dht_rejected_total{reason="stray_reply"}

extension DhtNode {
    /// Opens a request, arms its timer and begins its envelope. The caller appends the message and hands the
    /// payload to `outbox.send(to:from:)`.
    ///
    /// - Returns: where the payload begins in the outbox, or nil when too many requests are pending.
    mutating func beginRequest(
        _ op: RpcOp, to contact: Contact, _ purpose: RpcPurpose, recursion: UInt8 = 0, _ nowUs: UInt64
    ) -> Int? {
        var rpc = PendingRpc(
            id: 0, dst: contact.id, endpoint: contact.endpoint, sentUs: nowUs, op: op, purpose: purpose)
        rpc.recursion = recursion
        let peer = table.state(of: contact.id)?.rtt ?? RttEstimator()
        rpc.isFirst = !peer.isMeasured
        rpc.timeoutUs = UInt32(
            clamping: peer.isMeasured
                ? peer.timeoutUs(ceilingUs: config.timeoutUs)
                : strangers.timeoutUs(ceilingUs: config.timeoutUs))
        // Later than it usually is, or than nine of ten others are at first: a peer known to be slow is slow.
        let overdueUs = rpc.isFirst ? strangers.overdueUs : min(peer.overdueUs, strangers.overdueUs)
        let isHedged = config.beta > 0 && purpose.isPartOfCall && overdueUs < UInt64(rpc.timeoutUs)
        rpc.patience = isHedged ? .expected : .timeout
        guard let id = rpcs.open(rpc, random: generator.next()) else {
            stats.errors[.overload] += 1
            return nil
        }
        rpcs[id]?.timer = wheel.schedule(
            atUs: nowUs + (isHedged ? overdueUs : UInt64(rpc.timeoutUs)),
            token: TimerToken(.rpc, slot: RpcTable.slot(of: id)).packed)
        let start = outbox.bytes.count
        encoder.begin(&outbox.bytes, dst: contact.id, rpc: id)
        return start
    }

    /// Pings `contact`; whoever hears it, when its id is zero.
    mutating func ping(_ contact: Contact, _ purpose: RpcPurpose, _ nowUs: UInt64) {
        guard !busyPeers.holds(contact.id, nowUs) else { return pingNotSent(contact.id) }
        guard let start = beginRequest(.ping, to: contact, purpose, nowUs) else {
            return pingNotSent(contact.id)
        }
        outbox.bytes.appendPing()
        outbox.send(to: contact.endpoint, from: start)
    }

    /// Pings a node that is no contact yet, unless that is under way.
    mutating func verify(_ contact: Contact, _ nowUs: UInt64) {
        guard upkeep.verifying.count < Upkeep.maxVerifying,
            upkeep.verifying.insert(contact.id).inserted
        else { return }
        ping(contact, .verify, nowUs)
    }

    /// A reply arrived.
    mutating func takeReply(
        _ reply: EnvelopeView, with lists: borrowing MessageLists, _ link: Link, _ nowUs: UInt64
    ) {
        guard let rpc = rpcs[reply.rpc], rpc.endpoint == link.endpoint, agrees(reply, with: rpc) else {
            return stats.reject(.strayReply)
        }
        if case .unreachable = reply.message { return end(rpc, .unreachable, nowUs) }
        if rpc.isFurther { return takeFurther(reply, with: lists, rpc, nowUs) }
        if rpc.purpose == .anyone { return someoneAnswered(reply, rpc, nowUs) }
        if case .recursion = rpc.purpose { handBack(reply, with: lists, for: rpc) }
        if isFollowed(reply, rpc) { expectFurther(of: rpc, nowUs) } else { close(rpc) }
        countEnd(of: rpc, Self.code(of: reply.message, isLate: rpc.isLate), nowUs)
        if rpc.isFirst { strangers.observe(nowUs - rpc.sentUs) }
        meet(rpc.contact, rttUs: nowUs - rpc.sentUs, nowUs)
        if case .busy(let retryMs) = reply.message { noteBusy(rpc.dst, retryMs: retryMs, nowUs) }
        switch rpc.purpose {
        case .lookup(let id):
            if let call = calls[id] { lookupStep(call, took: reply, with: lists, from: rpc, nowUs) }
        case .store(let id, _):
            if let call = calls[id] { storeAnswered(call, reply, from: rpc, nowUs) }
        case .copies:
            if !rpc.isLate { copiesAnswered(reply.message, with: lists, from: rpc, nowUs) }
        case .verify, .probe, .gift, .recursion, .anyone:
            break
        }
    }

    private static func code(of message: MessageView, isLate: Bool) -> RpcCode {
        switch message {
        case .busy: .busy
        case .error: .refused
        case .stored(ok: false, _, _, _): .refused
        default: isLate ? .late : .ok
        }
    }

    /// Whether the reply's source is who was asked: a switch may only say that a node is not there.
    private func agrees(_ reply: EnvelopeView, with rpc: PendingRpc) -> Bool {
        if case .unreachable(let node) = reply.message { return reply.src.isZero && node == rpc.dst }
        return reply.src == rpc.dst || (rpc.purpose == .anyone && !reply.src.isZero)
    }

    /// An answer to "anyone there?". Several may come, so the request stays open until its time is up.
    private mutating func someoneAnswered(_ reply: EnvelopeView, _ rpc: PendingRpc, _ nowUs: UInt64) {
        if !rpc.isAnswered { countEnd(of: rpc, .ok, nowUs) }
        rpcs[rpc.id]?.isAnswered = true
        guard reply.at.count > 0 else { return }
        guard let endpoint = endpoints.intern(reply.at.bytes) else { return stats.reject(.badEndpoint) }
        let contact = Contact(id: reply.src, endpoint: endpoint)
        if endpoint == rpc.endpoint {
            meet(contact, rttUs: nowUs - rpc.sentUs, nowUs)
        } else {
            verify(contact, nowUs)
        }
    }

    /// A node answered at that endpoint: it is, or stays, a contact.
    mutating func meet(_ contact: Contact, rttUs: UInt64, _ nowUs: UInt64) {
        upkeep.verifying.remove(contact.id)
        table.endProbe(of: contact.id)
        switch table.insert(contact, nowUs: nowUs, staleUs: upkeep.staleUs) {
        case .added:
            stats.routeUpdates[.added] += 1
            contactAdded(contact, nowUs)
        case .exchanged:
            stats.routeUpdates[.exchanged] += 1
            contactAdded(contact, nowUs)
        case .spare(let oldest):
            stats.routeUpdates[.spared] += 1
            if let oldest { ping(oldest, .probe, nowUs) }
        case .updated(let silenceUs):
            upkeep.lifetimes.survived(silenceUs: silenceUs)
        case .refused:
            break
        }
        table.update(contact.id) { $0.rtt.observe(rttUs) }
    }

    /// There is no session to an overlay: what went there will not be answered. `isRemote` when the other side
    /// ended it or refused it, as it does when its process ends; not when there is none for a reason that lies here.
    public mutating func linkDown(_ endpoint: EndpointID, isRemote: Bool, nowUs: UInt64) {
        for id in rpcs.ids(to: endpoint) {
            if let rpc = rpcs[id] { end(rpc, .closed, nowUs) }
        }
        upkeep.warm.remove(endpoint)
        if isRemote { lookAfter(endpoint, nowUs) }
    }

    /// A request's timer: perhaps overdue first, then the working time-out, then the end of all waiting.
    mutating func rpcTimerFired(slot: Int, _ nowUs: UInt64) {
        guard let rpc = rpcs[slot: slot] else { return }
        switch rpc.patience {
        case .expected:
            wait(rpc, .overdue, untilUs: max(nowUs, rpc.sentUs + UInt64(rpc.timeoutUs)))
            tellOverdue(rpc, nowUs)
        case .timeout where rpc.purpose == .anyone:
            if rpc.isAnswered { giveUp(rpc) } else { end(rpc, .timeout, nowUs) }
        case .timeout, .overdue:
            timedOut(rpc, nowUs)
        case .late:
            giveUp(rpc)
        case .further:
            tellIsStuck(rpc, nowUs)
        case .furtherLate:
            endRecursion(of: rpc)
            close(rpc)
        }
    }

    /// Arms the timer of a request anew, its last one having fired.
    mutating func wait(_ rpc: PendingRpc, _ patience: PendingRpc.Patience, untilUs: UInt64) {
        rpcs[rpc.id]?.patience = patience
        rpcs[rpc.id]?.timer = wheel.schedule(
            atUs: untilUs, token: TimerToken(.rpc, slot: RpcTable.slot(of: rpc.id)).packed)
    }

    private mutating func timedOut(_ rpc: PendingRpc, _ nowUs: UInt64) {
        countEnd(of: rpc, .timeout, nowUs)
        wait(rpc, .late, untilUs: max(rpc.sentUs + config.timeoutUs, nowUs + (nowUs - rpc.sentUs)))
        // A busy peer drops what was on its way when it said so; that is no silence. Nor is what was lost on its
        // way to one who was heard of since.
        let isHeardSince = table.state(of: rpc.dst).map { $0.lastSeenUs > rpc.sentUs } ?? false
        table.endProbe(of: rpc.dst)
        if !isHeardSince, !busyPeers.said(rpc.dst, since: rpc.sentUs) {
            noteFailure(of: rpc, weight: rpc.purpose == .probe ? 2 : 1, nowUs)
        }
        tellOwner(of: rpc, .timeout, nowUs)
    }

    /// Nobody waits for this one any more.
    private mutating func giveUp(_ rpc: PendingRpc) {
        close(rpc)
        upkeep.verifying.remove(rpc.dst)
    }

    /// A request that has certainly failed.
    private mutating func end(_ rpc: PendingRpc, _ code: RpcCode, _ nowUs: UInt64) {
        if rpc.isFurther { return endFurther(rpc, nowUs) }
        giveUp(rpc)
        countEnd(of: rpc, code, nowUs)
        guard !rpc.isLate else { return }
        table.endProbe(of: rpc.dst)
        let weight = weight(of: code, at: rpc.endpoint)
        if weight > 0 { noteFailure(of: rpc, weight: weight, nowUs) }
        tellOwner(of: rpc, code, nowUs)
    }

    /// What a failure says of the peer. A switch knows who is there. An overlay that is gone takes its nodes with
    /// it, as far as we can tell from two tries; but that the own one is gone says nothing of those behind it.
    private func weight(of code: RpcCode, at endpoint: EndpointID) -> UInt8 {
        switch code {
        case .unreachable: RoutingTable.maxFailures
        case .closed: endpoint == home ? 0 : 2
        default: 2
        }
    }

    private mutating func countEnd(of rpc: PendingRpc, _ code: RpcCode, _ nowUs: UInt64) {
        if code == .timeout { stats.timeouts += 1 }
        stats.count(rpc.op, code)
        // That nobody is there yet is no failure of anyone's.
        let isExpected = code == .ok || code == .late || rpc.purpose == .anyone
        guard tellsEveryRpc || !isExpected else { return }
        outbox.tell(.rpcEnded(rpc.op, peer: rpc.dst, code: code, elapsedUs: nowUs - rpc.sentUs))
    }

    private mutating func noteFailure(of rpc: PendingRpc, weight: UInt8, _ nowUs: UInt64) {
        switch table.fail(rpc.dst, weight: weight, nowUs: nowUs) {
        case .evicted(let silenceUs):
            stats.routeUpdates[.evicted] += 1
            contactLost(rpc.contact, silenceUs: silenceUs, nowUs)
        case .replaced(let spare, let silenceUs):
            stats.routeUpdates[.replaced] += 1
            contactLost(rpc.contact, silenceUs: silenceUs, nowUs)
            verify(spare, nowUs)
        case .kept(let isDoubted): if isDoubted { tendSooner(nowUs) }
        case .unknown: break
        }
    }

    private mutating func tellOverdue(_ rpc: PendingRpc, _ nowUs: UInt64) {
        switch rpc.purpose {
        case .lookup(let id):
            if let call = calls[id] { lookupStep(call, overdue: rpc, nowUs) }
        case .store(let id, _):
            if let call = calls[id] { storeOverdue(call, nowUs) }
        case .verify, .probe, .gift, .copies, .recursion, .anyone:
            break
        }
    }

    private mutating func tellOwner(of rpc: PendingRpc, _ code: RpcCode, _ nowUs: UInt64) {
        switch rpc.purpose {
        case .lookup(let id):
            if let call = calls[id] { lookupStep(call, lost: rpc, code, nowUs) }
        case .store(let id, _):
            if let call = calls[id] { storeLost(call, rpc, code, nowUs) }
        case .copies:
            copiesLost(rpc, nowUs)
        case .recursion:
            handBackNothing(for: rpc)
        case .verify, .probe, .gift, .anyone:
            break
        }
    }

    mutating func close(_ rpc: PendingRpc) {
        wheel.cancel(rpc.timer)
        if case .recursion = rpc.purpose { handBackNothing(for: rpc) }
        rpcs.close(rpc.id)
    }
}
