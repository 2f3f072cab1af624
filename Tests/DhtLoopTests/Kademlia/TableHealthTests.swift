// RO:WHAT  Table health against tables made by hand, and the size estimate against networks of known size.
import Testing

@testable import DhtLoop

@Suite("TableHealth")
struct TableHealthTests {
    /// The table of a node that knows everyone who finds a place in it.
    private func table(of own: NodeID, among ids: [NodeID]) -> RoutingTable {
        var table = RoutingTable(ownID: own, k: 20)
        for id in ids { _ = table.insert(Contact(id: id, endpoint: EndpointID(rawValue: 1)), nowUs: 1) }
        return table
    }

    @Test("the size of a network is estimated within 35 % by most nodes", arguments: [100, 1_000, 10_000])
    func estimate(size: Int) {
        var estimates: [Double] = []
        for seed in 1...40 {
            var generator = SeededGenerator(seed: UInt64(seed))
            let ids = (0..<size).map { _ in NodeID.random(using: &generator) }
            estimates.append(table(of: ids[0], among: ids).networkSizeEstimate)
        }
        let good = estimates.count { abs($0 / Double(size) - 1) <= 0.35 }
        #expect(good >= 30, "seeds 1...40: \(estimates)")
        let mean = estimates.reduce(0, +) / 40
        #expect(abs(mean / Double(size) - 1) < 0.15, "seeds 1...40: mean \(mean)")
    }

    @Test("few nodes are counted", arguments: [0, 1, 5, 19])
    func few(others: Int) {
        var generator = SeededGenerator(seed: 2)
        let ids = (0..<others).map { _ in NodeID.random(using: &generator) }
        #expect(table(of: .zero, among: ids).networkSizeEstimate == Double(others + 1))
    }

    @Test("buckets that hold a contact are walked from the deepest, and no others")
    func deepestFirst() {
        for seed in UInt64(1)...50 {
            var generator = SeededGenerator(seed: seed)
            let own = NodeID.random(using: &generator)
            let prefixes = (0..<12).map { _ in Int.random(in: 0...255, using: &generator) }
            let ids = prefixes.map { own.random(sharingPrefix: $0, using: &generator) }
            let table = table(of: own, among: ids)
            let expected = Set(prefixes).sorted(by: >)
            #expect(Array(table.deepestFirst) == expected && table.deepest == expected[0], "seed \(seed)")
        }
        let empty = table(of: .zero, among: [])
        #expect(Array(empty.deepestFirst) == [] && empty.deepest == nil)
    }

    @Test("the same bit further along is half the share of the space")
    func shares() {
        for bit in 0..<192 {
            let share = NodeID.zero.flippingBit(bit).shareOfSpace
            #expect(share * 2 == (bit == 0 ? 1 : NodeID.zero.flippingBit(bit - 1).shareOfSpace))
        }
        #expect((~NodeID.zero).shareOfSpace <= 1)
    }

    @Test("fill, spares, age, depth and gaps are told")
    func health() {
        var generator = SeededGenerator(seed: 3)
        var table = RoutingTable(ownID: .zero, k: 2)
        func insert(_ prefix: Int, _ nowUs: UInt64) {
            let id = NodeID.zero.random(sharingPrefix: prefix, using: &generator)
            _ = table.insert(Contact(id: id, endpoint: EndpointID(rawValue: 1)), nowUs: nowUs)
        }
        #expect(table.health(nowUs: 5) == TableHealth())
        insert(0, 10)
        insert(0, 20)
        insert(0, 30)
        insert(3, 40)
        let expected = TableHealth(
            contacts: 3, spares: 1,
            buckets: [
                TableHealth.Bucket(prefix: 0, contacts: 2, spares: 1, oldestSilenceUs: 90),
                TableHealth.Bucket(prefix: 3, contacts: 1, spares: 0, oldestSilenceUs: 60),
            ], deepest: 3, gaps: [1, 2], oldestSilenceUs: 90)
        #expect(table.health(nowUs: 100) == expected)
    }

    @Test("contacts are counted by network, those without one left out")
    func networks() throws {
        let endpoints = EndpointTable(limit: 100)
        var table = RoutingTable(ownID: .zero, k: 20, endpoints: endpoints)
        let hosts = ["10.0.0.1:1", "10.0.0.2:1", "10.0.1.1:1", "127.0.0.1:1", "a.example:1"]
        for (index, host) in hosts.enumerated() {
            let contact = Contact(
                id: NodeID(1, 0, 0, UInt64(index)), endpoint: try #require(endpoints.intern(host)))
            _ = table.insert(contact, nowUs: 1)
        }
        #expect(table.contactsByNetwork == [1, 2])
    }
}
