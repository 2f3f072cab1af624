// RO:WHAT  How good tables are and how many copies of records live, seen from above.
// RO:WHY   A lookup may succeed by luck; tables that miss their neighbours, and lone copies, show first here.

import DhtLoop

/// What tables are worth.
struct TableQuality {
    /// Mean contacts of a node.
    var contacts = 0.0
    /// Share of each node's true K closest live nodes that its table knows.
    var neighboursKnown = 0.0
    /// Share of contacts that are not alive.
    var dead = 0.0
    /// Median of how many nodes they make the network out to have.
    var sizeEstimate = 0
}

extension Simulation {
    /// Nodes looked at; all, when there are fewer.
    private static let qualitySample = 100

    /// Judges evenly chosen tables against the whole population.
    func tableQuality() -> TableQuality {
        let alive = sites.indices.filter { sites[$0].machine != nil }
        let step = max(1, alive.count / Self.qualitySample)
        var (contacts, dead, known, wanted) = (0, 0, 0, 0)
        var sizes = Samples()
        let idOfEndpoint = config.nodes.hubs == 0
        for position in stride(from: 0, to: alive.count, by: step) {
            guard let machine = sites[alive[position]].machine else { continue }
            contacts += machine.node.table.count
            sizes.add(Int(machine.node.table.networkSizeEstimate))
            if idOfEndpoint { dead += deadContacts(machine.node.table) }
            let closest = closestLive(to: sites[alive[position]].id, among: alive, config.nodes.k)
            wanted += closest.count
            known += closest.count { machine.node.table.state(of: $0) != nil }
        }
        let looked = (alive.count + step - 1) / max(1, step)
        return TableQuality(
            contacts: Double(contacts) / Double(max(1, looked)),
            neighboursKnown: wanted == 0 ? 1 : Double(known) / Double(wanted),
            dead: Double(dead) / Double(max(1, contacts)), sizeEstimate: sizes.percentile(0.5))
    }

    /// Contacts of nodes that are gone; with hubs an endpoint does not tell.
    private func deadContacts(_ table: RoutingTable) -> Int {
        var dead = 0
        for bucket in table.buckets {
            for state in bucket.states {
                guard let site = site(at: state.endpoint), sites[site].isUp else {
                    dead += 1
                    continue
                }
            }
        }
        return dead
    }

    /// The ids of the `wanted` live nodes nearest to `id`, itself left out.
    private func closestLive(to id: NodeID, among alive: [Int], _ wanted: Int) -> [NodeID] {
        var nearest: [NodeID] = []
        for site in alive where sites[site].id != id {
            let distance = sites[site].id.distance(to: id)
            guard nearest.count < wanted || distance < nearest[nearest.count - 1] else { continue }
            let place = nearest.firstIndex { distance < $0 } ?? nearest.count
            nearest.insert(distance, at: place)
            if nearest.count > wanted { nearest.removeLast() }
        }
        return nearest.map { $0.distance(to: id) }
    }

    /// Live copies of each record.
    func replicas() -> [Int] {
        var counts = [Int](repeating: 0, count: workload.records.count)
        var indexOfKey: [Key: Int] = [:]
        for (index, record) in workload.records.enumerated() { indexOfKey[record.key] = index }
        for site in sites.indices where !(isHostile && sites[site].isAdversary) {
            sites[site].machine?.node.store.forEachKey { key in
                if let index = indexOfKey[key] { counts[index] += 1 }
            }
        }
        return counts
    }

    /// Adds a point to the time series.
    func takeSample(atSeconds: Double) {
        var point = SamplePoint()
        point.atSeconds = atSeconds
        point.alive = callers.count
        point.gets = measurements.recentGets
        point.found = measurements.recentFound
        let counts = replicas()
        let seeded = workload.seeded
        point.recordsLost = seeded.count { counts[$0] == 0 }
        let copies = seeded.reduce(0) { $0 + counts[$1] }
        point.replicasMean = Double(copies) / Double(max(1, seeded.count))
        point.neighboursKnown = tableQuality().neighboursKnown
        point.sessionsMean = Double(sessions.count) / Double(max(1, callers.count))
        measurements.series.append(point)
        (measurements.recentGets, measurements.recentFound) = (0, 0)
    }

    /// The median round trip between two random live sites, in microseconds, without jitter.
    func medianRoundTripUs() -> Int {
        var samples = Samples()
        var draws = Chance(seed: config.seed)
        for _ in 0..<10_000 where callers.count > 1 {
            let (a, b) = (callers[draws.below(callers.count)], callers[draws.below(callers.count)])
            guard a != b else { continue }
            let slowness: UInt64 = sites[a].isSlow || sites[b].isSlow ? 10 : 1
            samples.add(Int(2 * slowness * latency.baseUs(a, b)))
        }
        return samples.percentile(0.5)
    }
}
