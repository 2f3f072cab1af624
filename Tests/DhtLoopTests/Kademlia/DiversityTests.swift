// RO:WHAT  The diversity cap: one network with a thousand ids among others, and networks that are all there is.
import Testing

@testable import DhtLoop

@Suite("DiversityCap")
struct DiversityTests {
    private let k = 20
    private let endpoints = EndpointTable(limit: 10_000)

    private func table(_ own: NodeID, share: Double = 0.25) -> RoutingTable {
        RoutingTable(ownID: own, k: k, diversityShare: share, endpoints: endpoints)
    }

    private func contact(_ id: NodeID, at host: String, port: Int = 9700) -> Contact {
        Contact(id: id, endpoint: endpoints.intern("\(host):\(port)") ?? .none)
    }

    /// A thousand ids behind one /24, half of them made to lie near `own`.
    private func attackers(of own: NodeID, _ generator: inout SeededGenerator) -> [Contact] {
        (0..<1_000).map { number in
            let prefix = number.isMultiple(of: 2) ? 0 : Int.random(in: 0..<40, using: &generator)
            let id = own.random(sharingPrefix: prefix, using: &generator)
            return contact(id, at: "203.0.113.\(number & 255)", port: 9000 + number)
        }
    }

    /// Nodes of so many networks, four in each.
    private func others(_ networks: Int, _ generator: inout SeededGenerator) -> [Contact] {
        (0..<4 * networks).map { number in
            contact(.random(using: &generator), at: "198.51.\(number / 4).\(number % 4 + 1)")
        }
    }

    private func held(_ table: RoutingTable, _ bucket: Int, of network: NetworkPrefix) -> Int {
        table.buckets[bucket].states.count { endpoints.network(of: $0.endpoint) == network }
    }

    @Test("a thousand ids of one network get its share of each bucket, no more", arguments: 1...20)
    func lateAttack(seed: Int) {
        var generator = SeededGenerator(seed: UInt64(seed))
        let own = NodeID.random(using: &generator)
        var table = table(own)
        let known = others(8 + seed, &generator)
        for other in known { _ = table.insert(other, nowUs: 1) }
        let before = table.count
        let network = endpoints.network(of: contact(.zero, at: "203.0.113.9").endpoint)
        for (index, attacker) in attackers(of: own, &generator).enumerated() {
            _ = table.insert(attacker, nowUs: UInt64(2 + index))
            // Now and then somebody leaves, and the attackers wait for the place.
            guard index.isMultiple(of: 10), let leaver = known.randomElement(using: &generator) else {
                continue
            }
            _ = table.fail(leaver.id, weight: 3, nowUs: UInt64(2 + index))
            _ = table.insert(leaver, nowUs: UInt64(2 + index))
        }
        for bucket in 0..<256 {
            #expect(held(table, bucket, of: network) <= 5, "seed \(seed), bucket \(bucket)")
        }
        let deepest = table.buckets.lastIndex { bucket in
            bucket.states.contains { endpoints.network(of: $0.endpoint) != network }
        }
        let total = (0..<256).reduce(0) { $0 + held(table, $1, of: network) }
        #expect(total <= 5 * ((deepest ?? 0) + 1), "seed \(seed): \(total) of \(table.count)")
        #expect(table.brokenInvariant(nowUs: 5_000) == nil, "seed \(seed)")
        let kept = table.count - total
        #expect(kept >= before * 3 / 4, "seed \(seed): \(kept) of \(before) others are there")
    }

    @Test("attackers who came first give way to others, once those have answered", arguments: 1...20)
    func earlyAttack(seed: Int) {
        var generator = SeededGenerator(seed: UInt64(seed))
        let own = NodeID.random(using: &generator)
        var table = table(own)
        for attacker in attackers(of: own, &generator) { _ = table.insert(attacker, nowUs: 1) }
        let network = endpoints.network(of: contact(.zero, at: "203.0.113.9").endpoint)
        #expect(held(table, 0, of: network) == k, "alone, they fill it")
        for other in others(20, &generator) { _ = table.insert(other, nowUs: 2) }
        for _ in 0..<500 {
            guard let spare = table.takeSpareForRoom() else { break }
            _ = table.insert(spare, nowUs: 3)
        }
        #expect(table.takeSpareForRoom() == nil, "seed \(seed): it comes to rest")
        for bucket in 0..<256 where held(table, bucket, of: network) > 5 {
            let waiting = table.buckets[bucket].spares.count { table.network(of: $0.endpoint) != network }
            #expect(waiting == 0, "seed \(seed), bucket \(bucket)")
        }
        #expect(held(table, 0, of: network) <= 5, "seed \(seed): 40 others belong there")
        #expect(table.brokenInvariant(nowUs: 3) == nil, "seed \(seed)")
    }

    @Test(
        "one hub, one lab, loopback and names fill the table as if there were no cap",
        arguments: ["203.0.113.1", "127.0.0.1", "hub.example", "[2001:db8::1]"])
    func oneNetwork(host: String) {
        var generator = SeededGenerator(seed: 7)
        let own = NodeID.random(using: &generator)
        var (capped, free) = (table(own), RoutingTable(ownID: own, k: k))
        for other in 0..<12 {
            // A few strangers are no reason to refuse all that there is.
            let stranger = contact(.random(using: &generator), at: "198.51.\(other).1")
            _ = (capped.insert(stranger, nowUs: 1), free.insert(stranger, nowUs: 1))
        }
        for number in 0..<1_000 {
            let node = contact(.random(using: &generator), at: host, port: 1 + number)
            _ = (capped.insert(node, nowUs: 1), free.insert(node, nowUs: 1))
        }
        #expect(capped.count == free.count && capped.count > 5 * k)
        #expect(capped.buckets.map(\.ids) == free.buckets.map(\.ids))
    }

    @Test("who was only named brings no cap into force")
    func hearsay() {
        var generator = SeededGenerator(seed: 8)
        let own = NodeID.random(using: &generator)
        var table = table(own)
        for number in 0..<400 {
            _ = table.insert(
                contact(.random(using: &generator), at: "203.0.113.1", port: 1 + number), nowUs: 1)
        }
        let count = table.count
        for number in 0..<100 {
            let claimed = contact(.random(using: &generator), at: "198.51.\(number).1")
            _ = table.hear(claimed, nowUs: 2, staleUs: 0)
        }
        let id = own.random(sharingPrefix: 60, using: &generator)
        for number in 0..<k {
            let near = contact(id.random(sharingPrefix: 100 + number, using: &generator), at: "203.0.113.2")
            #expect(table.insert(near, nowUs: 3) == .added)
        }
        #expect(table.count == count + k)
    }

    @Test("spares of a crowd give way before those of others")
    func crowdedSpares() {
        var generator = SeededGenerator(seed: 9)
        var table = table(.zero)
        func far() -> NodeID { NodeID.zero.random(sharingPrefix: 0, using: &generator) }
        for number in 0..<k {
            _ = table.insert(contact(far(), at: "hub.example", port: 1 + number), nowUs: 1)
        }
        let others = (0..<5).map { contact(far(), at: "198.51.\($0).1") }
        for other in others { _ = table.insert(other, nowUs: 2) }
        for number in 0..<100 {
            _ = table.insert(contact(far(), at: "203.0.113.1", port: 1 + number), nowUs: 3)
        }
        #expect(table.buckets[0].spares.count == k)
        #expect(others.allSatisfy { table.buckets[0].spares.contains($0) })
    }

    @Test(
        "a share of one is no cap, and the least share leaves a place to each network", arguments: [0.0, 1.0])
    func extremes(share: Double) {
        var generator = SeededGenerator(seed: 10)
        let own = NodeID.random(using: &generator)
        var table = table(own, share: share)
        for other in others(30, &generator) { _ = table.insert(other, nowUs: 1) }
        for attacker in attackers(of: own, &generator) { _ = table.insert(attacker, nowUs: 2) }
        let network = endpoints.network(of: contact(.zero, at: "203.0.113.9").endpoint)
        let counts = (0..<256).map { held(table, $0, of: network) }
        #expect(share == 1 ? counts[10] > 5 : counts.allSatisfy { $0 <= 1 })
    }
}
