// RO:WHAT  TableHealth: fill, age and gaps of the routing table, its networks, and how large the network seems.
// RO:WHY   A table goes bad long before lookups fail; an operator should see it there first.
// RO:METRICS  dht_network_size_estimate, dht_routing_network_entropy
// RO:TEST  Tests/DhtLoopTests/Kademlia/TableHealthTests.swift

/// What a look at a routing table shows.
public struct TableHealth: Equatable, Sendable {
    /// One bucket that holds a contact or a spare.
    public struct Bucket: Equatable, Sendable {
        /// Bits that its contacts share with the own id.
        public var prefix: Int
        public var contacts: Int
        public var spares: Int
        /// Microseconds since its longest silent contact was heard; 0 when it has none.
        public var oldestSilenceUs: UInt64
    }

    public var contacts = 0
    public var spares = 0
    /// In ascending order of `prefix`.
    public var buckets: [Bucket] = []
    /// The deepest bucket that holds a contact; nil when none does.
    public var deepest: Int?
    /// Buckets nearer to the root than that which hold none.
    public var gaps: [Int] = []
    /// Microseconds since the longest silent contact was heard.
    public var oldestSilenceUs: UInt64 = 0
}

extension RoutingTable {
    /// How the table is now.
    public func health(nowUs: UInt64) -> TableHealth {
        var health = TableHealth()
        health.deepest = deepest
        for (prefix, bucket) in buckets.enumerated() {
            if bucket.count == 0, prefix < health.deepest ?? 0 { health.gaps.append(prefix) }
            guard bucket.count + bucket.spares.count > 0 else { continue }
            let heardUs = bucket.states.map(\.lastSeenUs).min() ?? nowUs
            let silenceUs = nowUs - min(nowUs, heardUs)
            health.buckets.append(
                TableHealth.Bucket(
                    prefix: prefix, contacts: bucket.count, spares: bucket.spares.count,
                    oldestSilenceUs: silenceUs))
            health.contacts += bucket.count
            health.spares += bucket.spares.count
            health.oldestSilenceUs = max(health.oldestSilenceUs, silenceUs)
        }
        return health
    }

    /// Contacts in each network, fewest first; those without a network are left out.
    public var contactsByNetwork: [Int] {
        guard let endpoints else { return [] }
        var counts: [NetworkPrefix: Int] = [:]
        for bucket in buckets {
            for state in bucket.states { counts[endpoints.network(of: state.endpoint), default: 0] += 1 }
        }
        counts[.none] = nil
        return counts.values.sorted()
    }

    /// How many nodes the network seems to have, this one included.
    ///
    /// Of N ids spread evenly over the key space, the distance d of the k-th nearest, as a share of the space, is
    /// distributed as Gamma(k, N); so (k - 1) / d is N on average and, given the k nearest, tells all that they tell
    /// (Horowitz and Malkhi, "Estimating network size from local information", IPL 88, 2003). Its relative standard
    /// deviation is 1 / sqrt(k - 2): 24 % with k = 20. A table of fewer than k contacts knows everyone: they are
    /// counted.
    public var networkSizeEstimate: Double {
        guard count >= k, k > 2 else { return Double(count + 1) }
        var distances: [Double] = []
        for bucket in deepestFirst {
            distances += buckets[bucket].ids.map { $0.distance(to: ownID).shareOfSpace }
            if distances.count >= k { break }
        }
        distances.sort()
        return max(Double(count), Double(k - 1) / distances[k - 1]) + 1
    }
}
