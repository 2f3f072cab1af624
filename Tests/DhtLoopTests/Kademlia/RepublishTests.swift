// RO:WHAT  Publications: what is remembered, whom a walk has found, and records that stay alive in a cluster.
// RO:WHY   A record that its publisher forgets is gone after a day, and nobody is told.
import Testing

@testable import DhtLoop

@Suite("Publications")
struct PublicationsTests {
    private static func key(_ first: UInt64, _ last: UInt64 = 0) -> Key { NodeID(first << 56, 0, 0, last) }

    @Test("keys lie in bins by their first byte, in descending order, and are counted")
    func bins() {
        var publications = Publications(budgetBytes: 1 << 20)
        #expect(publications.keys(inBin: 3).isEmpty && publications.find(Self.key(3)) == nil)
        for last in [UInt64(2), 9, 5] {
            _ = publications.set(Self.key(3, last), seq: last, value: [UInt8(last)])
        }
        let isTaken = publications.set(Self.key(255), seq: 1, value: [])
        #expect(isTaken && publications.keys(inBin: 3) == [9, 5, 2].map { Self.key(3, $0) })
        #expect(publications.keys(inBin: 255) == [Self.key(255)] && publications.keys(inBin: 4).isEmpty)
        #expect(publications.count == 4 && publications.find(Self.key(3, 9))?.value == [9])
        for last in [UInt64(2), 9, 9, 5] { publications.remove(Self.key(3, last)) }
        publications.remove(Self.key(255))
        #expect(publications.count == 0 && publications.bytes == 0)
    }

    @Test("a newer version takes the place of an older one, an older one changes nothing")
    func versions() {
        var publications = Publications(budgetBytes: 1 << 20)
        _ = publications.set(Self.key(1), seq: 5, value: [5, 5])
        let bytes = publications.bytes
        _ = publications.set(Self.key(1), seq: 4, value: [4])
        #expect(publications.find(Self.key(1))?.value == [5, 5] && publications.bytes == bytes)
        _ = publications.set(Self.key(1), seq: 6, value: [6])
        #expect(publications.find(Self.key(1))?.seq == 6 && publications.bytes == bytes - 1)
        #expect(publications.count == 1)
    }

    @Test("what is over the budget is not remembered, nor is the version that it would replace")
    func budget() {
        var publications = Publications(budgetBytes: 1_000)
        var taken = 0
        for last in 0..<10 as Range<UInt64>
        where publications.set(Self.key(1, last), seq: 1, value: [0, 0, 0, 0]) {
            taken += 1
        }
        #expect(taken == 10 && publications.bytes == 1_000)
        var isTaken = publications.set(Self.key(1, 10), seq: 1, value: [])
        #expect(!isTaken && publications.count == 10)
        isTaken = publications.set(Self.key(1, 0), seq: 2, value: [0, 0, 0, 0, 0])
        #expect(!isTaken)
        #expect(publications.find(Self.key(1, 0)) == nil && publications.count == 9)
        isTaken = publications.set(Self.key(1, 10), seq: 1, value: [])
        #expect(isTaken)
    }
}

@Suite("Region")
struct RegionTests {
    /// A world in which a walk has found the nodes closest to `center`.
    private struct World {
        let center: NodeID
        let ids: [NodeID]
        let k: Int
        let replica: Int

        init(seed: UInt64) {
            var generator = SeededGenerator(seed: seed)
            k = .random(in: 1...20, using: &generator)
            replica = .random(in: 1...k, using: &generator)
            ids = (0..<Int.random(in: 0...200, using: &generator)).map { _ in .random(using: &generator) }
            center = .random(using: &generator)
        }

        var region: Region {
            var lookup = Lookup()
            lookup.start(target: center, ownID: .zero, plan: Lookup.Plan(width: k, k: k, alpha: 3))
            for (index, id) in ids.enumerated() {
                lookup.add(Contact(id: id, endpoint: EndpointID(rawValue: UInt32(index + 1))))
            }
            return Region(around: lookup, k: k, replica: replica)
        }

        func closest(to key: Key) -> [NodeID] {
            Array(ids.sorted { $0.distance(to: key) < $1.distance(to: key) }.prefix(replica))
        }
    }

    @Test("for each key that it covers it names the closest nodes there are, its centre's among them")
    func holders() {
        var covered = 0
        for seed in UInt64(1)...2_000 {
            let world = World(seed: seed)
            let region = world.region
            var generator = SeededGenerator(seed: seed &+ 77_777)
            #expect(region.covers(world.center), "seed \(seed)")
            let keys =
                [world.center] + (0..<16).map { world.center.random(sharingPrefix: $0, using: &generator) }
            for key in keys where region.covers(key) {
                covered += key != world.center && world.ids.count >= world.k ? 1 : 0
                let named = region.holders(of: key, replica: world.replica).map(\.id)
                #expect(named == world.closest(to: key), "seed \(seed)")
            }
        }
        #expect(covered > 2_000)
    }

    @Test("one that has found fewer than K has found all there are, and covers every key")
    func everyone() {
        for seed in UInt64(1)...200 {
            let world = World(seed: seed)
            guard world.ids.count < world.k else { continue }
            var generator = SeededGenerator(seed: seed)
            #expect(world.region.covers(.random(using: &generator)), "seed \(seed)")
        }
    }
}

extension DhtNodeTests {
    @Suite("Republishing in a cluster")
    struct RepublishTests {
        private static let second = DhtNodeTests.second
        private static let cycleUs = 256 * second

        /// Nodes that refresh each record every 256 s; without that it lives 400 s.
        private func cluster(_ count: Int, seed: UInt64) -> TestNetwork {
            let network = TestNetwork()
            for index in 0..<count {
                network.add(seed: seed &* 10_000 &+ UInt64(index)) {
                    ($0.republishUs, $0.ttlSeconds) = (Self.cycleUs, 400)
                }
            }
            network.run(us: 10 * Self.second)
            return network
        }

        private func put(
            _ network: TestNetwork, on index: Int, _ key: Key, seq: UInt64 = 1, ttlSeconds: UInt64? = nil
        ) throws {
            let box = network.nodes[index]
            let id = box.node.put(
                key, value: [1], seq: seq, ttlSeconds: ttlSeconds, nowUs: network.nowUs)
            network.collect(index)
            network.run(us: Self.second)
            guard case .put(let result)? = box.results[try #require(id)] else { throw Missing() }
            #expect(result.acks == result.wanted)
        }

        private func holders(_ network: TestNetwork, _ key: Key) -> Int {
            network.nodes.count { $0.node.store.find(key, nowUs: network.nowUs)?.isTombstone == false }
        }

        private func publications(_ network: TestNetwork, _ index: Int) -> Int {
            network.nodes[index].node.publications.count
        }

        private func republished(_ network: TestNetwork, _ index: Int) -> UInt64 {
            network.nodes[index].node.stats.republished
        }

        private func isSound(_ network: TestNetwork) -> Bool {
            network.nodes.allSatisfy { $0.node.brokenInvariant(nowUs: network.nowUs) == nil }
        }

        @Test(
            "a record with the default life is refreshed once in each cycle, one with a life of its own never"
        )
        func once() throws {
            let network = cluster(8, seed: 1)
            let (kept, left) = (NodeID(4, 4, 4, 4), NodeID(5, 5, 5, 5))
            try put(network, on: 2, kept)
            try put(network, on: 2, left, ttlSeconds: 400)
            network.run(us: 10 * Self.cycleUs)
            #expect((9...11).contains(republished(network, 2)) && publications(network, 2) == 1)
            #expect(holders(network, kept) >= 3 && holders(network, left) == 0)
            #expect(isSound(network))
        }

        @Test("one that was deleted, or put again with a life of its own, is not refreshed any more")
        func ended() throws {
            let network = cluster(6, seed: 2)
            let (deleted, again) = (NodeID(4, 4, 4, 4), NodeID(5, 5, 5, 5))
            try put(network, on: 1, deleted)
            try put(network, on: 1, again)
            #expect(publications(network, 1) == 2)
            let call = network.nodes[1].node.delete(deleted, seq: 2, nowUs: network.nowUs)
            #expect(call != nil)
            network.collect(1)
            try put(network, on: 1, again, seq: 2, ttlSeconds: 300)
            let before = republished(network, 1)
            #expect(publications(network, 1) == 0)
            network.run(us: 2 * Self.cycleUs)
            #expect(republished(network, 1) == before)
            #expect(holders(network, deleted) == 0 && holders(network, again) == 0 && isSound(network))
        }

        @Test(
            "one that another node has overwritten is the other's, and stays as that wrote it",
            arguments: 1...4)
        func overwritten(seed: UInt64) throws {
            let network = cluster(8, seed: 10 + seed)
            let key = NodeID(seed << 60, 4, 4, 4)
            try put(network, on: 1, key)
            try put(network, on: 6, key, seq: 2)
            network.run(us: 2 * Self.cycleUs)
            #expect(publications(network, 1) == 0 && publications(network, 6) == 1, "seed \(seed)")
            let versions = network.nodes.compactMap { $0.node.store.find(key, nowUs: network.nowUs)?.seq }
            #expect(versions.count >= 3 && Set(versions) == [2], "seed \(seed)")
        }

        @Test("a put that nobody could remember is counted")
        func unpublished() throws {
            let network = TestNetwork()
            network.add(seed: 5) { $0.memoryBudget = 2 << 20 }
            let value = [UInt8](repeating: 1, count: 60_000)
            for number in 0..<6 as Range<UInt64> {
                network.nodes[0].node.publish(NodeID(number, 1, 1, 1), seq: 1, value: value, network.nowUs)
            }
            let count = network.nodes[0].node.stats.errors[.unpublished]
            #expect(count == 2 && publications(network, 0) == 4)
        }

        /// Requests that a node has sent.
        private func requests(_ network: TestNetwork, _ index: Int) -> UInt64 {
            let stats = network.nodes[index].node.stats
            return RpcOp.allCases.reduce(0) { $0 + stats.rpcs($1, .ok) }
        }

        @Test(
            "300 records that lie together cost far fewer requests than as many puts, and reach all holders")
        func together() throws {
            let network = cluster(12, seed: 3)
            var generator = SeededGenerator(seed: 3)
            let before = requests(network, 0)
            try put(network, on: 0, .random(using: &generator), ttlSeconds: 60)
            let costOfPut = requests(network, 0) - before
            let near = NodeID.random(using: &generator)
            let keys = (0..<300).map { _ in near.random(sharingPrefix: 8, using: &generator) }
            for key in keys { network.nodes[0].node.publish(key, seq: 1, value: [1], network.nowUs) }
            let start = requests(network, 0)
            network.run(us: Self.cycleUs + 10 * Self.second)
            let cost = requests(network, 0) - start
            #expect(costOfPut >= 3 && cost < 300 * costOfPut / 4, "\(cost), and \(costOfPut) for one")
            let held = keys.count { holders(network, $0) >= 3 }
            #expect(held == 300 && republished(network, 0) == 300 && isSound(network))
        }
    }
}
