// RO:WHAT  Tending in small clusters: silent neighbours, those who come back, who is told of, ends of sessions.
// RO:WHY   What a node does unasked is seen only over long quiet times; here these cost nothing.
import Testing

@testable import DhtLoop

extension DhtNodeTests {
    @Suite("Tending")
    struct TendingTests {
        private static let second = DhtNodeTests.second

        /// A cluster whose tables are full with a few contacts, so that nobody looks around any more.
        private func settled(_ count: Int, k: Int = 4, seed: UInt64 = 1) -> TestNetwork {
            let network = TestNetwork()
            for index in 0..<count {
                network.add(seed: seed &* 10_000 &+ UInt64(index)) {
                    ($0.k, $0.refreshUs) = (k, 1_000_000 * Self.second)
                }
            }
            network.run(us: 60 * Self.second)
            return network
        }

        private func id(_ network: TestNetwork, _ index: Int) -> NodeID {
            network.nodes[index].node.config.id
        }

        /// Where a node has sent something since it was last collected.
        private func sentTo(_ box: NetworkNode) -> [EndpointID] {
            box.node.outbox.actions.compactMap {
                if case .send(let endpoint, _) = $0 { endpoint } else { nil }
            }
        }

        /// The nodes that `index` knows, the nearest to it first.
        private func neighbours(_ network: TestNetwork, of index: Int) -> [Int] {
            let own = id(network, index)
            return network.nodes.indices.filter {
                network.nodes[index].node.table.state(of: id(network, $0)) != nil
            }.sorted { id(network, $0).distance(to: own) < id(network, $1).distance(to: own) }
        }

        @Test("a silent neighbour is pinged, so that its death is noticed without a call", arguments: 1...3)
        func silentNeighbour(seed: UInt64) {
            let network = settled(6, k: 5, seed: seed)
            network.isHonest = false
            network.nodes[3].isDead = true
            let lookups = network.nodes.map { $0.node.stats.lookups }
            network.run(us: 300 * Self.second)
            for index in [0, 1, 2, 4, 5] {
                let box = network.nodes[index]
                let isKnown = box.node.table.state(of: id(network, 3)) != nil
                let (evicted, walks) = (box.node.stats.routeUpdates[.evicted], box.node.stats.lookups)
                #expect(!isKnown && evicted == 1 && walks >= lookups[index], "seed \(seed)")
            }
        }

        @Test("no neighbour stays unseen for long, and none that lives is given up")
        func seenOften() {
            let network = settled(5, seed: 2)
            for _ in 0..<60 {
                network.run(us: 60 * Self.second)
                for box in network.nodes {
                    let oldest = box.node.table.buckets.flatMap(\.states).map(\.lastSeenUs).min() ?? 0
                    let evicted = box.node.stats.routeUpdates[.evicted]
                    #expect(network.nowUs - oldest < 200 * Self.second && evicted == 0)
                }
            }
        }

        @Test("halves that lost each other find together by those they had given up", arguments: 1...3)
        func reunion(seed: UInt64) {
            let network = TestNetwork()
            for index in 0..<10 { network.add(seed: seed &* 10_000 &+ UInt64(index)) }
            network.run(us: 60 * Self.second)
            for box in network.nodes { box.node.setBootstrap([]) }
            network.drops = { from, to in from % 2 != to % 2 }
            network.run(us: 900 * Self.second)
            let apart = network.nodes.map { $0.node.table.count }
            #expect(apart == [Int](repeating: 4, count: 10), "seed \(seed)")
            network.drops = { _, _ in false }
            network.run(us: 120 * Self.second)
            let together = network.nodes.map { $0.node.table.count }
            #expect(together == [Int](repeating: 9, count: 10), "seed \(seed)")
        }

        @Test("one who comes back is found by one node, and through it by the others")
        func oneBack() {
            let network = TestNetwork()
            for index in 0..<6 { network.add(seed: 900 + UInt64(index)) }
            network.run(us: 60 * Self.second)
            for box in network.nodes { box.node.setBootstrap([]) }
            network.drops = { from, to in from == 5 || to == 5 }
            network.run(us: 900 * Self.second)
            // The way stays blocked to all but node 2.
            network.drops = { from, to in (from == 5 && to != 2) || (to == 5 && from != 2) }
            network.run(us: 300 * Self.second)
            let known = network.nodes[2].node.table.state(of: id(network, 5)) != nil
            let (others, back) = (network.nodes[5].node.table.count, network.nodes[2].node.table.count)
            #expect(known && others == 1 && back == 5)
            network.drops = { _, _ in false }
            network.run(us: 120 * Self.second)
            let tables = network.nodes.map { $0.node.table.count }
            #expect(tables == [Int](repeating: 5, count: 6))
        }

        @Test("a contact that was only heard of gets its place once it answers")
        func heard() {
            let network = settled(3, seed: 4)
            network.add(seed: 77)
            network.nodes[3].node.setBootstrap([])
            let stranger = Contact(id: id(network, 3), endpoint: network.nodes[3].home)
            network.drops = { from, to in from == 3 || to == 3 }
            network.run(us: 60 * Self.second)
            let before = network.nodes[1].node.table.state(of: stranger.id)
            network.nodes[1].node.hear(stranger, network.nowUs)
            let stillNot = network.nodes[1].node.table.state(of: stranger.id)
            network.drops = { _, _ in false }
            network.run(us: 60 * Self.second)
            let after = network.nodes[1].node.table.state(of: stranger.id)
            #expect(before == nil && stillNot == nil && after?.endpoint == stranger.endpoint)
        }

        @Test("others are told of no contact that is more likely dead than not")
        func doubtful() throws {
            let network = settled(4, seed: 5)
            let box = network.nodes[0]
            box.node.learnDeaths(500, silenceUs: 2 * Self.second, network.nowUs)
            let doubtfulUs = box.node.core.peers.doubtfulUs
            #expect(doubtfulUs == 60 * Self.second)
            let seen = id(network, 2)
            let later = network.nowUs + 61 * Self.second
            #expect(try told(network, at: network.nowUs).count == 3)
            box.node.prepareTable { $0.update(seen) { $0.lastSeenUs = later - 60 * Self.second } }
            #expect(try told(network, at: later) == [seen])
            #expect(try told(network, at: later + Self.second).isEmpty)
        }

        /// Whom node 0 names to a stranger that looks for a key.
        private func told(_ network: TestNetwork, at nowUs: UInt64) throws -> [NodeID] {
            var buffer = ByteBuffer()
            EnvelopeEncoder(src: NodeID(1, 1, 1, 1), at: network.endpoints.bytes(.none), net: 0)
                .begin(&buffer, dst: id(network, 0), rpc: 5)
            buffer.appendFindNode(target: NodeID(5, 5, 5, 5))
            let box = network.nodes[0]
            defer { box.node.outbox.clear() }
            box.node.receive(buffer.bytes, from: Link(endpoint: box.home, token: 1), nowUs: nowUs)
            guard case .reply(_, let slice)? = box.node.outbox.actions.first else { throw Missing() }
            var lists = MessageLists()
            let bytes = Array(box.node.outbox.payload(slice))
            let view = try bytes.withUnsafeBytes { try EnvelopeDecoder.decode($0, into: &lists) }
            #expect(view.message == .nodes(isMoreToCome: false))
            return lists.contacts.map(\.id)
        }

        @Test(
            "the end of a session makes the neighbour there be pinged, and nobody farther than the nearest eight"
        )
        func sessionEnds() throws {
            let network = settled(14, k: 8, seed: 6)
            let box = network.nodes[13]
            let known = neighbours(network, of: 13)
            let endpoints = known.map { network.nodes[$0].home }
            for endpoint in endpoints { box.node.linkDown(endpoint, isRemote: true, nowUs: network.nowUs) }
            let pinged = sentTo(box)
            let depth = id(network, 13).distance(to: id(network, known[7])).leadingZeroBitCount
            let near = known.filter {
                id(network, 13).distance(to: id(network, $0)).leadingZeroBitCount >= depth
            }
            let expected = near.map { network.nodes[$0].home }
            #expect(pinged.count == expected.count && Set(pinged) == Set(expected))
            network.collect(13)
            network.run(us: Self.second)
            let kept = neighbours(network, of: 13)
            #expect(kept == known, "they answered")
        }

        @Test("a session that never was, or the one to the own overlay, ends without a ping")
        func noPing() {
            let network = settled(4, seed: 7)
            let box = network.nodes[3]
            box.node.linkDown(network.nodes[1].home, isRemote: false, nowUs: network.nowUs)
            box.node.linkDown(box.home, isRemote: true, nowUs: network.nowUs)
            let pinged = sentTo(box)
            #expect(pinged.isEmpty)
        }

        @Test("of a neighbour whose session ended, and who is gone, nobody is told any more")
        func goneWithSession() throws {
            let network = settled(5, seed: 8)
            network.nodes[2].isDead = true
            let box = network.nodes[0]
            box.node.linkDown(network.nodes[2].home, isRemote: true, nowUs: network.nowUs)
            network.collect(0)
            network.run(us: Self.second)
            let told = try told(network, at: network.nowUs)
            #expect(told.count == 3 && !told.contains(id(network, 2)))
        }

        @Test("a few requests lost among many that were answered give nobody up")
        func fewLost() {
            let network = settled(6, k: 8, seed: 9)
            let box = network.nodes[0]
            var frames = 0
            network.drops = { from, _ in
                frames += from == 0 ? 1 : 0
                return from == 0 && frames.isMultiple(of: 10)
            }
            var generator = SeededGenerator(seed: 9)
            for _ in 0..<100 { _ = box.node.get(.random(using: &generator), nowUs: network.nowUs) }
            network.collect(0)
            network.run(us: 10 * Self.second)
            let evicted = box.node.stats.routeUpdates[.evicted]
            #expect(evicted == 0)
        }

        @Test("of all that is due, the contact that is doubted is settled first")
        func doubtedFirst() throws {
            let network = settled(6, seed: 12)
            let box = network.nodes[0]
            let doubted = id(network, 3)
            for other in 1..<6 {
                box.node.prepareTable { $0.update(id(network, other)) { $0.lastSeenUs = 0 } }
            }
            for _ in 0..<RoutingTable.quietFailures {
                box.node.prepareTable { _ = $0.fail(doubted, weight: 1, nowUs: network.nowUs) }
            }
            let named = box.node.table.doubted()?.id
            let before = Set(box.node.sentRequests.map(\.id))
            box.node.tendSooner(network.nowUs)
            box.node.tend(network.nowUs)
            let probes = box.node.sentRequests.filter { !before.contains($0.id) }
            #expect(named == doubted && probes.map(\.dst) == [doubted])
            network.collect(0)
            network.run(us: Self.second)
            let isDoubted = box.node.table.doubted() != nil
            #expect(!isDoubted)
        }

        @Test("a stream of losses puts the next turn off no farther than the first one did", arguments: 1...3)
        func lossesInARow(seed: UInt64) {
            let network = settled(6, seed: seed)
            let box = network.nodes[0]
            box.node.prepareTable { $0.update(id(network, 3)) { $0.failures = RoutingTable.quietFailures } }
            let endUs = network.nowUs + PeerTable.TurnPace.hasty.rawValue * 3 / 2 + 1_000
            for nowUs in stride(from: network.nowUs, through: endUs, by: 1_000) {
                box.node.tendSooner(nowUs)
                box.node.advance(nowUs: nowUs)
            }
            let (pinged, broken) = (sentTo(box), box.node.brokenInvariant(nowUs: endUs))
            #expect(!pinged.isEmpty && broken == nil, "seed \(seed)")
        }

        @Test("who loses everybody asks the bootstrap overlays at once, however late the next look was")
        func aloneAgain() {
            let network = settled(6, seed: 13)
            let box = network.nodes[3]
            let others = network.nodes.indices.filter { $0 != 3 }
            #expect(box.node.lookDueUs > network.nowUs + 1_000 * Self.second)
            for other in others {
                for _ in 0..<RoutingTable.maxFailures {
                    box.node.linkDown(network.nodes[other].home, isRemote: true, nowUs: network.nowUs)
                    network.collect(3)
                }
            }
            let (alone, dueUs) = (box.node.table.count == 0, box.node.lookDueUs)
            #expect(alone && dueUs <= network.nowUs + PeerSearch.aloneBaseUs)
            network.run(us: 2 * Self.second)
            let (known, broken) = (box.node.table.count, box.node.brokenInvariant(nowUs: network.nowUs))
            #expect(known > 0 && broken == nil)
        }

        @Test("a session that opens over and over does not put the next look around off")
        func flapping() {
            let network = settled(6, k: 4, seed: 14)
            let box = network.nodes[3]
            let dueUs = box.node.lookDueUs
            for _ in 0..<20 { box.node.linkUp(network.nodes[0].home, nowUs: network.nowUs) }
            let laterUs = box.node.lookDueUs
            #expect(laterUs <= dueUs)
        }

        @Test("strangers that cannot be pinged, for too much is pending, do not count as being pinged")
        func tooManyPending() {
            let network = TestNetwork()
            let box = network.add(seed: 15) { $0.maxRpcs = 2 }
            let endpoint = network.endpoints.intern("10.0.0.9:1")!
            for number in 0..<UInt64(2 * PeerTable.maxVerifying) {
                box.node.verify(Contact(id: NodeID(number, 7, 7, 7), endpoint: endpoint), network.nowUs)
            }
            let (verifying, pending) = (box.node.core.peers.verifyingCount, box.node.pendingRpcs)
            #expect(verifying == 2 && pending == 2)
            network.collect(0)
            network.run(us: 10 * Self.second)
            let left = box.node.core.peers.verifyingCount
            #expect(left == 0)
        }

        @Test("the end of the session to the own overlay costs no contact its place, not even a doubted one")
        func homeDown() {
            let network = settled(3, k: 4, seed: 16)
            let box = network.nodes[0]
            let doubted = Contact(id: id(network, 1), endpoint: box.home)
            box.node.meet(doubted, rttUs: 1_000, network.nowUs)
            box.node.prepareTable { $0.update(doubted.id) { $0.failures = RoutingTable.quietFailures } }
            let spare = Contact(id: doubted.id.flippingBit(255), endpoint: network.nodes[2].home)
            box.node.prepareTable { _ = $0.hear(spare, nowUs: network.nowUs, staleUs: Self.second) }
            box.node.ping(doubted, .probe, network.nowUs)
            box.node.linkDown(box.home, isRemote: true, nowUs: network.nowUs)
            let isKept = box.node.table.state(of: doubted.id) != nil
            #expect(isKept)
        }

        @Test("sessions to keep open are named within a minute, and none when none are wanted")
        func warm() {
            let network = TestNetwork()
            for index in 0..<8 {
                network.add(seed: 40 + UInt64(index)) { $0.warmPerBucket = index == 0 ? 0 : 1 }
            }
            network.run(us: 180 * Self.second)
            let own = network.nodes[1]
            let buckets = own.node.table.buckets.count { $0.count > 0 }
            #expect(network.nodes[0].warm.isEmpty && own.warm.count == buckets)
        }
    }
}
