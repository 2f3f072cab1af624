// RO:WHAT  get: the first copy, or the newest of a quorum; what is stale or missing is mended on the way.
// RO:WHY   A caller must be able to tell "nobody has it" from "nobody said so", and a reader that met an old
//          version is the cheapest repairer there is.
// RO:INVARIANTS  the newest version met wins: higher seq, then a tombstone, then the greater bytes.
// RO:METRICS  dht_get_total, dht_found_total, dht_get_latency_seconds

extension DhtNode {
    /// A cached copy that would live shorter is not worth its message, in seconds.
    private static let leastCacheSeconds: UInt64 = 10

    /// Starts to search for `key`. The answer comes as a `.finished` action, perhaps at once.
    ///
    /// - Parameters:
    ///   - quorum: copies to compare before the newest is believed, 1...k; 1 takes the first one met.
    ///   - paths: disjoint paths to walk on, 1...`NodeConfig.maxPaths`; nil for as many as configured.
    ///   - isExplained: ask every node on the way, and tell how it went.
    /// - Returns: nil when `maxCalls` are in progress.
    public mutating func get(
        _ key: Key, quorum: Int = 1, paths: Int? = nil, isExplained: Bool = false, nowUs: UInt64
    ) -> CallID? {
        guard let call = openCall(.get, target: key, paths: paths, nowUs) else { return nil }
        stats.gets += 1
        let id = call.id
        call.quorum = isExplained ? config.k : min(max(1, quorum), config.k)
        call.isExplained = isExplained
        if let record = store.find(key, nowUs: nowUs) {
            call.best = Version(stored: record, nowUs)
            if call.quorum == 1 {
                finishGet(call, isComplete: true, hops: 0, nowUs)
                return id
            }
        }
        if call.quorum == 1, paths == nil {
            if let walk = walkOfKey[key], let leader = calls[walk] {
                leader.followers.append(id)
                return id
            }
            walkOfKey[key] = id
        }
        walk(call, nowUs)
        return id
    }

    /// A peer has a version of the record.
    mutating func tookVersion(
        _ call: Call, _ record: RecordView, with lists: borrowing MessageLists, from rpc: PendingRpc,
        _ nowUs: UInt64
    ) {
        let version = Version(
            seq: record.seq, ttlSeconds: record.ttlSeconds, value: Array(record.value.bytes),
            isTombstone: record.isTombstone)
        call.holders.append((rpc.contact, version))
        if call.best.map({ version.wins(over: $0) }) ?? true { call.best = version }
        let hop = call.lookup.hop(of: rpc.dst) + Int(rpc.furtherAnswers)
        tookContacts(call, lists.contacts, from: rpc, nowUs)
        guard call.holders.count < call.quorum else {
            return finishGet(call, isComplete: true, hops: hop, nowUs)
        }
        proceed(call, nowUs)
    }

    /// The closest nodes have all answered.
    mutating func searchedAll(_ call: Call, _ nowUs: UInt64) {
        if call.isUnanswered, call.best == nil { stats.errors[.deadline] += 1 }
        finishGet(call, isComplete: !call.isUnanswered, hops: call.lookup.hops, nowUs)
    }

    /// The deadline came first.
    mutating func searchCut(_ call: Call, _ nowUs: UInt64) {
        finishGet(call, isComplete: false, hops: call.lookup.hops, nowUs)
    }

    /// Tells the caller and those who share the walk, then mends what was stale.
    private mutating func finishGet(_ call: Call, isComplete: Bool, hops: Int, _ nowUs: UInt64) {
        let outcome: GetResult.Outcome =
            if let best = call.best, !best.isTombstone {
                .found(value: best.value, seq: best.seq, ttlSeconds: best.ttlSeconds)
            } else {
                call.best != nil || isComplete ? .notFound : .timedOut
            }
        let result = GetResult(
            outcome: outcome, hops: hops, copies: call.holders.count, trace: call.trace)
        tell(call, result, nowUs)
        for id in call.followers {
            guard let follower = calls[id] else { continue }
            tell(follower, result, nowUs)
            close(follower)
        }
        mend(call, nowUs)
        close(call)
    }

    private mutating func tell(_ call: Call, _ result: GetResult, _ nowUs: UInt64) {
        var result = result
        result.elapsedUs = nowUs - call.startUs
        if case .found = result.outcome { stats.found += 1 }
        stats.getLatency.observe(microseconds: result.elapsedUs)
        outbox.finish(call.id, .get(result))
    }

    // MARK: - Mending

    /// Those who gave an older version get the newest (read-repair); and after a plain get, the closest node
    /// that lacked the record keeps a copy for a while.
    private mutating func mend(_ call: Call, _ nowUs: UInt64) {
        guard let best = call.best, best.ttlSeconds > 0 else { return }
        for holder in call.holders where best.wins(over: holder.version) {
            stats.repairs += 1
            give(best, call.lookup.target, to: holder.contact, nowUs)
        }
        guard call.quorum == 1, !best.isTombstone, !call.holders.isEmpty else { return }
        cache(best, call, nowUs)
    }

    /// Kademlia paper, 2.3: the life of a cached copy shrinks exponentially with the nodes between its holder
    /// and the key, so that hot records spread and cold ones don't linger.
    private mutating func cache(_ version: Version, _ call: Call, _ nowUs: UInt64) {
        var nearer = 0
        for peer in call.lookup.peers {
            let lacksIt = !call.holders.contains { $0.contact.id == peer.contact.id }
            if peer.progress == .answered, lacksIt {
                let excess = max(0, nearer + 1 - config.replica)
                let life = excess < 32 ? version.ttlSeconds >> UInt64(excess + 1) : 0
                guard life >= Self.leastCacheSeconds else { return }
                var copy = version
                copy.ttlSeconds = life
                stats.cached += 1
                give(copy, call.lookup.target, to: peer.contact, nowUs)
                return
            }
            nearer += 1
        }
    }

    /// Sends a record nobody waits for; false when too many requests are pending, or the peer is busy.
    @discardableResult
    mutating func give(
        _ version: Version, _ key: Key, to contact: Contact, as purpose: RpcPurpose = .gift, _ nowUs: UInt64
    ) -> Bool {
        guard !busyPeers.holds(contact.id, nowUs),
            let start = beginRequest(.put, to: contact, purpose, nowUs)
        else { return false }
        version.value.withUnsafeBytes {
            outbox.bytes.appendPut(
                key: key, seq: version.seq, ttlSeconds: version.ttlSeconds, value: $0,
                isTombstone: version.isTombstone)
        }
        outbox.send(to: contact.endpoint, from: start)
        return true
    }
}
