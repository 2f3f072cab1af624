// RO:WHAT  Whether a routing table and a lookup still add up.
// RO:WHY   The invariants that their files state, as code that walks everything: for tests and simulations.
// RO:TEST  Tests/DhtSimTests/SimulationTests.swift

extension RoutingTable {
    /// As `DhtNode.brokenInvariant`.
    func brokenInvariant(nowUs: UInt64) -> String? {
        var total = 0
        for index in buckets.indices where buckets[index].count + buckets[index].spares.count > 0 {
            total += buckets[index].count
            if let broken = broken(index, nowUs) { return "bucket \(index) \(broken)" }
        }
        return total == count ? nil : "\(total) contacts are counted as \(count)"
    }

    private func broken(_ index: Int, _ nowUs: UInt64) -> String? {
        let bucket = buckets[index]
        if bucket.count > k || bucket.spares.count > k { return "is over its size" }
        if bucket.heard > bucket.spares.count { return "miscounts its spares" }
        for (place, id) in bucket.ids.enumerated() {
            if bucketIndex(of: id) != index { return "holds a contact of another, or the own id" }
            if bucket.index(of: id) != place { return "holds a contact twice" }
        }
        if bucket.spares.contains(where: { bucketIndex(of: $0.id) != index }) {
            return "holds a spare of another"
        }
        if bucket.states.contains(where: { $0.lastSeenUs > nowUs || $0.endpoint == .none }) {
            return "holds a contact of the future, or of nowhere"
        }
        return nil
    }
}

extension Lookup {
    /// As `DhtNode.brokenInvariant`.
    var brokenInvariant: String? {
        if inFlight
            != peers.count(where: { $0.progress == .asked || $0.progress == .overdue || $0.isTelling })
        {
            return "inFlight is miscounted"
        }
        let isSorted = zip(peers, peers.dropFirst()).allSatisfy { $0.distance < $1.distance }
        return isSorted ? nil : "the peers of a lookup are out of order"
    }
}
