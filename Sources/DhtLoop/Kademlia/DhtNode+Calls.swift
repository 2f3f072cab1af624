// RO:WHAT  What a caller may ask of a node: get, put, delete, provide, find providers, ping.
// RO:WHY   One face for the daemon, the simulator and whoever embeds a node.
// RO:METRICS  dht_put_total, dht_get_total, dht_provides_total
// RO:TEST  Tests/DhtLoopTests/Kademlia/RecordTests.swift, Tests/DhtLoopTests/Kademlia/PutTests.swift

extension DhtNode {
    /// Starts to search for `key`. The answer comes as a `.finished` action, perhaps at once.
    ///
    /// - Parameters:
    ///   - quorum: copies to compare before the newest is believed, 1...k; 1 takes the first one met.
    ///   - paths: disjoint paths to walk on, 1...`NodeConfig.maxPaths`; nil for as many as configured.
    ///   - isExplained: ask every node on the way, and tell how it went.
    /// - Returns: nil when `maxCalls` are in progress.
    public mutating func get(
        _ key: Key, quorum: Int = 1, paths: Int? = nil, isExplained: Bool = false, nowUs: UInt64
    ) -> OperationID? {
        operations.get(key, quorum: quorum, paths: paths, isExplained: isExplained, nowUs, &core)
    }

    /// Starts to store `value` under `key` on the REPLICA closest nodes, for `ttlSeconds` (clamped).
    ///
    /// `seq` is the record's version; the higher one wins, so callers pass the wall clock in microseconds. A
    /// replica that has a higher one says so, and the put goes over it, once.
    /// - Returns: nil when `maxCalls` are in progress.
    public mutating func put(
        _ key: Key, value: [UInt8], seq: UInt64, ttlSeconds: UInt64?, paths: Int? = nil, nowUs: UInt64
    ) -> OperationID? {
        let item = StorePhase.Item.record(value: value, isTombstone: false, isPublished: ttlSeconds == nil)
        let phase = StorePhase(
            item, seq: seqOver(key, seq, nowUs),
            ttlSeconds: core.context.clampedTtl(ttlSeconds ?? config.ttlSeconds))
        return write(.put(phase), key, paths: paths, nowUs)
    }

    /// Starts to delete `key`: a version without a value, which lives at least as long as any replica written
    /// with the default life, or the one that is here.
    ///
    /// - Returns: nil when `maxCalls` are in progress. The operation ends as a put does.
    public mutating func delete(_ key: Key, seq: UInt64, nowUs: UInt64) -> OperationID? {
        let here = core.records.find(key, nowUs).map { secondsLeft(until: $0.expiresAtUs, nowUs) }
        let phase = StorePhase(
            .record(value: [], isTombstone: true, isPublished: false), seq: seqOver(key, seq, nowUs),
            ttlSeconds: core.context.clampedTtl(max(config.ttlSeconds, here ?? 0)))
        return write(.delete(phase), key, paths: nil, nowUs)
    }

    private mutating func write(
        _ operation: Operation, _ key: Key, paths: Int?, _ nowUs: UInt64
    ) -> OperationID? {
        let (id, end) = operations.store(operation, key, paths: paths, nowUs, &core)
        // What was published before is over; the new version's own publication comes with its end.
        if id != nil { replicator.forget(key) }
        take(end, nowUs)
        return id
    }

    /// `seq`, or one more than that of the version that is stored here.
    private func seqOver(_ key: Key, _ seq: UInt64, _ nowUs: UInt64) -> UInt64 {
        core.records.find(key, nowUs).map { max(seq, $0.seq == .max ? .max : $0.seq + 1) } ?? seq
    }

    /// Starts to announce that `node`, a URI of 1...255 bytes, provides `cid` for `ttlSeconds` (clamped).
    ///
    /// - Returns: nil when `maxCalls` are in progress. The operation ends as a put does.
    public mutating func provide(
        _ cid: Key, node: [UInt8], ttlSeconds: UInt64, nowUs: UInt64
    ) -> OperationID? {
        let phase = StorePhase(
            .provider(node: node), seq: 0, ttlSeconds: core.context.clampedTtl(ttlSeconds))
        let (id, end) = operations.store(.provide(phase), cid, nowUs, &core)
        take(end, nowUs)
        return id
    }

    /// Starts to search for providers of `cid`; it ends early once `limit` (1...64) are known. `paths` as for `get`.
    ///
    /// - Returns: nil when `maxCalls` are in progress.
    public mutating func findProviders(
        _ cid: Key, limit: Int, paths: Int? = nil, nowUs: UInt64
    ) -> OperationID? {
        operations.findProviders(cid, limit: limit, paths: paths, nowUs, &core)
    }

    /// Starts to find the node `id` and to ask it something: a walk towards it that ends when it answers.
    ///
    /// - Returns: nil when `maxCalls` are in progress.
    public mutating func ping(_ id: NodeID, nowUs: UInt64) -> OperationID? {
        operations.ping(id, nowUs, &core)
    }
}
