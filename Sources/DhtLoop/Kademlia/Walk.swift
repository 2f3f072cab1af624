// RO:WHAT  Walk: one lookup under way: asking the next peer, taking in the contacts of a reply, waiting for busy peers.
// RO:WHY   Every operation is a walk towards a key. What each peer is asked and what the end means differs, and is the
//          operation's; all else is here.
// RO:INVARIANTS  a walk holds one armed timer: its deadline's, or one that ends its wait for busy peers.
// RO:TEST  Tests/DhtLoopTests/Kademlia/WalkTests.swift, BusyTests.swift

/// What a walk asks of each peer.
enum WalkQuestion {
    case findNode
    /// `wantsNodes`: with a record, the closest contacts are asked for too.
    case get(wantsNodes: Bool)
    case findProviders(limit: Int)

    var op: RpcOp {
        switch self {
        case .findNode: .findNode
        case .get: .get
        case .findProviders: .findProviders
        }
    }
}

/// A lookup that is under way.
struct Walk {
    let id: OperationID
    let startUs: UInt64
    private(set) var lookup: Lookup
    private var timer = TimerID.none
    /// Busy peers that it comes back to when they may be asked.
    private(set) var postponed: [BusyPeer] = []

    /// `lookup` is one that has ended, for its memory.
    init(id: OperationID, reusing lookup: Lookup, _ nowUs: UInt64) {
        (self.id, self.lookup, startUs) = (id, lookup, nowUs)
    }

    var target: NodeID { lookup.target }
    /// Peers were asked, and none has answered.
    var isUnanswered: Bool { lookup.answers == 0 && !lookup.peers.isEmpty }
    /// Whether it has put off asking `id`.
    func hasPostponed(_ id: NodeID) -> Bool { postponed.contains { $0.id == id } }

    // MARK: - Beginning and end

    /// Begins towards `target`, with a deadline.
    mutating func start(_ target: NodeID, _ plan: Lookup.Plan, _ context: inout NodeContext) {
        assert(timer == .none && postponed.isEmpty, "a walk begins twice")
        lookup.start(target: target, ownID: context.config.id, plan: plan)
        armDeadline(&context)
    }

    /// Takes in the closest contacts of the table.
    mutating func addContacts(
        of peers: borrowing PeerTable, _ nearest: borrowing ContactList
    ) {
        for index in 0..<nearest.count {
            lookup.add(nearest[index], rttUs: peers.knownRttUs(of: nearest[index].id))
        }
    }

    /// Whether its time is up; else its timer ended a wait.
    func isOver(_ nowUs: UInt64, _ config: NodeConfig) -> Bool { nowUs >= startUs + config.deadlineUs }

    /// Ends it. The lookup is given back for its memory.
    mutating func end(_ context: inout NodeContext) -> Lookup {
        assert(timer != .none, "a walk ends that did not begin")
        context.timers.cancel(timer)
        return lookup
    }

    private mutating func armDeadline(_ context: inout NodeContext) {
        arm(atUs: startUs + context.config.deadlineUs, &context)
    }

    private mutating func arm(atUs: UInt64, _ context: inout NodeContext) {
        timer = context.timers.scheduleOperation(slot: Int(id.slot), atUs: atUs)
    }

    // MARK: - Asking

    /// Asks the next peers, as many as may be in flight. `asked` hears of each.
    mutating func askNext(
        _ question: WalkQuestion, mayRecurse: Bool, _ nowUs: UInt64, _ core: inout NodeCore,
        asked: (Lookup.Peer) -> Void
    ) {
        var hedges = lookup.hedges
        while let peer = lookup.next() {
            if postpones(peer.contact.id, nowUs, &core) {
                lookup.failed(peer.contact.id)
                continue
            }
            if ask(peer, question, mayRecurse: mayRecurse, nowUs, &core) {
                asked(peer)
                if lookup.hedges > hedges { core.context.stats.hedges += 1 }
                hedges = lookup.hedges
                continue
            }
            lookup.silent(peer.contact.id)
        }
    }

    private func ask(
        _ peer: Lookup.Peer, _ question: WalkQuestion, mayRecurse: Bool, _ nowUs: UInt64,
        _ core: inout NodeCore
    ) -> Bool {
        let recursion = mayRecurse ? recursion(at: peer, core) : 0
        guard
            let start = core.beginRequest(
                question.op, to: peer.contact, .lookup(id), mayHedge: true, recursion: recursion, nowUs)
        else { return false }
        switch question {
        case .get(wantsNodes: true): core.context.outbox.bytes.appendGetWithNodes(key: target)
        case .get: core.context.outbox.bytes.appendGet(key: target, recursion: recursion)
        case .findProviders(let limit):
            core.context.outbox.bytes.appendFindProviders(cid: target, limit: limit)
        case .findNode: core.context.outbox.bytes.appendFindNode(target: target, recursion: recursion)
        }
        core.context.outbox.send(to: peer.contact.endpoint, from: start)
        return true
    }

    /// Steps that a request to `peer` may be passed on: none where the peer is so close that all that is left is to
    /// ask the closest themselves.
    private func recursion(at peer: Lookup.Peer, _ core: borrowing NodeCore) -> UInt8 {
        let isFar = peer.distance.leadingZeroBitCount < core.peers.table.crowdedDepth
        let config = core.context.config
        return isFar && core.rpcs.count < config.maxRpcs / 2 ? config.recursion : 0
    }

    // MARK: - Answers

    /// A peer answered, and named contacts. `isMoreToCome` when a further answer is waited for.
    mutating func tookContacts(
        _ contacts: [ContactView], from rpc: NodeRpcs.Pending, isMoreToCome: Bool, _ nowUs: UInt64,
        _ core: inout NodeCore
    ) {
        guard lookup.answered(rpc.dst, isMoreToCome: isMoreToCome) != nil else { return }
        tookNames(contacts, from: rpc, steps: 1, nowUs, &core)
    }

    /// Those that a peer named, itself or by handing on what others told it, join the walk.
    mutating func tookNames(
        _ contacts: [ContactView], from rpc: NodeRpcs.Pending, steps: UInt8, _ nowUs: UInt64,
        _ core: inout NodeCore
    ) {
        for contact in contacts {
            guard let endpoint = core.context.endpoints.intern(contact.at.bytes), endpoint != .none else {
                core.context.stats.reject(.badEndpoint)
                continue
            }
            let named = Contact(id: contact.id, endpoint: endpoint)
            lookup.add(named, rttUs: core.peers.knownRttUs(of: contact.id), from: rpc.dst, steps: steps)
            if core.peers.table.hasRoom(for: contact.id) { core.hear(named, nowUs) }
        }
    }

    /// A peer will answer no more.
    mutating func hasTold(_ id: NodeID) { lookup.hasTold(id) }

    /// A peer is later than most answers come.
    mutating func overdue(_ id: NodeID) { lookup.overdue(id) }

    /// A peer is silent, or lost for good.
    mutating func lost(_ id: NodeID, _ code: RpcCode) {
        if code == .timeout { lookup.silent(id) } else { lookup.failed(id) }
    }

    /// A peer refused; one that is busy is come back to.
    mutating func refused(_ id: NodeID, _ nowUs: UInt64, _ core: inout NodeCore) {
        _ = postpones(id, nowUs, &core)
        lookup.failed(id)
    }

    // MARK: - Busy peers

    /// Whether `id` is busy; then the walk remembers to come back to it.
    mutating func postpones(_ id: NodeID, _ nowUs: UInt64, _ core: inout NodeCore) -> Bool {
        guard let untilUs = core.rpcs.takeTurn(id, nowUs) else { return false }
        postponed.removeAll { $0.id == id }
        postponed.append(BusyPeer(id: id, untilUs: untilUs))
        assert(untilUs > nowUs && postponed.count { $0.id == id } == 1, "a walk waits for a peer twice")
        return true
    }

    /// Which busy peers are worth a wait when all others were asked.
    enum Patience {
        /// None.
        case none
        /// All of them, until the deadline.
        case all
        /// Any, while no peer has answered.
        case unlessAnswered
        /// Those that are as near as the K that answered; for no longer than a silent one could hold the walk up,
        /// unless no other peer is there.
        case near
    }

    /// Whether it waits for busy peers, having asked all others; then its timer is armed for the first of them.
    mutating func waits(_ patience: Patience, _ nowUs: UInt64, _ core: inout NodeCore) -> Bool {
        let config = core.context.config
        guard let atUs = nextTry(patience, k: config.k) else { return false }
        let isAlone = patience == .all || lookup.answers == 0
        let longestUs = isAlone ? config.deadlineUs : min(config.timeoutUs, config.deadlineUs)
        guard atUs <= startUs + longestUs else { return false }
        core.context.timers.cancel(timer)
        arm(atUs: max(atUs, nowUs), &core.context)
        return true
    }

    private func nextTry(_ patience: Patience, k: Int) -> UInt64? {
        switch patience {
        case .none: nil
        case .all: postponed.map(\.untilUs).min()
        case .unlessAnswered: lookup.answers == 0 ? postponed.map(\.untilUs).min() : nil
        case .near: postponed.filter { lookup.isAmongAnswered($0.id, width: k) }.map(\.untilUs).min()
        }
    }

    /// A wait is over: the deadline counts again. Returns the peers whose time has come.
    mutating func endWait(_ nowUs: UInt64, _ context: inout NodeContext) -> [BusyPeer] {
        armDeadline(&context)
        let due = postponed.filter { $0.untilUs <= nowUs }
        postponed.removeAll { $0.untilUs <= nowUs }
        return due
    }

    /// A peer that was busy may be asked.
    mutating func revive(_ id: NodeID) { lookup.revive(id) }
}

extension Lookup {
    /// Whether fewer than `width` of those that answered are nearer than `id`: what it knows could matter.
    func isAmongAnswered(_ id: NodeID, width: Int) -> Bool {
        let distance = id.distance(to: target)
        return peers.count { $0.progress == .answered && $0.distance < distance } < width
    }
}
