// RO:WHAT  The courier: what it owes to whom, and what becomes of a batch that is taken, refused or lost.
// RO:WHY   Nobody waits for these records, so nobody would notice one that is forgotten.
import Testing

@testable import DhtLoop

@Suite("Courier")
struct CourierTests {
    private static let second: UInt64 = 1_000_000

    private static func contact(_ number: UInt64) -> Contact {
        Contact(id: NodeID(number, 0, 0, 1), endpoint: EndpointID(rawValue: UInt32(number)))
    }

    private static func key(_ number: Int) -> Key { NodeID(UInt64(number) << 40, 7, 7, 7) }

    // MARK: - What is owed

    @Test("a node has one route, and what waits is counted over all of them")
    func routes() {
        var courier = Courier()
        #expect(courier.isIdle)
        for number in 0..<6 { courier.add(Self.key(number), to: Self.contact(UInt64(number % 2 + 1))) }
        #expect(courier.waiting == 6)
        #expect(courier.lost(by: Self.contact(3).id, mayRetry: false, 0) == nil && courier.waiting == 6)
        let dropped = courier.lost(by: Self.contact(2).id, mayRetry: false, 0)
        #expect(dropped?.isDropped == true && courier.waiting == 3 && !courier.isIdle)
        let kept = courier.lost(by: Self.contact(1).id, mayRetry: true, 0)
        #expect(kept?.isDropped == false && courier.waiting == 3)
        _ = courier.lost(by: Self.contact(1).id, mayRetry: false, 0)
        #expect(courier.isIdle && courier.waiting == 0)
    }

    @Test("it is full while as many as may be wait, whoever they wait for")
    func isFull() {
        var courier = Courier()
        for number in 0..<Courier.mostWaiting - 1 {
            courier.add(Self.key(number), to: Self.contact(UInt64(number % 9 + 1)))
        }
        #expect(!courier.isFull)
        courier.add(Self.key(0), to: Self.contact(10))
        #expect(courier.isFull)
        _ = courier.lost(by: Self.contact(10).id, mayRetry: false, 0)
        #expect(!courier.isFull)
    }

    // MARK: - What becomes of a batch

    /// A node, and a peer that the test answers for.
    private final class Pair {
        var node: DhtNode
        let peer: Contact
        var nowUs = CourierTests.second
        /// There is no session to the peer: a host tells so at once of all that is sent.
        var isDown = false

        /// `isHome` when the peer is behind the node's own overlay.
        init(isHome: Bool = false, replica: Int = 3) {
            let endpoints = EndpointTable()
            let (home, other) = (endpoints.intern("10.0.0.1:1")!, endpoints.intern("10.0.0.2:1")!)
            peer = Contact(id: NodeID(9, 9, 9, 9), endpoint: isHome ? home : other)
            var config = NodeConfig(id: NodeID(1, 1, 1, 1))
            config.replica = replica
            node = DhtNode(config: config, endpoints: endpoints, seed: 1, nowUs: nowUs)
            node.setHome(home, advertised: home)
            node.meet(peer, rttUs: 1_000, nowUs)
            node.outbox.clear()
        }

        /// Owes `keys` to the peer; returns what is sent to it.
        func owe(_ keys: [Key], seq: UInt64 = 1) -> [EnvelopeImage] {
            for key in keys {
                let outcome = node.keep(key, seq: seq, ttlSeconds: 3600, value: [1], nowUs)
                #expect(outcome == .stored)
            }
            node.owe(keys, to: peer, nowUs)
            return takeSent()
        }

        /// Records on their way to the peer since the last call.
        func takeSent() -> [EnvelopeImage] {
            let images = node.outbox.actions.compactMap { action -> EnvelopeImage? in
                guard case .send(_, let slice) = action else { return nil }
                return try? EnvelopeImage(decoding: Array(node.outbox.payload(slice)))
            }
            node.outbox.clear()
            return images.filter { !Pair.records(of: $0).isEmpty }
        }

        static func records(of image: EnvelopeImage) -> [EnvelopeImage.Record] {
            switch image.body {
            case .put(let record): [record]
            case .putMany(let records): records
            default: []
            }
        }

        /// The peer answers; returns what is sent then.
        func answer(_ request: EnvelopeImage, _ body: EnvelopeImage.Body) throws -> [EnvelopeImage] {
            let reply = EnvelopeImage(
                dst: node.config.id, src: peer.id, at: [], net: 0, rpc: request.rpc, body: body)
            let frame = try #require(reply.encoded())
            nowUs += 1_000
            frame.withUnsafeBytes { node.receive($0, from: Link(endpoint: peer.endpoint), nowUs: nowUs) }
            return takeSent()
        }

        /// Time passes; returns what is sent meanwhile.
        func wait(us: UInt64) -> [EnvelopeImage] {
            let end = nowUs + us
            while let due = node.nextDeadlineUs, due <= end {
                nowUs = max(nowUs, due)
                node.advance(nowUs: nowUs)
                if isDown { node.linkDown(peer.endpoint, isRemote: false, nowUs: nowUs) }
            }
            nowUs = end
            return takeSent()
        }

        var isSound: Bool { node.brokenInvariant(nowUs: nowUs) == nil }
        var isIdle: Bool { node.replicator.isIdle }
        var replicated: UInt64 { node.stats.replicated }
    }

    private func keys(_ image: EnvelopeImage?) -> [Key] {
        image.map { Pair.records(of: $0).map(\.key) } ?? []
    }

    @Test("one batch of 64 is on its way at a time, and the next follows its answer")
    func oneAtATime() throws {
        let pair = Pair()
        let owed = (0..<150).map(Self.key)
        var (sent, batches) = (pair.owe(owed), [Int]())
        var told: [Key] = []
        while let batch = sent.first {
            #expect(sent.count == 1)
            batches.append(keys(batch).count)
            told += keys(batch)
            sent = try pair.answer(batch, .storedMany(stored: UInt64(batches.last ?? 0), refused: []))
        }
        #expect(batches == [64, 64, 22] && told == owed)
        #expect(pair.replicated == 150 && pair.isIdle && pair.isSound)
    }

    @Test("a peer that says it took more than it was sent took what it was sent")
    func boaster() throws {
        let pair = Pair()
        let batch = try #require(pair.owe([Self.key(1), Self.key(2)]).first)
        #expect(try pair.answer(batch, .storedMany(stored: 64, refused: [])).isEmpty)
        #expect(pair.replicated == 2 && pair.isIdle)
    }

    @Test("a record that is gone by its turn is left out, and a route of nothing else ends")
    func gone() throws {
        let pair = Pair()
        let first = try #require(pair.owe([Self.key(0)]).first)
        pair.node.owe((1...3).map(Self.key), to: pair.peer, pair.nowUs)
        #expect(try pair.answer(first, .storedMany(stored: 1, refused: [])).isEmpty)
        #expect(pair.isIdle && pair.isSound)
    }

    @Test("what a busy node did not take goes again once it may be asked, and no sooner")
    func busy() throws {
        let pair = Pair()
        let owed = (0..<3).map(Self.key)
        let first = try #require(pair.owe(owed).first)
        #expect(try pair.answer(first, .busy(retryMs: 500)).isEmpty)
        #expect(pair.wait(us: 490_000).isEmpty && pair.node.replicator.waiting == 3 && pair.isSound)
        let again = pair.wait(us: 20_000)
        #expect(keys(again.first) == owed)
        #expect(try pair.answer(try #require(again.first), .storedMany(stored: 3, refused: [])).isEmpty)
        #expect(pair.replicated == 3 && pair.isIdle)
    }

    @Test("one that is busy for a minute is owed nothing more")
    func busyForLong() throws {
        let pair = Pair()
        var sent = pair.owe([Self.key(1)])
        for _ in 0..<200 where !pair.isIdle {
            if let batch = sent.first { _ = try pair.answer(batch, .busy(retryMs: 1_000)) }
            sent = pair.wait(us: Self.second)
        }
        #expect(pair.isIdle && pair.replicated == 0 && pair.isSound)
        #expect((60...64 * Self.second).contains(pair.nowUs - Self.second))
    }

    @Test("a node that knows no batches gets the same records one by one")
    func singles() throws {
        let pair = Pair()
        let owed = (0..<5).map(Self.key)
        let batch = try #require(pair.owe(owed).first)
        let unsupported = EnvelopeImage.Body.error(kind: Array("unsupported".utf8), detail: [])
        var (sent, told) = (try pair.answer(batch, unsupported), [Key]())
        while let single = sent.first {
            guard case .put = single.body else { break }
            told += keys(single)
            sent = try pair.answer(single, .stored(ok: true, code: [], ttl: 3600, seq: 0))
        }
        #expect(told == owed && pair.replicated == 5 && pair.isIdle && pair.isSound)
    }

    @Test("one that refuses single records as well is owed nothing more")
    func refusesAll() throws {
        let pair = Pair()
        let error = EnvelopeImage.Body.error(kind: Array("malformed".utf8), detail: [])
        let batch = try #require(pair.owe([Self.key(1), Self.key(2)]).first)
        let single = try #require(try pair.answer(batch, error).first)
        #expect(try pair.answer(single, error).isEmpty)
        #expect(pair.isIdle && pair.isSound)
    }

    @Test(
        "a batch that got no answer goes again to a contact that stays, and is given up with one that does not"
    )
    func lost() {
        let pair = Pair()
        let owed = [Self.key(1), Self.key(2)]
        var tries = 0
        var sent = pair.owe(owed)
        for _ in 0..<600 where !pair.isIdle {
            if let batch = sent.first {
                tries += 1
                #expect(keys(batch) == owed)
            }
            sent = pair.wait(us: Self.second / 10)
        }
        #expect(tries > 1 && pair.isIdle && pair.isSound)
        #expect(pair.node.table.state(of: pair.peer.id) == nil)
    }

    @Test("a hand-over ends though what is left of it expired while its taker was busy")
    func expired() throws {
        let pair = Pair(replica: 1)
        let outcome = pair.node.keep(Self.key(1), seq: 1, ttlSeconds: 2, value: [1], pair.nowUs)
        #expect(outcome == .stored)
        pair.node.leave(nowUs: pair.nowUs)
        let batch = try #require(pair.takeSent().first)
        #expect(try pair.answer(batch, .busy(retryMs: 5_000)).isEmpty)
        let isOverEarly = !pair.node.isHandingOver
        #expect(pair.wait(us: 6 * Self.second).isEmpty)
        let isOver = !pair.node.isHandingOver
        #expect(!isOverEarly && isOver && pair.isIdle && pair.isSound)
    }

    @Test(
        "while the own overlay is down, batches to those behind it wait instead of being lost over and over")
    func homeDown() throws {
        let pair = Pair(isHome: true)
        #expect(pair.owe([Self.key(1)]).count == 1)
        pair.node.linkDown(pair.peer.endpoint, isRemote: false, nowUs: pair.nowUs)
        #expect(pair.takeSent().isEmpty)
        pair.isDown = true
        let sent = pair.wait(us: 10 * Self.second)
        pair.isDown = false
        #expect((50...100).contains(sent.count) && !pair.isIdle && pair.isSound)
        var again: [EnvelopeImage] = []
        for _ in 0..<20 where again.isEmpty { again = pair.wait(us: Self.second / 100) }
        #expect(try pair.answer(try #require(again.first), .storedMany(stored: 1, refused: [])).isEmpty)
        #expect(pair.replicated == 1 && pair.isIdle)
    }

    @Test(
        "a holder that has a newer version ends a publication, told in a batch or alone",
        arguments: [true, false])
    func overwritten(inBatch: Bool) throws {
        let pair = Pair()
        let owed = [Self.key(1), Self.key(2)]
        for key in owed { pair.node.publish(key, seq: 5, value: [1], pair.nowUs) }
        let batch = try #require(pair.owe(owed, seq: 5).first)
        if inBatch {
            let refusals = [
                EnvelopeImage.Refusal(index: 0, code: Array("stale".utf8), seq: 6),
                EnvelopeImage.Refusal(index: 1, code: Array("stale".utf8), seq: 5),
            ]
            _ = try pair.answer(batch, .storedMany(stored: 0, refused: refusals))
        } else {
            var sent = try pair.answer(batch, .error(kind: [], detail: []))
            for seq in [UInt64(6), 5] {
                sent = try pair.answer(
                    try #require(sent.first), .stored(ok: false, code: Array("stale".utf8), ttl: 0, seq: seq))
            }
        }
        let left = owed.filter { pair.node.publications.find($0) != nil }
        #expect(left == [owed[1]] && pair.isIdle)
    }
}
