// RO:WHAT  DhtNode in small clusters: meeting, put and get, loss, dead nodes, isolation.
import Testing

@testable import DhtLoop

@Suite("DhtNode")
struct DhtNodeTests {
    static let second: UInt64 = 1_000_000

    func cluster(_ count: Int, seed: UInt64 = 1) -> TestNetwork {
        let network = TestNetwork()
        for index in 0..<count { network.add(seed: seed &* 10_000 &+ UInt64(index)) }
        network.run(us: 10 * Self.second)
        return network
    }

    func put(
        _ network: TestNetwork, on index: Int, _ key: Key, _ value: [UInt8], seq: UInt64 = 1
    ) throws -> PutResult {
        let box = network.nodes[index]
        let started = box.node.put(key, value: value, seq: seq, ttlSeconds: 3600, nowUs: network.nowUs)
        let id = try #require(started)
        network.collect(index)
        network.run(us: 6 * Self.second)
        guard case .put(let result)? = box.results[id] else { throw Missing() }
        return result
    }

    func get(_ network: TestNetwork, on index: Int, _ key: Key) throws -> GetResult {
        let box = network.nodes[index]
        let started = box.node.get(key, nowUs: network.nowUs)
        let id = try #require(started)
        network.collect(index)
        network.run(us: 6 * Self.second)
        guard case .get(let result)? = box.results[id] else { throw Missing() }
        return result
    }

    struct Missing: Error {}

    func value(_ result: GetResult) -> [UInt8]? {
        if case .found(let value, _, _) = result.outcome { value } else { nil }
    }

    @Test("nodes that know one overlay come to know each other", arguments: [2, 5, 16])
    func meeting(count: Int) {
        let network = cluster(count)
        for box in network.nodes {
            let known = box.node.table.count
            #expect(known == count - 1)
        }
    }

    @Test("a value put on one node is got from every other", arguments: [2, 3, 8, 24])
    func putAndGet(count: Int) throws {
        let network = cluster(count)
        let key = NodeID(7, 7, 7, UInt64(count))
        let stored = try put(network, on: 0, key, [1, 2, 3])
        #expect(stored.acks == min(3, count) && stored.wanted == stored.acks && stored.failed.isEmpty)
        for index in 0..<count { #expect(value(try get(network, on: index, key)) == [1, 2, 3]) }
    }

    @Test("a key nobody has is not found, and no time-out")
    func notFound() throws {
        let network = cluster(8)
        #expect(try get(network, on: 3, NodeID(1, 1, 1, 1)).outcome == .notFound)
    }

    @Test("when nobody answers a get has timed out, and has not found out that there is nothing")
    func silence() throws {
        let network = cluster(4)
        network.drops = { from, _ in from == 0 }
        #expect(try get(network, on: 0, NodeID(1, 1, 1, 1)).outcome == .timedOut)
    }

    @Test("a put on a node that is alone is kept there and says so")
    func alone() throws {
        let network = cluster(1)
        let result = try put(network, on: 0, NodeID(1, 2, 3, 4), [9])
        #expect(result.acks == 1 && result.wanted == 1)
        #expect(value(try get(network, on: 0, NodeID(1, 2, 3, 4))) == [9])
    }

    @Test("one frame in five is lost and puts still reach their replicas", arguments: 1...5)
    func loss(seed: Int) throws {
        let network = cluster(12, seed: UInt64(seed))
        var generator = SeededGenerator(seed: UInt64(seed))
        network.drops = { _, _ in UInt64.random(in: 0..<5, using: &generator) == 0 }
        var acks = 0
        for round in 0..<10 {
            acks += try put(network, on: round, NodeID.random(using: &generator), [1]).acks
        }
        #expect(acks >= 29, "seed \(seed): \(acks) of 30")
    }

    @Test(
        "dead nodes cost no replica, whether their overlay says so or stays silent", arguments: [true, false])
    func deadNodes(honest: Bool) throws {
        let network = cluster(20)
        network.isHonest = honest
        for index in [3, 9, 14, 17] { network.nodes[index].isDead = true }
        let result = try put(network, on: 0, NodeID(3, 1, 4, 1), [5])
        #expect(result.acks == 3)
        #expect(value(try get(network, on: 19, NodeID(3, 1, 4, 1))) == [5])
        let timeouts = network.nodes[0].node.stats.timeouts
        #expect(timeouts == 0 || !honest)
    }

    @Test("own frames that come back are dropped and counted")
    func echo() {
        let network = cluster(1)
        let box = network.nodes[0]
        box.node.linkUp(box.home, nowUs: network.nowUs)
        let sent = box.node.outbox.actions.compactMap { action -> [UInt8]? in
            if case .send(_, let slice) = action { Array(box.node.outbox.payload(slice)) } else { nil }
        }
        #expect(sent.count == 1)
        for bytes in sent { network.deliver(bytes, to: 0, over: Link(endpoint: box.home)) }
        let rejected = box.node.stats.rejections[.ownEcho]
        let known = box.node.table.count
        #expect(rejected == 1 && known == 0)
    }

    @Test("a reply from someone else than was asked is dropped")
    func strayReply() {
        let network = cluster(2)
        let liar = NodeID(6, 6, 6, 6)
        var buffer = ByteBuffer()
        EnvelopeEncoder(src: liar, at: network.endpoints.bytes(.none), net: 0)
            .begin(&buffer, dst: network.nodes[0].node.config.id, rpc: 0)
        buffer.appendPong()
        network.deliver(Array(buffer.bytes), to: 0, over: Link(endpoint: network.nodes[0].home))
        let rejected = network.nodes[0].node.stats.rejections[.strayReply]
        #expect(rejected == 1)
    }

    @Test("FindNode for the own id names the node itself first")
    func findSelf() throws {
        let network = cluster(3)
        let own = network.nodes[0].node.config.id
        var buffer = ByteBuffer()
        EnvelopeEncoder(src: NodeID(1, 1, 1, 1), at: network.endpoints.bytes(.none), net: 0)
            .begin(&buffer, dst: own, rpc: 5)
        buffer.appendFindNode(target: own)
        let link = Link(endpoint: network.nodes[0].home, token: 1)
        network.nodes[0].node.receive(buffer.bytes, from: link, nowUs: network.nowUs)
        var lists = MessageLists()
        guard case .reply(_, let slice)? = network.nodes[0].node.outbox.actions.first else {
            Issue.record("no reply")
            return
        }
        let bytes = Array(network.nodes[0].node.outbox.payload(slice))
        let view = try bytes.withUnsafeBytes { try EnvelopeDecoder.decode($0, into: &lists) }
        let ids = lists.contacts.map(\.id)
        #expect(view.message == .nodes(isMoreToCome: false) && view.rpc == 5)
        #expect(ids.first == own && ids.count == 3)
    }

    @Test("with the largest K, what is said of the own id still fits one message")
    func findSelfAmongMany() throws {
        let endpoints = EndpointTable()
        var config = NodeConfig(id: NodeID(0, 0, 0, 1))
        (config.k, config.diversityShare) = (Limits.contactsPerMessage, 1)
        var node = DhtNode(config: config, endpoints: endpoints, seed: 1, nowUs: 0)
        var generator = SeededGenerator(seed: 1)
        for index in 0..<200 {
            let endpoint = try #require(endpoints.intern("10.0.\(index).1:9700"))
            let contact = Contact(id: .random(using: &generator), endpoint: endpoint)
            node.prepareTable { _ = $0.insert(contact, nowUs: 1, staleUs: Self.second) }
        }
        var buffer = ByteBuffer()
        EnvelopeEncoder(src: NodeID(1, 1, 1, 1), at: endpoints.bytes(.none), net: 0)
            .begin(&buffer, dst: config.id, rpc: 5)
        buffer.appendFindNode(target: config.id)
        node.receive(buffer.bytes, from: Link(endpoint: .none, token: 1), nowUs: 2)
        guard case .reply(_, let slice)? = node.outbox.actions.first else {
            Issue.record("no reply")
            return
        }
        var lists = MessageLists()
        let view = try EnvelopeDecoder.decode(node.outbox.payload(slice), into: &lists)
        #expect(view.message == .nodes(isMoreToCome: false))
        #expect(lists.contacts.first?.id == config.id && lists.contacts.count == Limits.contactsPerMessage)
    }

    @Test("every pending request, call and chore holds one timer, and no timer is without an owner")
    func balance() throws {
        let network = cluster(6)
        _ = try put(network, on: 1, NodeID(8, 8, 8, 8), [1])
        for _ in 0..<200 {
            network.run(us: 100_000)
            for box in network.nodes {
                let broken = box.node.brokenInvariant(nowUs: network.nowUs)
                #expect(broken == nil)
            }
        }
    }
}
