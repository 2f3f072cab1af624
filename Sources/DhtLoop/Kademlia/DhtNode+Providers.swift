// RO:WHAT  provide and findProviders: who has a content, announced to and merged from the closest nodes.
// RO:WHY   A provider record is one of many under its key, so answers are merged, not compared.
// RO:METRICS  dht_provides_total

extension DhtNode {
    /// Starts to announce that `node`, a URI of 1...255 bytes, provides `cid` for `ttlSeconds` (clamped).
    ///
    /// - Returns: nil when `maxCalls` are in progress. The call ends as a put does.
    public mutating func provide(
        _ cid: Key, node: [UInt8], ttlSeconds: UInt64, nowUs: UInt64
    ) -> CallID? {
        guard let call = openCall(.provide, target: cid, nowUs) else { return nil }
        stats.provides += 1
        call.value = node
        call.result.ttlSeconds = clampedTtl(ttlSeconds)
        let id = call.id
        walk(call, nowUs)
        return id
    }

    /// Starts to search for providers of `cid`; it ends early once `limit` (1...64) are known. `paths` as for `get`.
    ///
    /// - Returns: nil when `maxCalls` are in progress.
    public mutating func findProviders(
        _ cid: Key, limit: Int, paths: Int? = nil, nowUs: UInt64
    ) -> CallID? {
        guard let call = openCall(.findProviders, target: cid, paths: paths, nowUs) else { return nil }
        call.limit = min(max(1, limit), Limits.contactsPerMessage)
        for provider in providers.find(cid, limit: call.limit, nowUs: nowUs) {
            call.found[provider.node] = Self.secondsLeft(until: provider.expiresAtUs, nowUs)
        }
        let id = call.id
        if call.found.count >= call.limit {
            finishFind(call, isComplete: true, nowUs)
        } else {
            walk(call, nowUs)
        }
        return id
    }

    /// A peer named the providers it knows.
    mutating func tookProviders(
        _ call: Call, with lists: borrowing MessageLists, from rpc: PendingRpc, _ nowUs: UInt64
    ) {
        for provider in lists.providers where provider.ttlSeconds > 0 && provider.node.count > 0 {
            let node = Array(provider.node.bytes)
            call.found[node] = max(call.found[node] ?? 0, min(provider.ttlSeconds, config.maxTtlSeconds))
        }
        tookContacts(call, lists.contacts, from: rpc, nowUs)
        if call.found.count >= call.limit {
            finishFind(call, isComplete: true, nowUs)
        } else {
            proceed(call, nowUs)
        }
    }

    /// Ends a search with what it has.
    mutating func finishFind(_ call: Call, isComplete: Bool, _ nowUs: UInt64) {
        let all = call.found.map { ProvidersResult.Provider(node: $0.key, ttlSeconds: $0.value) }
        let ordered = all.sorted {
            $0.ttlSeconds == $1.ttlSeconds
                ? $0.node.lexicographicallyPrecedes($1.node) : $0.ttlSeconds > $1.ttlSeconds
        }
        outbox.finish(
            call.id,
            .providers(
                ProvidersResult(
                    providers: Array(ordered.prefix(call.limit)), hops: call.lookup.hops,
                    elapsedUs: nowUs - call.startUs, isComplete: isComplete)))
        close(call)
    }
}
