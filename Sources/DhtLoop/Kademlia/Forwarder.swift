// RO:WHAT  Forwarder: recursive forwarding. A node that is asked also asks the closest contact to which it has a
//          session open, and hands the answer back as a further one of its own.
// RO:WHY   The next hop of a lookup is a stranger to the asker, and a first session to it costs a round trip; to the
//          node that names it, it is a neighbour.
// RO:INVARIANTS  each step goes to a node closer to the target, so there are no loops; a request is answered first,
//                and forwarded after; what is handed back is the word of the node that hands it back; each forwarded
//                request belongs to one pending request, and its slot is freed with that.
// RO:SECURITY  at most `limit` at a time, over sessions that are open; costs more of the sender's rate.
// RO:METRICS  dht_passed_on_total, dht_handed_back_total
// RO:TEST  Tests/DhtLoopTests/Kademlia/ForwarderTests.swift, RecursionTests.swift

/// Requests that this node asks on behalf of others.
struct Forwarder {
    /// On whose behalf a request was sent.
    private struct Errand {
        /// The node that asked, and the id of its request.
        var asker: NodeID
        var rpc: UInt64
        /// The way back.
        var link: Link
        var op: RpcOp
        /// What it looks for.
        var target: NodeID
    }

    /// No more at a time: a flood of requests to be passed on is answered, and not passed on.
    static let limit = 256
    /// As many as the asker needs to go on by itself: it has K names already.
    private static let namesHandedBack = 4

    private var errands = SlotTable<Errand>(limit: Self.limit)

    /// Requests that are being forwarded.
    var count: Int { errands.count }

    /// The closest of `nearest` that may be asked in `asker`'s stead; nil when too many are being asked.
    func nextStep(
        to target: NodeID, asker: NodeID, of nearest: borrowing ContactList, _ nowUs: UInt64,
        _ core: borrowing NodeCore
    ) -> Contact? {
        guard !errands.isFull, !core.rpcs.isFull else { return nil }
        let local = core.context.config.id.distance(to: target)
        for index in 0..<nearest.count {
            let contact = nearest[index]
            guard contact.id.distance(to: target) < local else { return nil }
            let isOpen = contact.endpoint == core.context.home || core.peers.isOpen(contact.endpoint)
            if isOpen, contact.id != asker, !core.rpcs.isBusy(contact.id, nowUs) { return contact }
        }
        return nil
    }

    /// Asks `next` on behalf of the node that sent `request`, which has been answered.
    mutating func passOn(
        _ request: EnvelopeView, to next: Contact, _ link: Link, _ nowUs: UInt64, _ core: inout NodeCore
    ) {
        let (op, target, recursion): (RpcOp, NodeID, UInt8)
        switch request.message {
        case .findNode(let id, let steps): (op, target, recursion) = (.findNode, id, steps)
        case .get(let key, _, let steps): (op, target, recursion) = (.get, key, steps)
        default: return
        }
        let errand = Errand(asker: request.src, rpc: request.rpc, link: link, op: op, target: target)
        guard recursion > 0, let slot = errands.insert({ _ in errand }).map({ Int($0.slot) }) else { return }
        let steps = recursion - 1
        assert(errands.count <= Self.limit, "more requests are passed on than may be")
        assert(
            next.id.distance(to: target) < core.context.config.id.distance(to: target),
            "a step away from the target")
        guard let start = core.beginRequest(op, to: next, .forwarded(slot: slot), recursion: steps, nowUs)
        else {
            errands.remove(slot: slot)
            return
        }
        if op == .get {
            core.context.outbox.bytes.appendGet(key: target, recursion: steps)
        } else {
            core.context.outbox.bytes.appendFindNode(target: target, recursion: steps)
        }
        core.context.outbox.send(to: next.endpoint, from: start)
        core.context.stats.passedOn += 1
    }

    /// An answer goes to the node on whose behalf it was asked for, under the id of its own request.
    mutating func handBack(
        _ reply: EnvelopeView, contacts: [ContactView], for rpc: NodeRpcs.Pending, _ core: inout NodeCore
    ) {
        guard case .forwarded(let slot) = rpc.owner, let errand = errands[slot] else { return }
        let isFollowed = NodeRpcs.isFollowed(reply, rpc)
        let start = core.context.beginEnvelope(to: errand.asker, rpc: errand.rpc)
        switch reply.message {
        case .found(let record) where record.key == errand.target:
            core.context.outbox.bytes.beginFound(
                key: record.key, seq: record.seq, ttlSeconds: record.ttlSeconds,
                value: record.value.bytes, isTombstone: record.isTombstone, contacts: 0)
        case .nodes:
            Self.appendNames(contacts, except: errand.asker, isMoreToCome: isFollowed, &core.context)
        default: core.context.outbox.bytes.beginNodes(count: 0)
        }
        core.context.stats.handedBack[errand.op] += 1
        core.context.outbox.reply(over: errand.link, from: start)
        if !isFollowed { end(rpc.id, slot: slot, &core) }
    }

    /// What was asked on another's behalf will not be answered: the node that waits for it is told to go on.
    mutating func handBackNothing(for id: UInt64, _ core: inout NodeCore) {
        guard case .forwarded(let slot)? = core.rpcs[id]?.owner, let errand = errands[slot] else { return }
        let start = core.context.beginEnvelope(to: errand.asker, rpc: errand.rpc)
        core.context.outbox.bytes.beginNodes(count: 0)
        core.context.outbox.reply(over: errand.link, from: start)
        end(id, slot: slot, &core)
    }

    /// No node waits for the answer any more.
    mutating func abandon(_ id: UInt64, _ core: inout NodeCore) {
        if case .forwarded(let slot)? = core.rpcs[id]?.owner { end(id, slot: slot, &core) }
    }

    /// An errand is over; what is left to learn from its request is whether the peer lives.
    private mutating func end(_ id: UInt64, slot: Int, _ core: inout NodeCore) {
        assert(errands.holds(slot: slot), "an errand ends twice")
        errands.remove(slot: slot)
        core.rpcs.setOwner(.probe, of: id)
    }

    private static func appendNames(
        _ contacts: [ContactView], except asker: NodeID, isMoreToCome: Bool, _ context: inout NodeContext
    ) {
        let names = contacts.prefix(Self.namesHandedBack)
        context.outbox.bytes.beginNodes(count: names.count { $0.id != asker }, isMoreToCome: isMoreToCome)
        for contact in names where contact.id != asker {
            context.outbox.bytes.appendContact(contact.id, atText: contact.at.bytes)
        }
    }
}
