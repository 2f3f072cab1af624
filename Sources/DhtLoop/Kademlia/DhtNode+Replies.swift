// RO:WHAT  Requests of our own: sending them, their time-outs, and what their replies mean.
// RO:WHY   A reply counts only if id, source and session agree with what was asked. Silence is first a
//          hint (the lookup moves on, the answer still counts when late), then a failure.
// RO:METRICS  dht_rpcs_total{op,code}, dht_timeout_total, dht_rejected_total{reason="stray_reply"}

extension DhtNode {
    /// Sends one request; `body` is appended by the caller between `beginRequest` and `sendRequest`.
    ///
    /// - Returns: where the payload begins in the outbox, or nil when too many requests are pending.
    mutating func beginRequest(
        _ op: RpcOp, to contact: Contact, _ purpose: RpcPurpose, _ nowUs: UInt64
    ) -> Int? {
        let rpc = PendingRpc(
            id: 0, dst: contact.id, endpoint: contact.endpoint, sentUs: nowUs, op: op, purpose: purpose)
        guard let id = rpcs.open(rpc, random: generator.next()) else {
            stats.errors[.overload] += 1
            return nil
        }
        let wait = table.state(of: contact.id)?.rtt ?? RttEstimator()
        rpcs[id]?.timer = wheel.schedule(
            atUs: nowUs + wait.timeoutUs(ceilingUs: config.timeoutUs),
            token: TimerToken(.rpc, slot: RpcTable.slot(of: id)).packed)
        let start = outbox.bytes.count
        encoder.begin(&outbox.bytes, dst: contact.id, rpc: id)
        return start
    }

    /// Pings `contact`; whoever hears it, when its id is zero.
    mutating func ping(_ contact: Contact, _ purpose: RpcPurpose, _ nowUs: UInt64) {
        guard let start = beginRequest(.ping, to: contact, purpose, nowUs) else { return }
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
        _ reply: EnvelopeView, in payload: UnsafeRawBufferPointer, _ link: Link, _ nowUs: UInt64
    ) {
        guard let rpc = rpcs[reply.rpc], rpc.endpoint == link.endpoint, agrees(reply, with: rpc) else {
            return stats.reject(.strayReply)
        }
        if case .unreachable = reply.message { return end(rpc, .unreachable, nowUs) }
        if rpc.purpose == .anyone { return someoneAnswered(reply, in: payload, rpc, nowUs) }
        close(rpc)
        countEnd(of: rpc, Self.code(of: reply.message, isLate: rpc.isLate), nowUs)
        meet(Contact(id: rpc.dst, endpoint: rpc.endpoint), rttUs: nowUs - rpc.sentUs, nowUs)
        switch rpc.purpose {
        case .lookup(let id):
            if let call = calls[id] { lookupStep(call, took: reply, in: payload, from: rpc, nowUs) }
        case .store(let id, let isRaised):
            if let call = calls[id] {
                storeAnswered(
                    call, reply, in: payload, from: rpc, isOutdated: isRaised != call.hasRaisedSeq, nowUs)
            }
        case .verify, .probe, .gift, .anyone:
            break
        }
    }

    private static func code(of message: MessageView, isLate: Bool) -> RpcCode {
        switch message {
        case .busy, .error: .refused
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
    private mutating func someoneAnswered(
        _ reply: EnvelopeView, in payload: UnsafeRawBufferPointer, _ rpc: PendingRpc, _ nowUs: UInt64
    ) {
        if !rpc.isAnswered { countEnd(of: rpc, .ok, nowUs) }
        rpcs[rpc.id]?.isAnswered = true
        guard reply.at.count > 0 else { return }
        guard let endpoint = endpoints.intern(reply.at.bytes(in: payload)) else {
            return stats.reject(.badEndpoint)
        }
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
        switch table.insert(contact, nowUs: nowUs) {
        case .added:
            stats.routeUpdates[.added] += 1
            contactAdded(nowUs)
        case .spare(let oldest):
            stats.routeUpdates[.spared] += 1
            if let oldest { ping(oldest, .probe, nowUs) }
        case .updated, .refused:
            break
        }
        table.update(contact.id) { $0.rtt.observe(rttUs) }
    }

    /// The session to an overlay ended, or could not be opened: what went there will not be answered.
    public mutating func linkDown(_ endpoint: EndpointID, nowUs: UInt64) {
        for id in rpcs.ids(to: endpoint) {
            if let rpc = rpcs[id] { end(rpc, .closed, nowUs) }
        }
    }

    /// A request's timer: the working time-out first, then the end of all waiting.
    mutating func rpcTimerFired(slot: Int, _ nowUs: UInt64) {
        guard var rpc = rpcs[slot: slot] else { return }
        guard !rpc.isLate else { return giveUp(rpc) }
        if rpc.purpose == .anyone { return rpc.isAnswered ? giveUp(rpc) : end(rpc, .timeout, nowUs) }
        countEnd(of: rpc, .timeout, nowUs)
        rpc.isLate = true
        rpc.timer = wheel.schedule(
            atUs: max(rpc.sentUs + config.timeoutUs, nowUs + (nowUs - rpc.sentUs)),
            token: TimerToken(.rpc, slot: UInt64(slot)).packed)
        rpcs[rpc.id] = rpc
        noteFailure(of: rpc, weight: rpc.purpose == .probe ? 2 : 1, nowUs)
        tellOwner(of: rpc, .timeout, nowUs)
    }

    /// Nobody waits for this one any more.
    private mutating func giveUp(_ rpc: PendingRpc) {
        close(rpc)
        upkeep.verifying.remove(rpc.dst)
    }

    /// A request that has certainly failed.
    private mutating func end(_ rpc: PendingRpc, _ code: RpcCode, _ nowUs: UInt64) {
        giveUp(rpc)
        countEnd(of: rpc, code, nowUs)
        guard !rpc.isLate else { return }
        noteFailure(of: rpc, weight: code == .closed ? 1 : 2, nowUs)
        tellOwner(of: rpc, code, nowUs)
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
        table.endProbe(of: rpc.dst)
        switch table.fail(rpc.dst, weight: weight, nowUs: nowUs) {
        case .evicted:
            stats.routeUpdates[.evicted] += 1
            if table.count == 0 { outbox.tell(.hasPeers(false)) }
        case .replaced: stats.routeUpdates[.replaced] += 1
        case .kept, .unknown: break
        }
    }

    private mutating func tellOwner(of rpc: PendingRpc, _ code: RpcCode, _ nowUs: UInt64) {
        switch rpc.purpose {
        case .lookup(let id):
            if let call = calls[id] { lookupStep(call, lost: rpc, code, nowUs) }
        case .store(let id, _):
            if let call = calls[id] { storeLost(call, rpc, code, nowUs) }
        case .verify, .probe, .gift, .anyone:
            break
        }
    }

    private mutating func close(_ rpc: PendingRpc) {
        wheel.cancel(rpc.timer)
        rpcs.close(rpc.id)
    }
}
