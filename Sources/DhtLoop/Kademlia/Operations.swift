// RO:WHAT  Operations: all puts, gets, searches, pings and lookups of a node that are in progress.
// RO:WHY   An operation outlives many events; a late reply must find it, or find that it is over. Beginning, asking on
//          and ending are the same for all; what each makes of an answer is in its phase.
// RO:INVARIANTS  an id of an ended operation never finds another one; the table is bounded; each operation holds one
//                armed timer; no follower outlives its place in a leader's list.
// RO:METRICS  dht_get_total, dht_found_total, dht_put_total, dht_lookups_total, latencies and hops, dht_error_total{kind}
// RO:TEST  Tests/DhtLoopTests/Kademlia/OperationTests.swift

/// Operations by slot.
struct Operations: ~Copyable {
    /// The end of an operation that is more to the node than to its caller.
    enum End {
        /// A self-lookup or a bucket refresh.
        case lookEnded
        /// A walk to the nodes around publications. `isCutOff` when it reached too few to tell.
        case regionFound(Region, isCutOff: Bool)
        /// A put with the default life has been stored somewhere: it is kept alive from here.
        case published(Key, seq: UInt64, value: [UInt8])
    }

    private var running: SlotTable<RunningOperation>
    /// The plain get in progress for a key: another one shares its walk.
    private var walkOfKey: [Key: OperationID] = [:]
    /// Lookups of ended operations, for their memory.
    private var spareLookups: [Lookup] = []
    /// Scratch memory for the contacts that a walk begins with.
    private var nearest = ContactList()

    /// `limit` operations at a time.
    init(limit: Int) { running = SlotTable(limit: max(1, limit)) }

    /// Operations in progress.
    var count: Int { running.count }

    /// Adds the endpoints that operations in progress know of.
    func addEndpoints(to used: inout Set<EndpointID>) {
        running.visit { row in
            for peer in row.walk.lookup.peers { used.insert(peer.contact.endpoint) }
            switch row.operation {
            case .put(let phase), .delete(let phase), .provide(let phase): phase.addEndpoints(to: &used)
            case .get, .findProviders, .ping, .selfLookup, .bucketRefresh, .regionWalk, .ended: break
            }
        }
    }

    // MARK: - Beginning

    /// Starts to search for `key`; see `DhtNode.get`.
    mutating func get(
        _ key: Key, quorum: Int, paths: Int?, isExplained: Bool, _ nowUs: UInt64, _ core: inout NodeCore
    ) -> OperationID? {
        let quorum = isExplained ? core.context.config.k : min(max(1, quorum), core.context.config.k)
        let phase = GetPhase(
            quorum: quorum, isExplained: isExplained, best: core.records.version(of: key, nowUs))
        guard let id = open(.get(phase), target: key, paths: paths, nowUs, &core) else { return nil }
        core.context.stats.gets += 1
        if quorum == 1, phase.best != nil {
            finishGet(Int(id.slot), isComplete: true, hops: 0, nowUs, &core)
            return id
        }
        if quorum == 1, paths == nil {
            if let leader = walkOfKey[key], running.holds(leader) {
                _ = running[Int(leader.slot)]?.withGet { phase, _ in phase.share(with: id) }
                return id
            }
            walkOfKey[key] = id
        }
        beginWalk(id, nowUs, &core)
        return id
    }

    /// Starts to store an item under `key`: a put, a delete or a provide.
    ///
    /// - Returns: its name, nil when there was no room; and its end, if it ended at once.
    mutating func store(
        _ operation: Operation, _ key: Key, paths: Int? = nil, _ nowUs: UInt64, _ core: inout NodeCore
    ) -> (id: OperationID?, end: End?) {
        guard let id = open(operation, target: key, paths: paths, nowUs, &core) else { return (nil, nil) }
        assert(!operation.isStoring && operation.hasCaller, "what is stored begins with its walk")
        if case .provide = operation {
            core.context.stats.provides += 1
        } else {
            core.context.stats.puts += 1
        }
        return (id, walk(id, nowUs, &core))
    }

    /// Starts to search for providers of `cid`; see `DhtNode.findProviders`.
    mutating func findProviders(
        _ cid: Key, limit: Int, paths: Int?, _ nowUs: UInt64, _ core: inout NodeCore
    ) -> OperationID? {
        var phase = FindPhase(limit: min(max(1, limit), Limits.contactsPerMessage))
        for provider in core.records.findProviders(cid, limit: phase.limit, nowUs) {
            phase.add(provider.node, ttlSeconds: secondsLeft(until: provider.expiresAtUs, nowUs))
        }
        guard let id = open(.findProviders(phase), target: cid, paths: paths, nowUs, &core) else {
            return nil
        }
        if phase.hasEnough {
            finishFind(Int(id.slot), isComplete: true, nowUs, &core)
        } else {
            beginWalk(id, nowUs, &core)
        }
        return id
    }

    /// Starts to find the node `id` and to ask it something: a walk towards it that ends when it answers.
    mutating func ping(_ id: NodeID, _ nowUs: UInt64, _ core: inout NodeCore) -> OperationID? {
        guard let operation = open(.ping, target: id, paths: nil, nowUs, &core) else { return nil }
        beginWalk(operation, nowUs, &core)
        return operation
    }

    /// Starts a walk that the node makes by itself: a self-lookup, a bucket refresh or a region walk.
    ///
    /// - Returns: whether there was room for it, and its end if it ended at once.
    mutating func beginInternal(
        _ operation: Operation, target: NodeID, _ nowUs: UInt64, _ core: inout NodeCore
    ) -> (hasBegun: Bool, end: End?) {
        assert(!operation.hasCaller)
        guard let id = open(operation, target: target, paths: nil, nowUs, &core) else { return (false, nil) }
        return (true, walk(id, nowUs, &core))
    }

    /// Takes an operation in, with its deadline armed; nil when too many are in progress.
    private mutating func open(
        _ operation: Operation, target: NodeID, paths: Int?, _ nowUs: UInt64, _ core: inout NodeCore
    ) -> OperationID? {
        let lookup = spareLookups.popLast() ?? Lookup()
        let id = running.insert { id in
            RunningOperation(walk: Walk(id: id, reusing: lookup, nowUs), operation: operation)
        }
        guard let id else {
            core.context.stats.errors[.overload] += 1
            return nil
        }
        assert(running.holds(id) && running.count <= running.limit, "an operation without its place")
        let plan = operation.plan(paths: paths, core.context.config)
        running[Int(id.slot)]?.walk.start(target, plan, &core.context)
        return id
    }

    /// Begins the walk of a search.
    private mutating func beginWalk(_ id: OperationID, _ nowUs: UInt64, _ core: inout NodeCore) {
        let end = walk(id, nowUs, &core)
        assert(end == nil, "a search ends for its caller alone")
    }

    private mutating func walk(_ id: OperationID, _ nowUs: UInt64, _ core: inout NodeCore) -> End? {
        core.context.stats.lookups += 1
        let slot = Int(id.slot)
        guard let target = running[slot]?.walk.target else { return nil }
        core.peers.beginWalk(to: target, nowUs, into: &nearest)
        running[slot]?.walk.addContacts(of: core.peers, nearest)
        return proceed(slot, nowUs, &core)
    }

    // MARK: - Answers

    /// The slot of an operation that is in progress and still walking; nil when it is over, or storing.
    private func walking(_ id: OperationID) -> Int? {
        guard running.holds(id), running[Int(id.slot)]?.operation.isStoring == false else { return nil }
        return Int(id.slot)
    }

    /// Asks the next peers; ends the walk when none is left.
    private mutating func proceed(_ slot: Int, _ nowUs: UInt64, _ core: inout NodeCore) -> End? {
        guard running[slot]?.askNext(nowUs, &core) == true else { return nil }
        return walkEnded(slot, nowUs, &core)
    }

    /// A peer of a walk answered. `isMoreToCome` when a further answer to the same request is waited for.
    mutating func lookupAnswered(
        _ id: OperationID, _ reply: EnvelopeView, with lists: borrowing MessageLists,
        from rpc: NodeRpcs.Pending, isMoreToCome: Bool, _ nowUs: UInt64, _ core: inout NodeCore
    ) -> End? {
        guard let slot = walking(id), let operation = running[slot]?.operation else { return nil }
        let count = lists.contacts.count
        if case .get(let phase) = operation, phase.isExplained {
            _ = running[slot]?.withGet { phase, _ in
                phase.traceAnswered(rpc, reply.message, contacts: count, nowUs)
            }
        }
        switch (reply.message, operation) {
        case (.found(let record), .get) where record.key == running[slot]?.walk.target:
            return tookVersion(
                slot, record, with: lists, from: rpc, isMoreToCome: isMoreToCome, nowUs, &core)
        case (.providers, .findProviders):
            return tookProviders(slot, with: lists, from: rpc, nowUs, &core)
        case (.nodes, .ping) where rpc.dst == running[slot]?.walk.target,
            (.busy, .ping) where rpc.dst == running[slot]?.walk.target:
            finishPing(slot, .answered(at: rpc.endpoint, rttUs: nowUs - rpc.sentUs), nowUs, &core)
            return nil
        case (.nodes, _):
            running[slot]?.walk.tookContacts(
                lists.contacts, from: rpc, isMoreToCome: isMoreToCome, nowUs, &core)
        default:
            running[slot]?.walk.refused(rpc.dst, nowUs, &core)
        }
        return proceed(slot, nowUs, &core)
    }

    /// A peer of a walk handed on what others told it; `isLast` when it has no more to say.
    mutating func lookupTold(
        _ id: OperationID, _ reply: EnvelopeView, with lists: borrowing MessageLists,
        from rpc: NodeRpcs.Pending, isLast: Bool, _ nowUs: UInt64, _ core: inout NodeCore
    ) -> End? {
        guard let slot = walking(id), let operation = running[slot]?.operation else { return nil }
        if isLast { running[slot]?.walk.hasTold(rpc.dst) }
        switch (reply.message, operation) {
        case (.found(let record), .get) where record.key == running[slot]?.walk.target:
            return tookVersion(slot, record, with: lists, from: rpc, isMoreToCome: !isLast, nowUs, &core)
        case (.nodes, _):
            let steps = rpc.furtherAnswers + 1
            running[slot]?.walk.tookNames(lists.contacts, from: rpc, steps: steps, nowUs, &core)
        default: break
        }
        return proceed(slot, nowUs, &core)
    }

    /// A peer has told all that it will, or takes too long over it.
    mutating func lookupToldAll(
        _ id: OperationID, by peer: NodeID, _ nowUs: UInt64, _ core: inout NodeCore
    ) -> End? {
        guard let slot = walking(id) else { return nil }
        running[slot]?.walk.hasTold(peer)
        return proceed(slot, nowUs, &core)
    }

    /// A peer of a walk is later than most answers come.
    mutating func lookupOverdue(
        _ id: OperationID, _ rpc: NodeRpcs.Pending, _ nowUs: UInt64, _ core: inout NodeCore
    ) -> End? {
        guard let slot = walking(id) else { return nil }
        running[slot]?.walk.overdue(rpc.dst)
        return proceed(slot, nowUs, &core)
    }

    /// A peer of a walk is silent, or lost for good.
    mutating func lookupLost(
        _ id: OperationID, _ rpc: NodeRpcs.Pending, _ code: RpcCode, _ nowUs: UInt64, _ core: inout NodeCore
    ) -> End? {
        guard let slot = walking(id) else { return nil }
        if running[slot]?.isExplained == true {
            _ = running[slot]?.withGet { phase, _ in phase.traceLost(rpc, code) }
        }
        running[slot]?.walk.lost(rpc.dst, code)
        return proceed(slot, nowUs, &core)
    }

    /// A peer has a version of the record.
    private mutating func tookVersion(
        _ slot: Int, _ record: RecordView, with lists: borrowing MessageLists, from rpc: NodeRpcs.Pending,
        isMoreToCome: Bool, _ nowUs: UInt64, _ core: inout NodeCore
    ) -> End? {
        let version = Version(record)
        let isMet = running[slot]?.withGet { phase, _ in phase.took(version, from: rpc.contact) } == true
        let hop = (running[slot]?.walk.lookup.hop(of: rpc.dst) ?? 0) + Int(rpc.furtherAnswers)
        running[slot]?.walk.tookContacts(
            lists.contacts, from: rpc, isMoreToCome: isMoreToCome, nowUs, &core)
        guard isMet else { return proceed(slot, nowUs, &core) }
        finishGet(slot, isComplete: true, hops: hop, nowUs, &core)
        return nil
    }

    /// A peer named the providers it knows.
    private mutating func tookProviders(
        _ slot: Int, with lists: borrowing MessageLists, from rpc: NodeRpcs.Pending, _ nowUs: UInt64,
        _ core: inout NodeCore
    ) -> End? {
        let (providers, maxTtl) = (lists.providers, core.context.config.maxTtlSeconds)
        let hasEnough = running[slot]?.withFind { phase, _ in
            phase.took(providers, maxTtlSeconds: maxTtl)
            return phase.hasEnough
        }
        running[slot]?.walk.tookContacts(lists.contacts, from: rpc, isMoreToCome: false, nowUs, &core)
        guard hasEnough == true else { return proceed(slot, nowUs, &core) }
        finishFind(slot, isComplete: true, nowUs, &core)
        return nil
    }

    // MARK: - Storing

    /// A replica answered.
    mutating func storeAnswered(
        _ id: OperationID, _ message: MessageView, from rpc: NodeRpcs.Pending, _ nowUs: UInt64,
        _ core: inout NodeCore
    ) -> End? {
        guard running.holds(id) else { return nil }
        let step = running[Int(id.slot)]?.withStore { phase, walk in
            phase.answered(message, from: rpc, &walk, nowUs, &core)
        }
        return finishStore(id, step, nowUs, &core)
    }

    /// A replica is later than most answers come.
    mutating func storeOverdue(_ id: OperationID, _ nowUs: UInt64, _ core: inout NodeCore) -> End? {
        guard running.holds(id) else { return nil }
        let step = running[Int(id.slot)]?.withStore { phase, walk in phase.overdue(&walk, nowUs, &core) }
        return finishStore(id, step, nowUs, &core)
    }

    /// A replica is silent, or lost.
    mutating func storeLost(
        _ id: OperationID, _ rpc: NodeRpcs.Pending, _ code: RpcCode, _ nowUs: UInt64, _ core: inout NodeCore
    ) -> End? {
        guard running.holds(id) else { return nil }
        let step = running[Int(id.slot)]?.withStore { phase, walk in
            phase.lost(rpc, code, &walk, nowUs, &core)
        }
        return finishStore(id, step, nowUs, &core)
    }

    private mutating func finishStore(
        _ id: OperationID, _ step: StorePhase.Step?, _ nowUs: UInt64, _ core: inout NodeCore
    ) -> End? {
        guard case .finished? = step else { return nil }
        return finishPut(Int(id.slot), nowUs, &core)
    }

    // MARK: - Ends

    /// The walk of an operation is over.
    private mutating func walkEnded(_ slot: Int, _ nowUs: UInt64, _ core: inout NodeCore) -> End? {
        guard let row = running[slot] else { return nil }
        assert(row.walk.lookup.isFinished, "a walk ends before its lookup")
        core.context.stats.lookupLatency.observe(microseconds: nowUs - row.walk.startUs)
        core.context.stats.lookupHops.observe(Double(row.walk.lookup.hops))
        switch row.operation {
        case .put, .delete, .provide:
            let step = running[slot]?.withStore { phase, walk in phase.begin(&walk, nowUs, &core) }
            return finishStore(row.walk.id, step, nowUs, &core)
        case .get(let phase):
            let isComplete = !row.walk.isUnanswered
            if !isComplete, phase.best == nil { core.context.stats.errors[.deadline] += 1 }
            finishGet(slot, isComplete: isComplete, hops: row.walk.lookup.hops, nowUs, &core)
        case .findProviders:
            finishFind(slot, isComplete: !row.walk.isUnanswered, nowUs, &core)
        case .ping:
            let isKnown = row.walk.lookup.hop(of: row.walk.target) > 0
            finishPing(slot, isKnown ? .timedOut : .unknown, nowUs, &core)
        case .selfLookup: return finishSelfLookup(slot, nowUs, &core)
        case .bucketRefresh:
            close(slot, &core.context)
            return .lookEnded
        case .regionWalk: return finishRegionWalk(slot, &core)
        case .ended: assertionFailure("a walk of an operation that has ended")
        }
        return nil
    }

    /// The timer of the operation in a slot: its wait for busy peers is over, or its whole time. Then the caller gets
    /// what there is.
    mutating func timerFired(slot: Int, _ nowUs: UInt64, _ core: inout NodeCore) -> End? {
        assert(running.holds(slot: slot), "a timer outlives its operation")
        guard let row = running[slot] else { return nil }
        guard row.walk.isOver(nowUs, core.context.config) else { return resume(slot, nowUs, &core) }
        if row.operation.hasCaller { core.context.stats.errors[.deadline] += 1 }
        switch row.operation {
        case .get: finishGet(slot, isComplete: false, hops: row.walk.lookup.hops, nowUs, &core)
        case .findProviders: finishFind(slot, isComplete: false, nowUs, &core)
        case .ping: finishPing(slot, .timedOut, nowUs, &core)
        case .put, .delete, .provide:
            if !row.operation.isStoring {
                let config = core.context.config
                _ = running[slot]?.withStore { phase, walk in phase.settleWanted(walk, config) }
            }
            return finishPut(slot, nowUs, &core)
        case .selfLookup: return finishSelfLookup(slot, nowUs, &core)
        case .bucketRefresh:
            close(slot, &core.context)
            return .lookEnded
        case .regionWalk: return finishRegionWalk(slot, &core)
        case .ended: assertionFailure("a timer of an operation that has ended")
        }
        return nil
    }

    /// The wait is over: those peers whose time has come are asked.
    private mutating func resume(_ slot: Int, _ nowUs: UInt64, _ core: inout NodeCore) -> End? {
        guard let row = running[slot] else { return nil }
        assert(row.walk.startUs <= nowUs, "an operation begins in the time to come")
        let due = running[slot]?.walk.endWait(nowUs, &core.context) ?? []
        guard row.operation.isStoring else {
            for peer in due { running[slot]?.walk.revive(peer.id) }
            return proceed(slot, nowUs, &core)
        }
        let step = running[slot]?.withStore { phase, walk in phase.retry(due, &walk, nowUs, &core) }
        return finishStore(row.walk.id, step, nowUs, &core)
    }

    /// Tells the caller and those that share the walk, then mends what was stale.
    private mutating func finishGet(
        _ slot: Int, isComplete: Bool, hops: Int, _ nowUs: UInt64, _ core: inout NodeCore
    ) {
        guard let row = running[slot], case .get(let phase) = row.operation else { return }
        let result = phase.result(isComplete: isComplete, hops: hops)
        Self.tell(row.walk, result, nowUs, &core.context)
        assert(!phase.followers.contains(row.walk.id), "a get follows itself")
        for id in phase.followers where running.holds(id) {
            guard let follower = running[Int(id.slot)] else { continue }
            Self.tell(follower.walk, result, nowUs, &core.context)
            close(Int(id.slot), &core.context)
        }
        phase.mend(row.walk, nowUs, &core)
        close(slot, &core.context)
    }

    private static func tell(
        _ walk: Walk, _ result: GetResult, _ nowUs: UInt64, _ context: inout NodeContext
    ) {
        var result = result
        result.elapsedUs = nowUs - walk.startUs
        if case .found = result.outcome { context.stats.found += 1 }
        context.stats.getLatency.observe(microseconds: result.elapsedUs)
        context.outbox.finish(walk.id, .get(result))
    }

    private mutating func finishFind(
        _ slot: Int, isComplete: Bool, _ nowUs: UInt64, _ core: inout NodeCore
    ) {
        guard let row = running[slot], case .findProviders(let phase) = row.operation else { return }
        let result = phase.result(
            hops: row.walk.lookup.hops, elapsedUs: nowUs - row.walk.startUs, isComplete: isComplete)
        core.context.outbox.finish(row.walk.id, .providers(result))
        close(slot, &core.context)
    }

    private mutating func finishPing(
        _ slot: Int, _ outcome: PingResult.Outcome, _ nowUs: UInt64, _ core: inout NodeCore
    ) {
        guard let walk = running[slot]?.walk else { return }
        let result = PingResult(
            outcome: outcome, hops: walk.lookup.hop(of: walk.target), elapsedUs: nowUs - walk.startUs)
        core.context.outbox.finish(walk.id, .ping(result))
        close(slot, &core.context)
    }

    /// Ends a put, a delete or a provide with what it has.
    private mutating func finishPut(_ slot: Int, _ nowUs: UInt64, _ core: inout NodeCore) -> End? {
        guard let walk = running[slot]?.walk,
            let end = running[slot]?.withStore({ phase, walk in
                (result: phase.finish(walk, nowUs), publication: phase.publication)
            })
        else { return nil }
        if end.result.acks < end.result.wanted { core.context.stats.errors[.underReplicated] += 1 }
        core.context.stats.putLatency.observe(microseconds: end.result.elapsedUs)
        core.context.outbox.finish(walk.id, .put(end.result))
        close(slot, &core.context)
        return end.publication.map { .published(walk.target, seq: $0.seq, value: $0.value) }
    }

    /// The K closest that were not asked are pinged, so that they know the local node and it them.
    private mutating func finishSelfLookup(_ slot: Int, _ nowUs: UInt64, _ core: inout NodeCore) -> End? {
        guard let lookup = running[slot]?.walk.lookup else { return nil }
        for peer in lookup.peers.prefix(core.context.config.k) where peer.progress == .fresh {
            core.peers.verifyForRoom(peer.contact, nowUs, &core.rpcs, &core.context)
        }
        close(slot, &core.context)
        return .lookEnded
    }

    private mutating func finishRegionWalk(_ slot: Int, _ core: inout NodeCore) -> End? {
        guard let lookup = running[slot]?.walk.lookup else { return nil }
        let config = core.context.config
        let region = Region(around: lookup, k: config.k, replica: config.replica)
        close(slot, &core.context)
        return .regionFound(region, isCutOff: lookup.answers < min(config.replica, core.peers.count))
    }

    /// Gives the slot of an operation back.
    private mutating func close(_ slot: Int, _ context: inout NodeContext) {
        guard var row = running.remove(slot: slot) else { return }
        if walkOfKey[row.walk.target] == row.walk.id { walkOfKey[row.walk.target] = nil }
        assert(!running.holds(row.walk.id), "an operation outlives its end")
        spareLookups.append(row.walk.end(&context))
        assert(spareLookups.count <= running.limit)
    }

    // MARK: - Invariants

    /// As `DhtNode.brokenInvariant`; `pending` are the requests in flight.
    func brokenInvariant(pending: [NodeRpcs.Pending], looksInProgress: Int) -> String? {
        var (asked, storing) = ([OperationID: Int](), [OperationID: Int]())
        for rpc in pending where rpc.isAwaited {
            switch rpc.owner {
            case .lookup(let id): asked[id, default: 0] += 1
            case .store(let id, _): storing[id, default: 0] += 1
            case .verify, .probe, .gift, .copies, .forwarded, .anyone: break
            }
        }
        var (broken, looks) = (String?.none, 0)
        running.visit { row in
            broken = broken ?? Self.broken(row, asked: asked[row.walk.id, default: 0], storing: storing)
            switch row.operation {
            case .selfLookup, .bucketRefresh: looks += 1
            default: break
            }
        }
        return broken ?? (looks == looksInProgress ? nil : "looks for peers are miscounted")
    }

    private static func broken(
        _ row: RunningOperation, asked: Int, storing: [OperationID: Int]
    ) -> String? {
        if let broken = row.walk.lookup.brokenInvariant { return broken }
        switch row.operation {
        case .put(let phase), .delete(let phase), .provide(let phase):
            if phase.inFlight != storing[row.walk.id, default: 0] { return "a put waits for no request" }
        default: break
        }
        // A lookup that has led to stores is over, and no longer told of late answers.
        let isWaiting = !row.operation.isStoring && row.walk.lookup.inFlight > asked
        return isWaiting ? "a lookup waits for no request" : nil
    }
}
