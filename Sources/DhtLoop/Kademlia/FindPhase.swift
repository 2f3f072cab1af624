// RO:WHAT  find providers: which nodes have a content, merged from what the closest nodes know.
// RO:WHY   A provider record is one of many under its key, so answers are merged, not compared.
// RO:TEST  Tests/DhtLoopTests/Kademlia/ProviderTests.swift

/// What a search for providers has found so far.
struct FindPhase {
    /// It ends once so many are known.
    let limit: Int
    /// Seconds that each provider's record has left, by URI.
    private var found: [[UInt8]: UInt64] = [:]

    init(limit: Int) { self.limit = limit }

    var hasEnough: Bool { found.count >= limit }

    /// Takes in a provider that the local node knows.
    mutating func add(_ node: [UInt8], ttlSeconds: UInt64) { found[node] = ttlSeconds }

    /// Takes in those that a peer named.
    mutating func took(_ providers: [ProviderView], maxTtlSeconds: UInt64) {
        for provider in providers where provider.ttlSeconds > 0 && provider.node.count > 0 {
            let node = Array(provider.node.bytes)
            found[node] = max(found[node] ?? 0, min(provider.ttlSeconds, maxTtlSeconds))
        }
    }

    /// What the caller is told: those with the longest life first.
    func result(hops: Int, elapsedUs: UInt64, isComplete: Bool) -> ProvidersResult {
        assert(limit > 0 && found.values.allSatisfy { $0 > 0 }, "a provider whose life is over")
        let all = found.map { ProvidersResult.Provider(node: $0.key, ttlSeconds: $0.value) }
        let ordered = all.sorted {
            $0.ttlSeconds == $1.ttlSeconds
                ? $0.node.lexicographicallyPrecedes($1.node) : $0.ttlSeconds > $1.ttlSeconds
        }
        return ProvidersResult(
            providers: Array(ordered.prefix(limit)), hops: hops, elapsedUs: elapsedUs, isComplete: isComplete)
    }
}
