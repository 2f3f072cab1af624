// RO:WHAT  Busy both ways: a node over whose rate a peer is, and a node whose peers are busy.
import Testing

@testable import DhtLoop

@Suite("Busy")
struct BusyTests {
    static let second: UInt64 = 1_000_000
    static let rate = 10

    /// A cluster whose nodes know each other.
    func cluster(_ count: Int, _ adjust: (inout NodeConfig) -> Void = { _ in }) -> TestNetwork {
        let network = TestNetwork()
        for index in 0..<count { network.add(seed: 40_000 + UInt64(index), adjust) }
        network.run(us: 10 * Self.second)
        return network
    }

    func ping(_ network: TestNetwork, to index: Int, rpc: UInt64) -> [UInt8] {
        var buffer = ByteBuffer()
        EnvelopeEncoder(src: NodeID(1, 1, 1, 1), at: network.endpoints.bytes(.none), net: 0)
            .begin(&buffer, dst: network.nodes[index].node.config.id, rpc: rpc)
        buffer.appendPing()
        return Array(buffer.bytes)
    }

    /// Limits `index` to `rate`, and uses up what `asker` may ask of it.
    func exhaust(_ network: TestNetwork, _ index: Int, for asker: Int, rate: Int = BusyTests.rate) {
        network.nodes[index].node.setRates(perPeer: rate, common: 0)
        let link = Link(endpoint: network.nodes[index].home, token: UInt64(asker))
        for rpc in 0..<UInt64(32) {
            network.deliver(ping(network, to: index, rpc: rpc), to: index, over: link)
        }
    }

    /// What a node replies over `link`, decoded.
    func replies(_ node: borrowing DhtNode, over link: Link) -> [MessageView] {
        var lists = MessageLists()
        return node.outbox.actions.compactMap { action in
            guard case .reply(link, let slice) = action else { return nil }
            return try? EnvelopeDecoder.decode(node.outbox.payload(slice), into: &lists).message
        }
    }

    @Test("over its rate a peer gets Busy, then nothing; another is answered")
    func shedding() {
        let network = cluster(1) { $0.peerRequestsPerSecond = Self.rate }
        let box = network.nodes[0]
        let (flooder, other) = (Link(endpoint: box.home, token: 7), Link(endpoint: box.home, token: 8))
        for rpc in 0..<UInt64(200) {
            ping(network, to: 0, rpc: rpc).withUnsafeBytes {
                box.node.receive($0, from: flooder, nowUs: network.nowUs)
            }
        }
        ping(network, to: 0, rpc: 1).withUnsafeBytes {
            box.node.receive($0, from: other, nowUs: network.nowUs)
        }
        let answers = replies(box.node, over: flooder)
        #expect(answers.count == 96)
        #expect(answers.prefix(32).allSatisfy { $0 == .pong })
        #expect(answers.dropFirst(32).allSatisfy { $0 == .busy(retryMs: 100) })
        #expect(replies(box.node, over: other) == [.pong])
        let (shed, served) = (box.node.stats.rpcs(.ping, .shed), box.node.stats.rpcs(.ping, .served))
        let dropped = box.node.stats.rejections[.overRate]
        #expect(shed == 64 && served == 33 && dropped == 104)
    }

    @Test("the log hears of a flood once a second, with the count")
    func events() {
        let network = cluster(1) { $0.peerRequestsPerSecond = Self.rate }
        let link = Link(endpoint: network.nodes[0].home, token: 0)
        for round in 0..<3 {
            for rpc in 0..<UInt64(200) { network.deliver(ping(network, to: 0, rpc: rpc), to: 0, over: link) }
            if round == 0 { network.run(us: Self.second / 2) }
            if round == 1 { network.run(us: Self.second / 2) }
        }
        let told = network.nodes[0].events.compactMap { event -> UInt64? in
            if case .shedding(let requests, _, link) = event { requests } else { nil }
        }
        #expect(told.count == 2 && told.first == 1 && told.last ?? 0 > 300)
    }

    @Test("what is no request that this node knows gets no Busy")
    func unsupported() {
        let network = cluster(1)
        exhaust(network, 0, for: 5)
        let link = Link(endpoint: network.nodes[0].home, token: 5)
        var bytes = ping(network, to: 0, rpc: 1)
        let name = Array("Ping".utf8)
        let at = bytes.indices.first { bytes[$0...].starts(with: name) } ?? 0
        bytes.replaceSubrange(at..<at + name.count, with: Array("Pong".utf8).reversed())
        bytes.withUnsafeBytes { network.nodes[0].node.receive($0, from: link, nowUs: network.nowUs) }
        #expect(replies(network.nodes[0].node, over: link).isEmpty)
        let rejected = network.nodes[0].node.stats.rejections[.overRate]
        #expect(rejected == 1)
    }

    @Test("new rates forgive what peers were ahead; none is no limit")
    func newRates() {
        let network = cluster(1)
        exhaust(network, 0, for: 5)
        let link = Link(endpoint: network.nodes[0].home, token: 5)
        network.nodes[0].node.setRates(perPeer: 0, common: 0)
        for rpc in 0..<UInt64(100) { network.deliver(ping(network, to: 0, rpc: rpc), to: 0, over: link) }
        let shed = network.nodes[0].node.stats.rpcs(.ping, .shed)
        #expect(shed == 0)
    }

    // MARK: - As the asker

    func finish(_ network: TestNetwork, _ id: OperationID?, seconds: UInt64 = 6) throws -> OperationResult {
        let id = try #require(id)
        network.collect(0)
        network.run(us: seconds * Self.second)
        return try #require(network.nodes[0].results[id])
    }

    func put(_ network: TestNetwork, _ key: Key) throws -> PutResult {
        let id = network.nodes[0].node.put(key, value: [1], seq: 1, ttlSeconds: 3600, nowUs: network.nowUs)
        guard case .put(let result) = try finish(network, id) else { throw Missing() }
        return result
    }

    func get(_ network: TestNetwork, _ key: Key) throws -> GetResult {
        let id = network.nodes[0].node.get(key, nowUs: network.nowUs)
        guard case .get(let result) = try finish(network, id) else { throw Missing() }
        return result
    }

    struct Missing: Error {}

    /// Requests that `index` has shed or dropped.
    func refused(_ network: TestNetwork, _ index: Int) -> UInt64 {
        let stats = network.nodes[index].node.stats
        return RpcOp.allCases.reduce(0) { $0 + stats.rpcs($1, .shed) } + (stats.rejections[.overRate] ?? 0)
    }

    @Test("a get waits for the only one that can know, and asks it once")
    func getWaits() throws {
        let network = cluster(2)
        let key = NodeID(4, 4, 4, 4)
        let stored = network.nodes[1].node.put(
            key, value: [1], seq: 1, ttlSeconds: 3600, nowUs: network.nowUs)
        #expect(stored != nil)
        network.nodes[1].node.outbox.clear()
        exhaust(network, 1, for: 0)
        let result = try get(network, key)
        guard case .found = result.outcome else { throw Missing() }
        #expect((100_000...400_000).contains(result.elapsedUs))
        let refusals = network.nodes[1].node.stats.rpcs(.get, .shed)
        #expect(refusals == 1)
    }

    @Test("a put waits for a replica that nobody can stand in for")
    func putWaits() throws {
        let network = cluster(3)
        exhaust(network, 1, for: 0)
        let result = try put(network, NodeID(4, 4, 4, 4))
        #expect(result.acks == 3 && result.wanted == 3 && result.failed.isEmpty)
        #expect(refused(network, 1) <= 2)
    }

    @Test("a put goes to the next-closest instead of waiting where there are others")
    func putMovesOn() throws {
        let network = cluster(12)
        let key = network.nodes[5].node.config.id
        exhaust(network, 5, for: 0)
        let result = try put(network, key)
        #expect(result.acks == 3 && result.wanted == 3)
        #expect(result.elapsedUs < 100_000)
        #expect(refused(network, 5) <= 1)
    }

    @Test("Busy is no failure: the peer stays a contact, and is counted as busy")
    func noFailure() throws {
        let network = cluster(3)
        exhaust(network, 1, for: 0)
        _ = try get(network, NodeID(9, 9, 9, 9))
        let id = network.nodes[1].node.config.id
        let state = network.nodes[0].node.table.state(of: id)
        #expect(state?.failures == 0)
        let stats = network.nodes[0].node.stats
        #expect(stats.rpcs(.get, .busy) == 1 && stats.timeouts == 0)
    }

    @Test("many calls at once share a busy peer's patience", arguments: 1...5)
    func manyCalls(seed: Int) {
        let network = cluster(2) { $0.peerRequestsPerSecond = 40 }
        var generator = SeededGenerator(seed: UInt64(seed))
        let calls = (0..<60).compactMap { _ in
            network.nodes[0].node.get(.random(using: &generator), nowUs: network.nowUs)
        }
        network.collect(0)
        network.run(us: 6 * Self.second)
        let outcomes = calls.compactMap { id -> GetResult.Outcome? in
            if case .get(let result)? = network.nodes[0].results[id] { result.outcome } else { nil }
        }
        #expect(outcomes.count == 60 && outcomes.allSatisfy { $0 == .notFound }, "seed \(seed)")
        let timeouts = network.nodes[0].node.stats.timeouts
        let dropped = network.nodes[1].node.stats.rejections[.overRate] ?? 0
        #expect(timeouts == 0 && dropped == 0, "seed \(seed): \(refused(network, 1)) refused")
    }

    @Test("a busy peer that asks for an hour holds a search up no longer than a silent one")
    func absurdRetry() throws {
        let network = cluster(4)
        exhaust(network, 1, for: 0, rate: 1)
        for _ in 0..<3 {
            let box = network.nodes[0]
            let busy = network.nodes[1].node.config.id
            box.node.core.rpcs.noteBusy(busy, retryMs: .max, network.nowUs)
            let result = try get(network, NodeID(9, 9, 9, 9))
            #expect(result.outcome == .notFound && result.elapsedUs < 2_100_000)
        }
    }

    @Test("a put names the busy ones that kept it from its replicas")
    func putCutShort() throws {
        let network = cluster(3)
        network.nodes[0].node.core.rpcs.noteBusy(
            network.nodes[1].node.config.id, retryMs: 60_000, network.nowUs)
        let result = try put(network, NodeID(4, 4, 4, 4))
        let busy = network.nodes[1].node.config.id
        #expect(result.acks == 2 && result.wanted == 3)
        #expect(result.failed == [PutFailure(peer: busy, cause: .busy)])
    }

    /// Puts that many records at the first node, and lets them arrive.
    private func putMany(_ count: UInt64, _ network: TestNetwork) {
        for number in 0..<count {
            _ = network.nodes[0].node.put(
                NodeID(number << 50, 1, 1, 1), value: [1], seq: 1, ttlSeconds: 3600, nowUs: network.nowUs)
            network.collect(0)
        }
        network.run(us: Self.second)
    }

    @Test("a newcomer that takes little at a time gets its copies all the same")
    func copiesWait() {
        let network = cluster(2)
        putMany(100, network)
        network.add(seed: 40_777) { $0.peerRequestsPerSecond = 20 }
        network.run(us: 20 * Self.second)
        let held = network.nodes[2].node.store.count
        #expect(held == 100)
        #expect(refused(network, 2) > 0)
        let timeouts = network.nodes[0].node.stats.timeouts
        let isKnown = network.nodes[0].node.table.state(of: network.nodes[2].node.config.id) != nil
        #expect(isKnown && timeouts < 200)
        for index in 0..<3 {
            let broken = network.nodes[index].node.brokenInvariant(nowUs: network.nowUs)
            #expect(broken == nil)
        }
    }

    @Test("a newcomer that only ever says Busy does not hold up the copies for another")
    func copiesGiveUp() {
        let network = cluster(2)
        putMany(600, network)
        network.add(seed: 40_777)
        let busy = network.nodes[2].node.config.id
        for _ in 0..<200 {
            for index in 0..<2 {
                network.nodes[index].node.core.rpcs.noteBusy(busy, retryMs: 60_000, network.nowUs)
            }
            network.run(us: 100_000)
        }
        let count = network.nodes[2].node.store.count
        #expect(count == 0)
        network.add(seed: 40_778)
        network.run(us: 10 * Self.second)
        let held = network.nodes[3].node.store.count
        #expect(held > 500)
    }

    @Test("timers and slots balance while calls wait")
    func invariants() {
        let network = cluster(3)
        exhaust(network, 1, for: 0)
        exhaust(network, 2, for: 0)
        for number in 0..<UInt64(20) {
            _ = network.nodes[0].node.put(
                NodeID(number, 4, 4, 4), value: [1], seq: 1, ttlSeconds: 60, nowUs: network.nowUs)
            network.collect(0)
        }
        for _ in 0..<100 {
            network.run(us: 50_000)
            let broken = network.nodes[0].node.brokenInvariant(nowUs: network.nowUs)
            #expect(broken == nil)
        }
        let pending = network.nodes[0].node.pendingCalls
        #expect(pending == 0)
    }

    @Test("who said Busy is remembered for so many and no more")
    func bounded() {
        var peers = BusyPeers()
        var generator = SeededGenerator(seed: 1)
        let (first, late) = (NodeID.random(using: &generator), NodeID.random(using: &generator))
        peers.note(first, waitUs: 10, 0)
        for _ in 0..<BusyPeers.capacity - 1 { peers.note(.random(using: &generator), waitUs: 100, 0) }
        peers.note(late, waitUs: 200, 5)
        var isHeld = peers.holds(late, 6)
        #expect(!isHeld)
        peers.note(late, waitUs: 200, 10)
        isHeld = peers.holds(late, 11)
        #expect(isHeld)
        isHeld = peers.holds(first, 11)
        #expect(!isHeld)
    }

    @Test("calls that wait for a peer take turns")
    func turns() {
        var peers = BusyPeers()
        let id = NodeID(1, 2, 3, 4)
        peers.note(id, waitUs: 100, 1000)
        let times = (0..<3).map { _ in peers.takeTurn(id, 1050) }
        #expect(times == [1100, 1200, 1300])
        let none = peers.takeTurn(id, 1100)
        #expect(none == nil)
    }
}
