// RO:WHAT  Where the ends of requests go: to the table of contacts, and to the machine that sent the request.
// RO:WHY   An answer or a silence says something of the peer, and something to the owner; each hears its part.
// RO:METRICS  dht_rpcs_total{op,code}, dht_timeout_total, dht_rejected_total{reason="stray_reply"}
// RO:TEST  Tests/DhtLoopTests/Kademlia/DhtNodeTests.swift, Tests/DhtLoopTests/Kademlia/RecursionTests.swift

extension DhtNode {
    // MARK: - Answers

    /// A reply arrived.
    mutating func takeReply(
        _ reply: EnvelopeView, with lists: borrowing MessageLists, _ link: Link, _ nowUs: UInt64
    ) {
        guard let rpc = core.rpcs.request(answeredBy: reply, over: link) else {
            return core.context.stats.reject(.strayReply)
        }
        if case .unreachable = reply.message { return end(rpc, .unreachable, nowUs) }
        if rpc.isFurther { return takeFurther(reply, with: lists, rpc, nowUs) }
        if rpc.isToAnyone { return someoneAnswered(reply, rpc, nowUs) }
        responder.handBack(reply, contacts: lists.contacts, for: rpc, &core)
        core.rpcs.took(reply, to: rpc, nowUs, &core.context)
        assert(core.rpcs[rpc.id]?.isFurther ?? true, "an answered request waits for its first answer")
        countEnd(of: rpc, Self.code(of: reply.message, isLate: rpc.isLate), nowUs)
        meet(rpc.contact, rttUs: nowUs - rpc.sentUs, nowUs)
        if case .busy(let retryMs) = reply.message { core.rpcs.noteBusy(rpc.dst, retryMs: retryMs, nowUs) }
        tellOwner(of: rpc, reply, with: lists, nowUs)
    }

    private mutating func tellOwner(
        of rpc: NodeRpcs.Pending, _ reply: EnvelopeView, with lists: borrowing MessageLists, _ nowUs: UInt64
    ) {
        switch rpc.owner {
        case .lookup(let id):
            let isMoreToCome = core.rpcs[rpc.id] != nil
            let end = operations.lookupAnswered(
                id, reply, with: lists, from: rpc, isMoreToCome: isMoreToCome, nowUs, &core)
            take(end, nowUs)
        case .store(let id, _):
            take(operations.storeAnswered(id, reply.message, from: rpc, nowUs, &core), nowUs)
        case .copies where !rpc.isLate:
            let wentOn = replicator.copiesAnswered(
                reply.message, refusals: lists.refusals, by: rpc.dst, nowUs, &core)
            if wentOn { refreshPublications(nowUs) }
        case .copies, .verify, .probe, .gift, .forwarded, .anyone:
            break
        }
    }

    /// A peer hands on what others told it.
    private mutating func takeFurther(
        _ reply: EnvelopeView, with lists: borrowing MessageLists, _ sent: NodeRpcs.Pending, _ nowUs: UInt64
    ) {
        let (rpc, isLast) = core.rpcs.tookFurther(reply, to: sent, nowUs, &core.context)
        responder.handBack(reply, contacts: lists.contacts, for: rpc, &core)
        guard case .lookup(let id) = rpc.owner else { return }
        let end = operations.lookupTold(
            id, reply, with: lists, from: rpc, isLast: isLast, nowUs, &core)
        take(end, nowUs)
    }

    /// An answer to "anyone there?".
    private mutating func someoneAnswered(
        _ reply: EnvelopeView, _ rpc: NodeRpcs.Pending, _ nowUs: UInt64
    ) {
        if core.rpcs.tookAnyone(rpc) { countEnd(of: rpc, .ok, nowUs) }
        guard reply.at.count > 0 else { return }
        guard let endpoint = core.context.endpoints.intern(reply.at.bytes) else {
            return core.context.stats.reject(.badEndpoint)
        }
        let contact = Contact(id: reply.src, endpoint: endpoint)
        if endpoint == rpc.endpoint {
            meet(contact, rttUs: nowUs - rpc.sentUs, nowUs)
        } else {
            core.verify(contact, nowUs)
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

    // MARK: - Silence

    /// A request's timer: perhaps overdue first, then the working time-out, then the end of all waiting.
    mutating func rpcTimerFired(slot: Int, _ nowUs: UInt64) {
        switch core.rpcs.timerFired(slot: slot, nowUs, &core.context) {
        case .overdue(let rpc): tellOverdue(rpc, nowUs)
        case .timedOut(let rpc): timedOut(rpc, nowUs)
        case .unheard(let rpc): end(rpc, .timeout, nowUs)
        case .givenUp(let rpc): giveUp(rpc)
        case .stuck(let rpc): toldAll(rpc, nowUs)
        case .toldAll(let rpc):
            responder.abandon(rpc.id, &core)
            core.rpcs.close(rpc.id, &core.context)
        case nil: break
        }
    }

    private mutating func timedOut(_ rpc: NodeRpcs.Pending, _ nowUs: UInt64) {
        assert(rpc.isAwaited && !rpc.isFurther, "a request times out twice")
        countEnd(of: rpc, .timeout, nowUs)
        // A busy peer drops what was on its way when it said so; that is no silence. Nor is what was lost on its
        // way to one that was heard of since.
        let isHeardSince = core.peers.table.state(of: rpc.dst).map { $0.lastSeenUs > rpc.sentUs } ?? false
        core.peers.endProbe(of: rpc.dst)
        if !isHeardSince, !core.rpcs.saidBusy(since: rpc) {
            noteFailure(of: rpc, weight: rpc.owner == .probe ? 2 : 1, nowUs)
        }
        tellOwner(of: rpc, .timeout, nowUs)
    }

    /// No answer to this one counts any more.
    private mutating func giveUp(_ rpc: NodeRpcs.Pending) {
        close(rpc)
        core.peers.endVerifying(rpc.dst)
    }

    private mutating func close(_ rpc: NodeRpcs.Pending) {
        responder.handBackNothing(for: rpc.id, &core)
        core.rpcs.close(rpc.id, &core.context)
        assert(core.rpcs[rpc.id] == nil, "a request outlives its end")
    }

    /// A request that has certainly failed.
    mutating func end(_ rpc: NodeRpcs.Pending, _ code: RpcCode, _ nowUs: UInt64) {
        if rpc.isFurther {
            close(rpc)
            return toldAll(rpc, nowUs)
        }
        giveUp(rpc)
        countEnd(of: rpc, code, nowUs)
        guard !rpc.isLate else { return }
        core.peers.endProbe(of: rpc.dst)
        let weight = weight(of: code, at: rpc.endpoint)
        if weight > 0 { noteFailure(of: rpc, weight: weight, nowUs) }
        tellOwner(of: rpc, code, nowUs)
    }

    /// What a failure says of the peer. A switch knows which nodes are there. An overlay that is gone takes its nodes
    /// with it, as far as two tries can tell; but that the home overlay is gone says nothing of those behind it.
    private func weight(of code: RpcCode, at endpoint: EndpointID) -> UInt8 {
        switch code {
        case .unreachable: RoutingTable.maxFailures
        case .closed: endpoint == home ? 0 : 2
        default: 2
        }
    }

    /// A further answer will not come, or is late: the lookup goes on without it.
    private mutating func toldAll(_ rpc: NodeRpcs.Pending, _ nowUs: UInt64) {
        assert(rpc.isFurther, "a request without an answer has told all")
        guard case .lookup(let id) = rpc.owner else { return }
        take(operations.lookupToldAll(id, by: rpc.dst, nowUs, &core), nowUs)
    }

    private mutating func tellOverdue(_ rpc: NodeRpcs.Pending, _ nowUs: UInt64) {
        switch rpc.owner {
        case .lookup(let id): take(operations.lookupOverdue(id, rpc, nowUs, &core), nowUs)
        case .store(let id, _): take(operations.storeOverdue(id, nowUs, &core), nowUs)
        case .verify, .probe, .gift, .copies, .forwarded, .anyone: break
        }
    }

    private mutating func tellOwner(of rpc: NodeRpcs.Pending, _ code: RpcCode, _ nowUs: UInt64) {
        switch rpc.owner {
        case .lookup(let id): take(operations.lookupLost(id, rpc, code, nowUs, &core), nowUs)
        case .store(let id, _): take(operations.storeLost(id, rpc, code, nowUs, &core), nowUs)
        case .copies:
            if replicator.copiesLost(rpc, nowUs, &core) { refreshPublications(nowUs) }
        case .forwarded: responder.handBackNothing(for: rpc.id, &core)
        case .verify, .probe, .gift, .anyone: break
        }
    }

    private mutating func countEnd(of rpc: NodeRpcs.Pending, _ code: RpcCode, _ nowUs: UInt64) {
        if code == .timeout { core.context.stats.timeouts += 1 }
        core.context.stats.count(rpc.op, code)
        // That no node is there yet is no failure of any.
        let isExpected = code == .ok || code == .late || rpc.isToAnyone
        guard core.context.tellsEveryRpc || !isExpected else { return }
        core.context.outbox.tell(
            .rpcEnded(rpc.op, peer: rpc.dst, code: code, elapsedUs: nowUs - rpc.sentUs))
    }
}
