// RO:WHAT  Passing lookups on: a node that is asked also asks the closest contact to which it has a session open, and
//          hands the answer back as a further one of its own.
// RO:WHY   The next hop of a lookup is a stranger to who asks, and a first session to it costs a round trip; to who
//          names it, it is a neighbour.
// RO:INVARIANTS  each step goes to a node closer to the target, so there are no loops; a request is answered first,
//                and passed on after; what is handed back is the word of who hands it back.
// RO:SECURITY  at most `RecursionTable.limit` at a time, over sessions that are open; costs more of the sender's rate.
// RO:METRICS  dht_passed_on_total, dht_handed_back_total
// RO:TEST  Tests/DhtLoopTests/Kademlia/RecursionTests.swift

// MARK: - Asking

extension DhtNode {
    /// Steps that a request of `call` to `peer` may be passed on: none where the peer is so close that all that is
    /// left is to ask the closest themselves.
    func recursion(of call: Call, at peer: Lookup.Peer) -> UInt8 {
        switch call.kind {
        case .get where call.quorum > 1 || call.isExplained: return 0
        case .findProviders, .lookAround, .region: return 0
        case .get, .put, .provide, .ping: break
        }
        let isFar = peer.distance.leadingZeroBitCount < table.crowdedDepth
        return isFar && rpcs.count < config.maxRpcs / 2 ? config.recursion : 0
    }

    /// Whether a peer that answered so has more to say.
    func isFollowed(_ reply: EnvelopeView, _ rpc: PendingRpc) -> Bool {
        guard case .nodes(let isMoreToCome) = reply.message else { return false }
        return isMoreToCome && rpc.furtherAnswers < rpc.recursion
    }

    /// Keeps an answered request open for what others tell the peer. A stranger's first answer takes two round trips,
    /// one to open a session; this one comes over a session that is open.
    mutating func expectFurther(of rpc: PendingRpc, _ nowUs: UInt64) {
        wheel.cancel(rpc.timer)
        wait(rpc, .further, untilUs: nowUs + strangers.overdueUs / 2)
    }

    /// A further answer is later than most. The lookup goes on without it, and takes it when it comes.
    mutating func tellIsStuck(_ rpc: PendingRpc, _ nowUs: UInt64) {
        wait(rpc, .furtherLate, untilUs: nowUs + strangers.timeoutUs(ceilingUs: config.timeoutUs))
        letGo(rpc, nowUs)
    }

    /// No further answer will come.
    mutating func endFurther(_ rpc: PendingRpc, _ nowUs: UInt64) {
        close(rpc)
        letGo(rpc, nowUs)
    }

    private mutating func letGo(_ rpc: PendingRpc, _ nowUs: UInt64) {
        guard case .lookup(let id) = rpc.purpose, let call = calls[id], !call.isStoring else { return }
        call.lookup.hasTold(rpc.dst)
        proceed(call, nowUs)
    }

    /// A peer hands on what others told it.
    mutating func takeFurther(
        _ reply: EnvelopeView, with lists: borrowing MessageLists, _ rpc: PendingRpc, _ nowUs: UInt64
    ) {
        var rpc = rpc
        rpc.furtherAnswers += 1
        rpcs[rpc.id]?.furtherAnswers = rpc.furtherAnswers
        if case .recursion = rpc.purpose { handBack(reply, with: lists, for: rpc) }
        let isLast = !isFollowed(reply, rpc)
        if isLast { close(rpc) } else { expectFurther(of: rpc, nowUs) }
        guard case .lookup(let id) = rpc.purpose, let call = calls[id], !call.isStoring else { return }
        if isLast { call.lookup.hasTold(rpc.dst) }
        tookFurther(call, reply, with: lists, from: rpc, nowUs)
    }

    private mutating func tookFurther(
        _ call: Call, _ reply: EnvelopeView, with lists: borrowing MessageLists, from rpc: PendingRpc,
        _ nowUs: UInt64
    ) {
        switch reply.message {
        case .found(let record) where call.kind == .get && record.key == call.lookup.target:
            return tookVersion(call, record, with: lists, from: rpc, nowUs)
        case .nodes: tookNames(call, lists.contacts, from: rpc, steps: rpc.furtherAnswers + 1, nowUs)
        default: break
        }
        proceed(call, nowUs)
    }
}

// MARK: - Being asked

extension DhtNode {
    /// As many as the asker needs to go on by itself: it has K names already.
    private static let namesHandedBack = 4

    /// Asks `next` on behalf of who sent `request`, which has been answered.
    mutating func passOn(_ request: EnvelopeView, to next: Contact, _ link: Link, _ nowUs: UInt64) {
        onward = nil
        let (op, target, recursion): (RpcOp, NodeID, UInt8)
        switch request.message {
        case .findNode(let id, let steps): (op, target, recursion) = (.findNode, id, steps)
        case .get(let key, _, let steps): (op, target, recursion) = (.get, key, steps)
        default: return
        }
        let onBehalf = Recursion(asker: request.src, rpc: request.rpc, link: link, op: op, target: target)
        guard recursion > 0, let slot = recursions.open(onBehalf) else { return }
        let steps = recursion - 1
        guard let start = beginRequest(op, to: next, .recursion(slot), recursion: steps, nowUs) else {
            return recursions.close(slot)
        }
        if op == .get {
            outbox.bytes.appendGet(key: target, recursion: steps)
        } else {
            outbox.bytes.appendFindNode(target: target, recursion: steps)
        }
        outbox.send(to: next.endpoint, from: start)
        stats.passedOn += 1
    }

    /// Whether nodes closer to `id` than this one know of some that it does not.
    func isFar(_ id: NodeID) -> Bool {
        config.id.distance(to: id).leadingZeroBitCount < table.crowdedDepth
    }

    /// The closest of `nearest` who may be asked in `asker`'s stead; nil when too many are being asked.
    func nextStep(to target: NodeID, asker: NodeID, _ nowUs: UInt64) -> Contact? {
        guard recursions.hasRoom, !rpcs.isFull else { return nil }
        let own = config.id.distance(to: target)
        for index in 0..<nearest.count {
            let contact = nearest[index]
            guard contact.id.distance(to: target) < own else { return nil }
            let isOpen = contact.endpoint == home || upkeep.warm.contains(contact.endpoint)
            if isOpen, contact.id != asker, !busyPeers.holds(contact.id, nowUs) { return contact }
        }
        return nil
    }

    /// An answer goes to the one on whose behalf it was asked for, under the id of its own request.
    mutating func handBack(
        _ reply: EnvelopeView, with lists: borrowing MessageLists, for rpc: PendingRpc
    ) {
        guard case .recursion(let slot) = rpc.purpose, let recursion = recursions[slot] else { return }
        let start = outbox.bytes.count
        encoder.begin(&outbox.bytes, dst: recursion.asker, rpc: recursion.rpc)
        switch reply.message {
        case .found(let record) where record.key == recursion.target:
            outbox.bytes.beginFound(
                key: record.key, seq: record.seq, ttlSeconds: record.ttlSeconds,
                value: record.value.bytes, isTombstone: record.isTombstone, contacts: 0)
        case .nodes:
            appendNames(lists.contacts, except: recursion.asker, isMoreToCome: isFollowed(reply, rpc))
        default: outbox.bytes.beginNodes(count: 0)
        }
        stats.handedBack[recursion.op] += 1
        outbox.reply(over: recursion.link, from: start)
        if !isFollowed(reply, rpc) { endRecursion(of: rpc) }
    }

    /// What was asked on another's behalf will not be answered: who waits for it is told to go on.
    mutating func handBackNothing(for rpc: PendingRpc) {
        guard case .recursion(let slot)? = rpcs[rpc.id]?.purpose, let recursion = recursions[slot] else {
            return
        }
        let start = outbox.bytes.count
        encoder.begin(&outbox.bytes, dst: recursion.asker, rpc: recursion.rpc)
        outbox.bytes.beginNodes(count: 0)
        outbox.reply(over: recursion.link, from: start)
        endRecursion(of: rpc)
    }

    /// Nobody waits for this one any more; what is left to learn is whether the peer lives.
    mutating func endRecursion(of rpc: PendingRpc) {
        guard case .recursion(let slot)? = rpcs[rpc.id]?.purpose else { return }
        recursions.close(slot)
        rpcs[rpc.id]?.purpose = .probe
    }

    private mutating func appendNames(
        _ contacts: [ContactView], except asker: NodeID, isMoreToCome: Bool
    ) {
        let names = contacts.prefix(Self.namesHandedBack)
        outbox.bytes.beginNodes(count: names.count { $0.id != asker }, isMoreToCome: isMoreToCome)
        for contact in names where contact.id != asker {
            outbox.bytes.appendContact(contact.id, atText: contact.at.bytes)
        }
    }
}
