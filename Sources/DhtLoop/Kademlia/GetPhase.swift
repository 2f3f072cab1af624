// RO:WHAT  get: the first copy, or the newest of a quorum; what is stale or missing is mended on the way.
// RO:WHY   A caller must be able to tell "no node has it" from "no node said so", and a reader that met an old
//          version is the cheapest repairer there is.
// RO:INVARIANTS  the newest version met wins: higher seq, then a tombstone, then the greater bytes.
// RO:TEST  Tests/DhtLoopTests/Kademlia/GetPhaseTests.swift, RecordTests.swift

/// What a get has met so far.
struct GetPhase {
    /// A cached copy that would live shorter is not worth its message, in seconds.
    private static let leastCacheSeconds: UInt64 = 10

    /// Copies to compare before the newest is believed.
    let quorum: Int
    let isExplained: Bool
    private(set) var best: Version?
    /// Which node had which version.
    private var holders: [(contact: Contact, version: Version)] = []
    /// Gets of the same key that share this walk.
    private(set) var followers: [OperationID] = []
    private var trace: [TraceStep] = []

    /// `best` is the version that is stored here.
    init(quorum: Int, isExplained: Bool, best: Version?) {
        (self.quorum, self.isExplained, self.best) = (quorum, isExplained, best)
        assert(quorum > 0, "a get without a copy")
    }

    mutating func share(with follower: OperationID) { followers.append(follower) }

    /// A peer has a version of the record. Returns whether the quorum is met.
    mutating func took(_ version: Version, from contact: Contact) -> Bool {
        holders.append((contact, version))
        if best.map({ version.wins(over: $0) }) ?? true { best = version }
        assert(best.map { !version.wins(over: $0) } ?? false, "an older version is kept")
        return holders.count >= quorum
    }

    /// What the caller is told. `isComplete` when the closest nodes all answered, or the quorum was met.
    func result(isComplete: Bool, hops: Int) -> GetResult {
        let outcome: GetResult.Outcome =
            if let best, !best.isTombstone {
                .found(value: best.value, seq: best.seq, ttlSeconds: best.ttlSeconds)
            } else {
                best != nil || isComplete ? .notFound : .timedOut
            }
        return GetResult(outcome: outcome, hops: hops, copies: holders.count, trace: trace)
    }

    // MARK: - Mending

    /// Nodes that gave an older version get the newest (read-repair); and after a plain get, the closest node
    /// that lacked the record keeps a copy for a while.
    func mend(_ walk: Walk, _ nowUs: UInt64, _ core: inout NodeCore) {
        guard let best, best.ttlSeconds > 0 else { return }
        for holder in holders where best.wins(over: holder.version) {
            core.context.stats.repairs += 1
            core.give(best, walk.target, to: holder.contact, nowUs)
        }
        guard quorum == 1, !best.isTombstone, !holders.isEmpty else { return }
        cache(best, walk, nowUs, &core)
    }

    /// Kademlia paper, 2.3: the life of a cached copy shrinks exponentially with the nodes between its holder
    /// and the key, so that hot records spread and cold ones don't linger.
    private func cache(_ version: Version, _ walk: Walk, _ nowUs: UInt64, _ core: inout NodeCore) {
        var nearer = 0
        for peer in walk.lookup.peers {
            let lacksIt = !holders.contains { $0.contact.id == peer.contact.id }
            if peer.progress == .answered, lacksIt {
                let excess = max(0, nearer + 1 - core.context.config.replica)
                let life = excess < 32 ? version.ttlSeconds >> UInt64(excess + 1) : 0
                guard life >= Self.leastCacheSeconds else { return }
                assert(life < version.ttlSeconds, "a cached copy outlives its record")
                var copy = version
                copy.ttlSeconds = life
                core.context.stats.cached += 1
                return core.give(copy, walk.target, to: peer.contact, nowUs)
            }
            nearer += 1
        }
    }

    // MARK: - Trace

    /// A peer was asked, so many microseconds after the get began.
    mutating func traceAsked(_ peer: Lookup.Peer, _ afterUs: UInt64) {
        trace.append(
            TraceStep(
                peer: peer.contact, sharedBits: peer.distance.leadingZeroBitCount, hop: Int(peer.hop),
                askedUs: afterUs))
    }

    mutating func traceAnswered(
        _ rpc: NodeRpcs.Pending, _ message: MessageView, contacts: Int, _ nowUs: UInt64
    ) {
        guard let step = trace.lastIndex(where: { $0.peer.id == rpc.dst }) else { return }
        trace[step].rttUs = nowUs - rpc.sentUs
        trace[step].contacts = contacts
        trace[step].answer =
            switch message {
            case .nodes: rpc.isLate ? .late : .nodes
            case .found, .providers: .found
            default: .refused
            }
    }

    mutating func traceLost(_ rpc: NodeRpcs.Pending, _ code: RpcCode) {
        guard let step = trace.lastIndex(where: { $0.peer.id == rpc.dst }) else { return }
        trace[step].answer =
            switch code {
            case .unreachable: .unreachable
            case .closed: .closed
            default: .silent
            }
    }
}
