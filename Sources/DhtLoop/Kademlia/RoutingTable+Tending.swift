// RO:WHAT  What a table knows of itself: who is doubted, who was silent longest, who answers soonest, who is near.
// RO:WHY   Upkeep does one thing at a time; these say which one is due.
// RO:INVARIANTS  nothing here changes the table.
// RO:TEST  Tests/DhtLoopTests/Kademlia/RoutingTableTests.swift

extension RoutingTable {
    /// A contact that others are no longer told of: one more ping decides.
    func doubted() -> Contact? {
        for bucket in buckets {
            if let index = bucket.states.firstIndex(where: { $0.failures >= Self.quietFailures }) {
                return bucket.contact(index)
            }
        }
        return nil
    }

    /// The contacts at `endpoint` among the nearest `limit`, by whole buckets.
    func neighbours(at endpoint: EndpointID, ofNearest limit: Int) -> [Contact] {
        var (found, looked) = ([Contact](), 0)
        for bucket in deepestFirst where looked < limit {
            for index in buckets[bucket].states.indices
            where buckets[bucket].states[index].endpoint == endpoint {
                found.append(buckets[bucket].contact(index))
            }
            looked += buckets[bucket].count
        }
        return found
    }

    /// The contact that was not seen for longest, if that is `staleUs` ago: of the `limit` nearest to the own
    /// id, or of all.
    func stalest(ofNearest limit: Int = .max, nowUs: UInt64, staleUs: UInt64) -> Contact? {
        var (best, oldestUs, looked) = (Contact?.none, nowUs - min(nowUs, staleUs), 0)
        for bucket in deepestFirst where looked < limit {
            for index in buckets[bucket].states.indices
            where buckets[bucket].states[index].lastSeenUs < oldestUs {
                oldestUs = buckets[bucket].states[index].lastSeenUs
                best = buckets[bucket].contact(index)
            }
            looked += buckets[bucket].count
        }
        return best
    }

    /// The endpoints of the contacts that answer soonest, so many of each bucket, the fullest buckets' first: those
    /// hold the most of all keys.
    func soonest(perBucket limit: Int) -> [EndpointID] {
        var endpoints: [EndpointID] = []
        for bucket in buckets where bucket.count > 0 {
            let good = bucket.states.filter { $0.failures == 0 && $0.rtt.isMeasured }
            let fastest = good.sorted { $0.rtt.smoothedUs < $1.rtt.smoothedUs }.prefix(limit)
            for state in fastest where !endpoints.contains(state.endpoint) {
                endpoints.append(state.endpoint)
            }
        }
        return endpoints
    }

    /// A bucket in whose range nothing was looked up since `sinceUs`, of those that can hold anyone: no deeper
    /// than the deepest that does.
    func unvisitedBucket(sinceUs: UInt64) -> Int? {
        guard let deepest else { return nil }
        return (0...deepest).first { buckets[$0].lastLookupUs < sinceUs }
    }

    /// The deepest bucket that is at least half full: ids that share more bits are so few that the table holds them
    /// all. 0 for a small network.
    var crowdedDepth: Int {
        deepestFirst.first { 2 * buckets[$0].count >= k } ?? 0
    }

    /// Whether `id` lies where this node's neighbours do: at most two buckets farther than the nearest `count`.
    func isNear(_ id: NodeID, neighbours count: Int) -> Bool {
        guard let bucket = bucketIndex(of: id) else { return false }
        return bucket + 2 >= depth(ofNearest: count)
    }

    /// The deepest bucket with which the nearest `count` contacts are complete; 0 when there are fewer.
    private func depth(ofNearest count: Int) -> Int {
        var found = 0
        for bucket in deepestFirst {
            found += buckets[bucket].count
            if found >= count { return bucket }
        }
        return 0
    }
}
