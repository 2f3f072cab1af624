// RO:WHAT  Who must be given a copy when neighbours come and go, against a model that knows everybody; and a
//          cluster in which records follow their nodes.
// RO:WHY   A holder too few loses records, a copy too many is traffic for nothing.
import Testing

@testable import DhtLoop

@Suite("NeighbourChanges")
struct NeighbourChangesTests {
    private let a = NodeID(1, 0, 0, 0)
    private let b = NodeID(2, 0, 0, 0)

    @Test("who came and who went are kept apart, once each")
    func lists() {
        var changes = NeighbourChanges()
        #expect(changes.isEmpty)
        for _ in 0..<2 {
            changes.join(a)
            changes.leave(b)
        }
        #expect(changes.joined == [a] && changes.left == [b] && !changes.isEmpty)
    }

    @Test("of more changes than are remembered the latest stay")
    func bounded() {
        var changes = NeighbourChanges()
        let ids = (0..<UInt64(2 * NeighbourChanges.most)).map { NodeID($0, 1, 0, 0) }
        for id in ids { changes.join(id) }
        #expect(changes.joined == Array(ids.suffix(NeighbourChanges.most)))
        for id in ids { changes.leave(id) }
        #expect(changes.joined.isEmpty && changes.left == Array(ids.suffix(NeighbourChanges.most)))
    }

    @Test("what happened last counts: who is back is new, who came and went is gone")
    func lastCounts() {
        var changes = NeighbourChanges()
        changes.leave(a)
        changes.join(a)
        changes.join(b)
        changes.leave(b)
        #expect(changes.joined == [a] && changes.left == [b])
    }
}

@Suite("ReplicaSet")
struct ReplicaSetTests {
    /// A world in which everybody is known, before and after some came and went.
    private struct World {
        let key: Key
        let replica: Int
        var stayed: [NodeID] = []
        var joined: [NodeID] = []
        var left: [NodeID] = []

        private func closest(_ ids: [NodeID]) -> [NodeID] {
            Array(ids.sorted { $0.distance(to: key) < $1.distance(to: key) }.prefix(replica))
        }

        /// Who should hold the key, before and after.
        var before: [NodeID] { closest(stayed + left) }
        var after: [NodeID] { closest(stayed + joined) }
        var newMembers: Set<NodeID> { Set(after).subtracting(before) }
        var changes: NeighbourChanges {
            var changes = NeighbourChanges()
            for id in joined { changes.join(id) }
            for id in left { changes.leave(id) }
            return changes
        }
    }

    private static func world(
        _ generator: inout SeededGenerator, joins: ClosedRange<Int>, leaves: ClosedRange<Int>
    ) -> World {
        var world = World(
            key: .random(using: &generator), replica: .random(in: 1...8, using: &generator))
        func ids(_ count: Int) -> [NodeID] { (0..<count).map { _ in NodeID.random(using: &generator) } }
        world.stayed = ids(.random(in: 1...24, using: &generator))
        world.joined = ids(.random(in: joins, using: &generator))
        world.left = ids(.random(in: leaves, using: &generator))
        return world
    }

    /// The set as node `ownID` sees it.
    private func settle(_ world: World, ownID: NodeID, newcomers: [NodeID]) -> ReplicaSet {
        var table = RoutingTable(ownID: ownID, k: 64)
        for id in world.stayed + world.joined where id != ownID {
            _ = table.insert(Contact(id: id, endpoint: EndpointID(rawValue: 1)), nowUs: 1)
        }
        var nearest = ContactList()
        table.closest(to: world.key, world.replica + 1, into: &nearest)
        var set = ReplicaSet()
        set.settle(
            world.key, ownID: ownID, replica: world.replica, nearest: nearest, newcomers: newcomers)
        return set
    }

    @Test("its members are the closest, its rank counts the holders before, and next is the first after it")
    func members() {
        for seed in UInt64(1)...300 {
            var generator = SeededGenerator(seed: seed)
            let world = Self.world(&generator, joins: 0...0, leaves: 0...0)
            let own = world.stayed[0]
            let set = settle(world, ownID: own, newcomers: [])
            let all = world.stayed.sorted { $0.distance(to: world.key) < $1.distance(to: world.key) }
            #expect(set.contacts.map(\.id) == world.after.filter { $0 != own }, "seed \(seed)")
            #expect(set.ownRank == world.after.firstIndex(of: own), "seed \(seed)")
            #expect(set.next?.id == all.dropFirst(world.replica).first { $0 != own }, "seed \(seed)")
        }
    }

    /// What every holder that stayed would do for the new members.
    private struct Verdict {
        /// Holders that send copies.
        var senders = 0
        /// Holders that would forget a new member, and those that would send to one who has the record.
        var isAnyoneForgotten = false
        var isAnyoneBothered = false
    }

    private func verdict(_ world: World) -> Verdict {
        var verdict = Verdict()
        for own in world.before where world.stayed.contains(own) {
            let set = settle(world, ownID: own, newcomers: world.joined)
            guard let rank = set.ownRank, rank < CopyPlan.senders else { continue }
            verdict.senders += 1
            let lacking = set.lacking(world.changes, key: world.key, ownID: own, replica: world.replica)
            let named = Set(lacking.map(\.id))
            verdict.isAnyoneForgotten = verdict.isAnyoneForgotten || !world.newMembers.isSubset(of: named)
            verdict.isAnyoneBothered = verdict.isAnyoneBothered || !named.isSubset(of: world.newMembers)
        }
        return verdict
    }

    /// Which of a thousand worlds do not hold what `isKept` says.
    private func seeds(
        joins: ClosedRange<Int>, leaves: ClosedRange<Int>, _ isKept: (World, Verdict) -> Bool
    ) -> [UInt64] {
        (UInt64(1)...1_000).filter { seed in
            var generator = SeededGenerator(seed: seed)
            let world = Self.world(&generator, joins: joins, leaves: leaves)
            return !isKept(world, verdict(world))
        }
    }

    @Test("each new member is sent the record by two of its holders, or by as many as are left")
    func nobodyForgotten() {
        let forgotten = seeds(joins: 0...4, leaves: 0...4) { _, verdict in !verdict.isAnyoneForgotten }
        #expect(forgotten == [], "seeds")
        let unsent = seeds(joins: 0...4, leaves: 0...4) { world, verdict in
            let holders = world.before.count { world.stayed.contains($0) }
            return world.newMembers.isEmpty || verdict.senders >= min(CopyPlan.senders, holders)
        }
        #expect(unsent == [], "seeds")
    }

    @Test("who comes bothers nobody but those who come")
    func joins() {
        let bothered = seeds(joins: 1...4, leaves: 0...0) { _, verdict in !verdict.isAnyoneBothered }
        #expect(bothered == [], "seeds")
    }

    @Test("who goes bothers nobody but those who take the place")
    func leaves() {
        let bothered = seeds(joins: 0...0, leaves: 1...4) { _, verdict in !verdict.isAnyoneBothered }
        #expect(bothered == [], "seeds")
    }

    @Test("nor do those who come and go at one time")
    func both() {
        let bothered = seeds(joins: 1...4, leaves: 1...4) { _, verdict in !verdict.isAnyoneBothered }
        #expect(bothered == [], "seeds")
    }
}

extension DhtNodeTests {
    @Suite("Replication in a cluster")
    struct ReplicationTests {
        private let tests = DhtNodeTests()
        private static let second = DhtNodeTests.second

        private func id(_ network: TestNetwork, _ index: Int) -> NodeID {
            network.nodes[index].node.config.id
        }

        private func holds(_ network: TestNetwork, _ index: Int, _ key: Key) -> Bool {
            network.nodes[index].node.store.find(key, nowUs: network.nowUs) != nil
        }

        /// The living nodes, the nearest to `key` first.
        private func byDistance(_ network: TestNetwork, _ key: Key) -> [Int] {
            network.nodes.indices.filter { !network.nodes[$0].isDead }.sorted {
                id(network, $0).distance(to: key) < id(network, $1).distance(to: key)
            }
        }

        /// Puts `count` records and returns their keys.
        private func fill(_ network: TestNetwork, _ count: Int, seed: UInt64) throws -> [Key] {
            var generator = SeededGenerator(seed: seed)
            var keys: [Key] = []
            for index in 0..<count {
                keys.append(.random(using: &generator))
                _ = try tests.put(network, on: index % network.nodes.count, keys[index], [UInt8(index)])
            }
            return keys
        }

        /// Stores a record on the three nodes that should hold it, without a put.
        private func plant(_ network: TestNetwork, _ key: Key) {
            for index in byDistance(network, key).prefix(3) {
                let outcome = network.nodes[index].node.keep(
                    key, seq: 1, ttlSeconds: 3600, value: [1], network.nowUs)
                #expect(outcome == .stored)
            }
        }

        private func copies(_ network: TestNetwork) -> UInt64 {
            network.nodes.reduce(0) { $0 + $1.node.stats.replicated }
        }

        /// Keys that one of the closest `replica` living nodes lacks.
        private func missing(_ network: TestNetwork, _ keys: [Key], replica: Int = 3) -> [Key] {
            keys.filter { key in
                !byDistance(network, key).prefix(replica).allSatisfy { holds(network, $0, key) }
            }
        }

        @Test("newcomers get the records that they are now closest to, unasked", arguments: 1...4)
        func newcomers(seed: Int) throws {
            let network = tests.cluster(12, seed: UInt64(seed))
            let keys = try fill(network, 20, seed: UInt64(seed))
            let (before, gets) = (copies(network), network.nodes.reduce(0) { $0 + $1.node.stats.gets })
            for index in 0..<4 { network.add(seed: UInt64(seed) &* 77_000 + UInt64(index)) }
            network.run(us: 30 * Self.second)
            #expect(missing(network, keys) == [], "seed \(seed)")
            #expect(copies(network) > before, "seed \(seed)")
            let later = network.nodes.reduce(0) { $0 + $1.node.stats.gets }
            #expect(later == gets)
        }

        @Test("with one replica, the record moves to whoever comes nearer")
        func oneReplica() throws {
            let network = TestNetwork()
            for index in 0..<8 { network.add(seed: 500 + UInt64(index)) { $0.replica = 1 } }
            network.run(us: 10 * Self.second)
            let keys = try fill(network, 20, seed: 3)
            for index in 0..<8 { network.add(seed: 700 + UInt64(index)) { $0.replica = 1 } }
            network.run(us: 30 * Self.second)
            #expect(missing(network, keys, replica: 1) == [])
        }

        @Test("when a holder dies another gets the record", arguments: [true, false])
        func death(honest: Bool) throws {
            let network = tests.cluster(16, seed: 3)
            network.isHonest = honest
            let keys = try fill(network, 12, seed: 9)
            for round in 0..<4 {
                let victim = byDistance(network, keys[round])[round % 3]
                network.nodes[victim].isDead = true
                network.run(us: 300 * Self.second)
                #expect(missing(network, keys) == [], "round \(round)")
            }
        }

        @Test("nothing is sent while nobody comes and nobody goes")
        func quiet() throws {
            let network = tests.cluster(12, seed: 5)
            let keys = try fill(network, 12, seed: 5)
            network.run(us: 60 * Self.second)
            let before = copies(network)
            func served() -> UInt64 { network.nodes.reduce(0) { $0 + $1.node.stats.rpcs(.put, .served) } }
            let puts = served()
            network.run(us: 1_800 * Self.second)
            #expect(copies(network) == before && served() == puts)
            #expect(missing(network, keys) == [])
        }

        @Test("lost copies are sent again, and only they")
        func loss() throws {
            let network = tests.cluster(8, seed: 3)
            var generator = SeededGenerator(seed: 3)
            let keys = (0..<20_000).map { _ in NodeID.random(using: &generator) }
            for key in keys { plant(network, key) }
            let newcomer = network.nodes.count
            network.add(seed: 900)
            var frames = 0
            network.drops = { _, to in
                frames += to == newcomer ? 1 : 0
                return to == newcomer && frames.isMultiple(of: 10)
            }
            network.run(us: 120 * Self.second)
            #expect(missing(network, keys) == [])
            let sent = copies(network)
            let owed = UInt64(keys.count { byDistance(network, $0).prefix(3).contains(newcomer) })
            #expect((owed...3 * owed).contains(sent), "\(sent) copies of \(owed) records")
        }

        @Test("a node that leaves gives what it holds to those who take its place, and says so")
        func leaving() throws {
            let network = tests.cluster(12, seed: 7)
            let keys = try fill(network, 20, seed: 7)
            let leaver = byDistance(network, keys[0])[0]
            let owed = keys.filter { byDistance(network, $0).prefix(3).contains(leaver) }
            let box = network.nodes[leaver]
            box.node.leave(nowUs: network.nowUs)
            network.collect(leaver)
            network.run(us: Self.second)
            #expect(box.events.contains(.handedOver(records: owed.count)))
            #expect(box.events.count { if case .handedOver = $0 { true } else { false } } == 1)
            box.isDead = true
            #expect(!owed.isEmpty && missing(network, keys) == [])
        }

        @Test("a node that leaves copies nothing for those who come while it hands over, or later")
        func afterLeaving() throws {
            let network = tests.cluster(8, seed: 11)
            _ = try fill(network, 20, seed: 11)
            let box = network.nodes[2]
            network.delayUs = 200_000
            for index in 0..<4 { network.add(seed: 4_000 + UInt64(index)) }
            network.run(us: Self.second)
            box.node.leave(nowUs: network.nowUs)
            network.collect(2)
            network.run(us: Self.second)
            let isOver = box.events.contains { if case .handedOver = $0 { true } else { false } }
            let sent = box.node.stats.replicated
            for index in 0..<4 { network.add(seed: 5_000 + UInt64(index)) }
            network.run(us: 60 * Self.second)
            let later = box.node.stats.replicated
            let broken = box.node.brokenInvariant(nowUs: network.nowUs)
            #expect(isOver && later == sent && broken == nil)
        }

        @Test("who comes or goes during a hand-over starts nothing that follows its end", arguments: 1...3)
        func nothingFollows(seed: UInt64) throws {
            let network = tests.cluster(8, seed: seed)
            _ = try fill(network, 20, seed: seed)
            let box = network.nodes[2]
            network.delayUs = 200_000
            box.node.leave(nowUs: network.nowUs)
            var generator = SeededGenerator(seed: seed)
            let newcomer = Contact(id: .random(using: &generator), endpoint: network.nodes[3].home)
            box.node.meet(newcomer, rttUs: 1_000, network.nowUs)
            box.node.neighbourLost(newcomer.id, network.nowUs)
            network.collect(2)
            func ends() -> Int { box.events.count { if case .handedOver = $0 { true } else { false } } }
            #expect(ends() == 0, "seed \(seed)")
            for _ in 0..<2_000 where ends() == 0 { network.run(us: 1_000) }
            let isLooking = box.node.isHandingOver || box.node.core.context.timers.isPlanned(.replicate)
            #expect(ends() == 1 && !isLooking, "seed \(seed)")
        }

        @Test("one that holds nothing, or knows nobody, has left at once")
        func leavingWithNothing() throws {
            let network = tests.cluster(1, seed: 13)
            _ = try tests.put(network, on: 0, NodeID(1, 2, 3, 4), [1])
            let box = network.nodes[0]
            box.node.leave(nowUs: network.nowUs)
            network.collect(0)
            #expect(box.events.last == .handedOver(records: 0))
        }
    }
}
