// RO:WHAT  What happens to a node: payloads, timers, sessions that open and end, the wish to leave.
// RO:WHY   Each event goes to the machine that it concerns; nothing below this file calls up to it.
// RO:TEST  Tests/DhtLoopTests/Kademlia/DhtNodeTests.swift

extension DhtNode {
    /// Fires the timers that are due.
    public mutating func advance(nowUs: UInt64) {
        while let due = core.context.timers.next(dueBy: nowUs) { fire(due, nowUs) }
    }

    private mutating func fire(_ due: DueTimer, _ nowUs: UInt64) {
        switch due {
        case .rpc(let slot): rpcTimerFired(slot: slot, nowUs)
        case .operation(let slot): take(operations.timerFired(slot: slot, nowUs, &core), nowUs)
        case .chore(let chore): run(chore, nowUs)
        }
    }

    private mutating func run(_ chore: Chore, _ nowUs: UInt64) {
        switch chore {
        case .bootstrap: lookForPeers(nowUs)
        case .sweep: core.records.sweep(nowUs, &core.context)
        case .tend: tend(nowUs)
        case .replicate: replicator.lookThrough(nowUs, &core)
        case .courier:
            replicator.sendAgain(nowUs, &core)
            refreshPublications(nowUs)
        case .republish:
            replicator.takeRefreshTurn(nowUs, &core)
            refreshPublications(nowUs)
        }
    }

    /// A payload arrived over `link`. Bad ones are counted; nothing here traps.
    public mutating func receive(_ payload: UnsafeRawBufferPointer, from link: Link, nowUs: UInt64) {
        var lists = self.lists.take() ?? MessageLists()
        receive(payload, &lists, link, nowUs)
        self.lists = consume lists
    }

    private mutating func receive(
        _ payload: UnsafeRawBufferPointer, _ lists: inout MessageLists, _ link: Link, _ nowUs: UInt64
    ) {
        do throws(WireError) {
            let envelope = try EnvelopeDecoder.decode(payload, into: &lists)
            if let reason = refusal(of: envelope) { return core.context.stats.reject(reason) }
            dispatch(envelope, with: lists, link, nowUs)
        } catch {
            core.context.stats.reject(.wire(error))
        }
    }

    /// Why a message is not for this node; nil when it is.
    @inline(__always)
    private func refusal(of envelope: EnvelopeView) -> Rejection? {
        if envelope.net != core.context.config.net { return .wrongNet }
        if envelope.src == core.context.config.id { return .ownEcho }
        return envelope.dst == core.context.config.id || envelope.dst.isZero ? nil : .misrouted
    }

    private mutating func dispatch(
        _ envelope: EnvelopeView, with lists: borrowing MessageLists, _ link: Link, _ nowUs: UInt64
    ) {
        switch envelope.message {
        case .ping, .findNode, .get, .put, .putMany, .provide, .findProviders, .unsupported, .malformed:
            responder.answer(envelope, with: lists, link, nowUs, &core)
        case .pong, .nodes, .found, .stored, .storedMany, .providers, .busy, .error, .unreachable:
            takeReply(envelope, with: lists, link, nowUs)
        }
    }

    /// The session to an overlay is open: lookups may be passed on over it. At home and where the node looks for others
    /// this is `linkUp` as well.
    public mutating func sessionOpened(_ endpoint: EndpointID, nowUs: UInt64) {
        core.peers.sessionOpened(at: endpoint)
        linkUp(endpoint, nowUs: nowUs)
    }

    /// The session to an overlay ended, for whatever reason. What was sent over it is given up only by `linkDown`.
    public mutating func sessionClosed(_ endpoint: EndpointID) { core.peers.sessionEnded(at: endpoint) }

    /// An overlay can be reached: the nodes there learn of this one, and it of them.
    public mutating func linkUp(_ endpoint: EndpointID, nowUs: UInt64) {
        guard search.bootstrap.contains(endpoint) || endpoint == home else { return }
        core.ping(Contact(id: .zero, endpoint: endpoint), .anyone, nowUs)
        search.reset()
        search.plan(contacts: core.peers.count, nowUs, &core.context)
    }

    /// There is no session to an overlay: what went there will not be answered. `isRemote` when the other side
    /// ended it or refused it, as it does when its process ends; not when there is none for a reason that lies here.
    public mutating func linkDown(_ endpoint: EndpointID, isRemote: Bool, nowUs: UInt64) {
        for sent in core.rpcs.pending(at: endpoint) {
            if let rpc = core.rpcs[sent.id] { end(rpc, .closed, nowUs) }
        }
        core.peers.sessionEnded(at: endpoint)
        if isRemote { core.peers.lookAfter(endpoint, nowUs, &core.rpcs, &core.context) }
    }

    /// Begins to give each record that this node should hold to the one that is next in line for it. The end is
    /// told as an event. Nothing that comes later is copied any more.
    public mutating func leave(nowUs: UInt64) { replicator.leave(nowUs, &core) }
}
