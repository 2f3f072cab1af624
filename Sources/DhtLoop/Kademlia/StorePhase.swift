// RO:WHAT  put, delete and provide: a walk, and then the record goes to the REPLICA closest nodes.
// RO:WHY   Transport is best effort and nodes refuse: each loss moves on to the next-closest, and a node that was
//          only silent is asked once more when no other is left. A record is idempotent by (key, seq).
// RO:INVARIANTS  `inFlight` counts the records sent that were neither answered nor given up; `overdue` those of them
//                that are later than most answers come.
// RO:TEST  Tests/DhtLoopTests/Kademlia/StorePhaseTests.swift, PutTests.swift

/// What is being stored, and which nodes have taken it.
struct StorePhase {
    /// What goes to the replicas.
    enum Item {
        /// `isPublished`: it has the default life, and is kept alive from here.
        case record(value: [UInt8], isTombstone: Bool, isPublished: Bool)
        /// The URI of a node that provides the content.
        case provider(node: [UInt8])
    }

    /// What becomes of the operation next.
    enum Step {
        case goOn
        case finished
    }

    private let item: Item
    private(set) var result = PutResult()
    /// The walk is over, and the record is being sent.
    private(set) var isStoring = false
    /// Nodes that could store it, as far as the walk has heard.
    private var nodesThere = 0
    /// The version was raised over one that a replica had; once is enough.
    private var hasRaisedSeq = false
    private(set) var inFlight = 0
    private var overdue = 0
    /// Position in the lookup's peers of the next one to store at.
    private var cursor = 0
    /// Peers that said they have it.
    private var takers: [NodeID] = []
    /// Peers that were silent once and may be asked again.
    private var retries: [Contact] = []

    init(_ item: Item, seq: UInt64, ttlSeconds: UInt64) {
        self.item = item
        result.seq = seq
        result.ttlSeconds = ttlSeconds
    }

    /// What is to be refreshed from here once the put has ended; nil when nothing is.
    var publication: (seq: UInt64, value: [UInt8])? {
        guard case .record(let value, _, isPublished: true) = item, result.acks > 0 else { return nil }
        return (result.seq, value)
    }

    /// Adds the endpoints of peers that are to be asked again.
    func addEndpoints(to used: inout Set<EndpointID>) {
        for contact in retries { used.insert(contact.endpoint) }
    }

    // MARK: - Beginning

    /// The walk is done: stores here if the local node is among the closest, and sends the record to the others.
    mutating func begin(_ walk: inout Walk, _ nowUs: UInt64, _ core: inout NodeCore) -> Step {
        isStoring = true
        assert(result.acks == 0 && takers.isEmpty, "a store begins with the acks of another")
        if settleWanted(walk, core.context.config) { storeHere(walk.target, nowUs, &core) }
        return goOn(&walk, nowUs, &core)
    }

    /// How many acks make this a success: REPLICA, or every node there is when that is fewer.
    /// Returns whether the local node is one of them.
    @discardableResult
    mutating func settleWanted(_ walk: Walk, _ config: NodeConfig) -> Bool {
        let localDistance = config.id.distance(to: walk.target)
        var (there, nearer) = (0, 0)
        for peer in walk.lookup.peers where Self.mayStore(peer) || walk.hasPostponed(peer.contact.id) {
            there += 1
            if peer.distance < localDistance { nearer += 1 }
        }
        let keepsHere = nearer < config.replica
        nodesThere = there + (keepsHere ? 1 : 0)
        result.wanted = min(config.replica, nodesThere)
        assert(result.wanted <= config.replica && nearer <= there, "more replicas are wanted than there are")
        return keepsHere
    }

    /// Whether a record may go to a peer: it answered, or it was not asked and is as good as those that named it.
    private static func mayStore(_ peer: Lookup.Peer) -> Bool {
        peer.progress == .answered || peer.progress == .fresh
    }

    private mutating func storeHere(_ key: Key, _ nowUs: UInt64, _ core: inout NodeCore) {
        let localID = core.context.config.id
        switch item {
        case .provider(let node):
            let isKept = core.records.keepProvider(
                key, node, ttlSeconds: result.ttlSeconds, nowUs, &core.context)
            if isKept { result.acks += 1 } else { note(localID, .full) }
        case .record(let value, let isTombstone, _):
            let version = Version(
                seq: result.seq, ttlSeconds: result.ttlSeconds, value: value, isTombstone: isTombstone)
            switch core.keep(key, version, nowUs) {
            case .stored, .refreshed: result.acks += 1
            case .stale: note(localID, .stale)
            case .full: note(localID, .full)
            }
        }
    }

    // MARK: - Sending

    /// Keeps as many puts in flight as acks are missing, and one more for each of BETA that are overdue; it is over
    /// when no more can come.
    mutating func goOn(_ walk: inout Walk, _ nowUs: UInt64, _ core: inout NodeCore) -> Step {
        let hedges = min(overdue, core.context.config.beta)
        while result.acks + inFlight < result.wanted + hedges {
            guard let contact = nextReplica(&walk, nowUs, &core) else { break }
            if result.acks + inFlight >= result.wanted { core.context.stats.hedges += 1 }
            send(to: contact, walk, nowUs, &core)
        }
        if result.acks >= result.wanted { return .finished }
        return inFlight == 0 && !walk.waits(.all, nowUs, &core) ? .finished : .goOn
    }

    /// The next-closest node; then, once each, those that were silent or busy. Busy ones are put off.
    private mutating func nextReplica(_ walk: inout Walk, _ nowUs: UInt64, _ core: inout NodeCore) -> Contact?
    {
        while cursor < walk.lookup.peers.count {
            let peer = walk.lookup.peers[cursor]
            cursor += 1
            if Self.mayStore(peer), !walk.postpones(peer.contact.id, nowUs, &core) { return peer.contact }
        }
        assert(cursor >= walk.lookup.peers.count, "a replica is asked again while others are left")
        while let contact = retries.popLast() {
            if !walk.postpones(contact.id, nowUs, &core) { return contact }
        }
        return nil
    }

    private mutating func send(
        to contact: Contact, _ walk: Walk, _ nowUs: UInt64, _ core: inout NodeCore
    ) {
        let op: RpcOp = if case .record = item { .put } else { .provide }
        let purpose = RpcPurpose.store(walk.id, isRaised: hasRaisedSeq)
        guard let start = core.beginRequest(op, to: contact, purpose, mayHedge: true, nowUs) else {
            return note(contact.id, .error)
        }
        switch item {
        case .record(let value, let isTombstone, _):
            value.withUnsafeBytes {
                core.context.outbox.bytes.appendPut(
                    key: walk.target, seq: result.seq, ttlSeconds: result.ttlSeconds, value: $0,
                    isTombstone: isTombstone)
            }
        case .provider(let node):
            node.withUnsafeBytes {
                core.context.outbox.bytes.appendProvide(
                    cid: walk.target, node: $0, ttlSeconds: result.ttlSeconds)
            }
        }
        core.context.outbox.send(to: contact.endpoint, from: start)
        inFlight += 1
    }

    /// Busy peers whose time has come may be asked.
    mutating func retry(_ due: [BusyPeer], _ walk: inout Walk, _ nowUs: UInt64, _ core: inout NodeCore)
        -> Step
    {
        for peer in due {
            guard let found = walk.lookup.peers.first(where: { $0.contact.id == peer.id }) else { continue }
            retries.append(found.contact)
        }
        return goOn(&walk, nowUs, &core)
    }

    // MARK: - What became of a request

    /// A replica is later than most answers come.
    mutating func overdue(_ walk: inout Walk, _ nowUs: UInt64, _ core: inout NodeCore) -> Step {
        overdue += 1
        assert(overdue <= inFlight, "more replicas are overdue than asked")
        return goOn(&walk, nowUs, &core)
    }

    private mutating func leaveFlight(_ rpc: NodeRpcs.Pending) {
        inFlight -= 1
        if rpc.patience == .overdue { overdue -= 1 }
        assert(inFlight >= 0 && overdue >= 0 && overdue <= inFlight, "records in flight are miscounted")
    }

    /// Whether a request carried a version that has been raised since.
    private func isOutdated(_ rpc: NodeRpcs.Pending, _ walk: Walk) -> Bool {
        rpc.owner != .store(walk.id, isRaised: hasRaisedSeq)
    }

    /// A replica answered.
    mutating func answered(
        _ message: MessageView, from rpc: NodeRpcs.Pending, _ walk: inout Walk, _ nowUs: UInt64,
        _ core: inout NodeCore
    ) -> Step {
        if !rpc.isLate { leaveFlight(rpc) }
        guard !isOutdated(rpc, walk) else { return goOn(&walk, nowUs, &core) }
        switch message {
        case .stored(ok: true, _, _, _):
            taken(by: rpc.dst)
        case .stored(ok: false, _, _, let seq) where goesOver(seq) && Self.cause(of: message) == .stale:
            return startOver(seq, &walk, nowUs, &core)
        default:
            _ = walk.postpones(rpc.dst, nowUs, &core)
            note(rpc.dst, Self.cause(of: message))
        }
        return goOn(&walk, nowUs, &core)
    }

    /// A replica has it. One that was asked twice, for its answer was late, may say so twice.
    private mutating func taken(by peer: NodeID) {
        result.failed.removeAll { $0.peer == peer }
        retries.removeAll { $0.id == peer }
        guard !takers.contains(peer) else { return }
        takers.append(peer)
        result.acks += 1
        assert(result.acks - takers.count <= 1, "acks of others than the takers and the local node")
    }

    /// Whether the put is to be made again over a version `seq` that a replica has.
    private func goesOver(_ seq: UInt64) -> Bool {
        guard case .record = item else { return false }
        return !hasRaisedSeq && seq >= result.seq && seq < .max
    }

    /// A replica has a newer version than this was to be: the clock here is behind. All get a newer one.
    private mutating func startOver(
        _ seq: UInt64, _ walk: inout Walk, _ nowUs: UInt64, _ core: inout NodeCore
    ) -> Step {
        assert(!hasRaisedSeq && seq < .max, "a version is raised twice")
        hasRaisedSeq = true
        result.seq = seq + 1
        result.acks = 0
        result.failed = []
        takers.removeAll(keepingCapacity: true)
        cursor = 0
        retries.removeAll(keepingCapacity: true)
        return begin(&walk, nowUs, &core)
    }

    /// A replica is silent, or lost.
    mutating func lost(
        _ rpc: NodeRpcs.Pending, _ code: RpcCode, _ walk: inout Walk, _ nowUs: UInt64,
        _ core: inout NodeCore
    ) -> Step {
        leaveFlight(rpc)
        guard !isOutdated(rpc, walk) else { return goOn(&walk, nowUs, &core) }
        assert(!rpc.isLate, "a late request is lost again")
        let wasAskedTwice = result.failed.contains { $0.peer == rpc.dst }
        if code == .timeout, !wasAskedTwice { retries.append(rpc.contact) }
        switch code {
        case .unreachable: note(rpc.dst, .unreachable)
        case .closed: note(rpc.dst, .closed)
        default: note(rpc.dst, .timeout)
        }
        return goOn(&walk, nowUs, &core)
    }

    private mutating func note(_ peer: NodeID, _ cause: FailureCause) {
        result.failed.removeAll { $0.peer == peer }
        result.failed.append(PutFailure(peer: peer, cause: cause))
    }

    /// The bounded word for a refusal, whatever text the peer gave. What this node says of peers that gave no
    /// answer is not for them to say.
    private static func cause(of message: MessageView) -> FailureCause {
        if case .busy = message { return .busy }
        guard case .stored(_, let code, _, _) = message else { return .error }
        let word = FailureCause(rawValue: String(decoding: code.bytes, as: UTF8.self))
        guard let word, [.stale, .full, .tooLarge].contains(word) else { return .refused }
        return word
    }

    // MARK: - The end

    /// Ends it with what it has.
    mutating func finish(_ walk: Walk, _ nowUs: UInt64) -> PutResult {
        countOnlyThoseThere(walk)
        if result.acks < result.wanted {
            for peer in walk.postponed { note(peer.id, .busy) }
        }
        result.elapsedUs = nowUs - walk.startUs
        result.hops = walk.lookup.hops
        return result
    }

    /// Nodes that were only heard of, and then could not be reached, were not there to begin with.
    private mutating func countOnlyThoseThere(_ walk: Walk) {
        let gone = result.failed.count { failure in
            let isSilent = [.timeout, .unreachable, .closed].contains(failure.cause)
            return isSilent && walk.lookup.progress(of: failure.peer) == .fresh
        }
        result.wanted = min(result.wanted, max(result.acks, nodesThere - gone))
    }
}
