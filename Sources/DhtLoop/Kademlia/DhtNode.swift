// RO:WHAT  DhtNode: a Kademlia node as a machine. Events and the time go in, actions come out.
// RO:WHY   It owns no socket and no clock, so the daemon, the simulator and a test run the very same code. It is a
//          router: each event goes to the machine that it concerns, and what one machine finds out to the next.
// RO:INVARIANTS  every pending request and every operation holds exactly one armed timer; after each event the outbox
//                holds all there is to do.
// RO:METRICS  NodeStats
// RO:TEST  Tests/DhtLoopTests/Kademlia/DhtNodeTests.swift

/// One node. All times are microseconds of a monotonic clock that the driver keeps.
///
/// Drive it so: hand it an event, perform what `outbox` holds, clear the outbox; and call `advance` no later
/// than `nextDeadlineUs`.
public struct DhtNode: ~Copyable {
    var core: NodeCore
    var search = PeerSearch()
    var operations: Operations
    var replicator: Replicator
    var responder: Responder
    /// Room for a message's lists; nil while a message is being dealt with, which has them.
    private var lists: MessageLists? = MessageLists()

    /// `seed` feeds RPC ids, refresh targets and jitter: from the system in a daemon, a number in a test.
    public init(config: NodeConfig, endpoints: EndpointTable, seed: UInt64, nowUs: UInt64) {
        var generator = SeededGenerator(seed: seed)
        let records = Records(
            config: config, secrets: (store: generator.next(), providers: generator.next()), nowUs: nowUs)
        responder = Responder(
            AdmissionControl(
                perPeer: config.peerRequestsPerSecond, common: config.requestsPerSecond,
                secret: generator.next()))
        replicator = Replicator(budgetBytes: config.memoryBudget / NodeConfig.providerShare)
        operations = Operations(limit: config.maxCalls)
        core = NodeCore(
            context: NodeContext(config: config, endpoints: endpoints, generator: generator, nowUs: nowUs),
            rpcs: RpcClient(limit: config.maxRpcs),
            peers: PeerTable(config: config, endpoints: endpoints), records: records)
    }

    /// Tells the node which overlay it is attached to, and what endpoint others are told. Nothing is sent.
    public mutating func setHome(_ endpoint: EndpointID, advertised: EndpointID) {
        core.context.setHome(endpoint, advertised: advertised)
    }

    /// Names the overlays at which to look for nodes.
    public mutating func setBootstrap(_ endpoints: [EndpointID]) { search.setBootstrap(endpoints) }

    /// Changes the rates of `NodeConfig`, in requests a second; 0 is no limit. What peers were ahead is forgiven.
    public mutating func setRates(perPeer: Int, common: Int) {
        responder.replace(
            AdmissionControl(perPeer: perPeer, common: common, secret: core.context.generator.next()))
    }

    // MARK: - Events

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
