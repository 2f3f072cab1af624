// RO:WHAT  A node that is sent many records in one message: what it keeps, what it refuses, and how it says so.
import Testing

@testable import DhtLoop

@Suite("A batch of records")
struct BatchTests {
    private let network = TestNetwork()
    private var box: NetworkNode { network.nodes[0] }

    private typealias Record = EnvelopeImage.Record
    private typealias Refusal = EnvelopeImage.Refusal

    /// Sends one message from a client and returns the node's answer.
    private func answer(to body: EnvelopeImage.Body) throws -> EnvelopeImage.Body {
        let image = EnvelopeImage(
            dst: box.node.config.id, src: NodeID(5, 5, 5, 5), at: [], net: 0, rpc: 77, body: body)
        let frame = try #require(image.encoded())
        box.node.outbox.clear()
        let link = Link(endpoint: box.home, token: 1)
        frame.withUnsafeBytes { box.node.receive($0, from: link, nowUs: network.nowUs) }
        let replies = box.node.outbox.actions.compactMap { action -> [UInt8]? in
            if case .reply(link, let slice) = action { Array(box.node.outbox.payload(slice)) } else { nil }
        }
        box.node.outbox.clear()
        let reply = try EnvelopeImage(decoding: try #require(replies.first))
        #expect(replies.count == 1 && reply.rpc == 77 && reply.dst == image.src)
        return reply.body
    }

    private func records(_ count: Int, value: [UInt8] = [1]) -> [Record] {
        (0..<count).map {
            Record(key: NodeID(UInt64($0), 7, 7, 7), seq: UInt64($0) + 1, ttl: 3600, value: value)
        }
    }

    private func held(_ key: Key) -> (seq: UInt64, value: [UInt8], isTombstone: Bool)? {
        box.node.store.find(key, nowUs: network.nowUs).map { ($0.seq, Array($0.value), $0.isTombstone) }
    }

    private func refusal(_ index: Int, _ code: String, seq: UInt64 = 0) -> Refusal {
        Refusal(index: index, code: Array(code.utf8), seq: seq)
    }

    private func expectStats(
        taken: UInt64, served: UInt64, denied: UInt64, _ source: SourceLocation = #_sourceLocation
    ) {
        let stats = box.node.stats
        let counted = [stats.recordsTaken, stats.rpcs(.putMany, .served), stats.rpcs(.putMany, .denied)]
        #expect(counted == [taken, served, denied], sourceLocation: source)
    }

    @Test("of 64 records all are kept but a stale one and one that is too large, which are named")
    func mixed() throws {
        network.add(seed: 1) { $0.maxValueBytes = 100 }
        var batch = records(Limits.recordsPerMessage)
        let newer = Record(key: batch[9].key, seq: 1_000, ttl: 3600, value: [9])
        #expect(try answer(to: .put(newer)) == .stored(ok: true, code: [], ttl: 3600, seq: 0))
        batch[40].value = [UInt8](repeating: 4, count: 101)
        batch[41].value = [UInt8](repeating: 4, count: 100)
        batch[63] = Record(key: batch[63].key, seq: 5, ttl: 60, value: [], isTombstone: true)
        let refused = [refusal(9, "stale", seq: 1_000), refusal(40, "too_large")]
        #expect(try answer(to: .putMany(batch)) == .storedMany(stored: 62, refused: refused))
        for (index, record) in batch.enumerated() where index != 9 && index != 40 {
            let found = try #require(held(record.key))
            #expect(found.seq == record.seq && found.value == record.value)
            #expect(found.isTombstone == record.isTombstone)
        }
        #expect(held(newer.key)?.value == [9])
        #expect(held(batch[40].key) == nil)
        expectStats(taken: 63, served: 1, denied: 0)
    }

    @Test("the same batch once more is taken again, and one that is stale as a whole is denied")
    func again() throws {
        network.add(seed: 1)
        let batch = records(3)
        for _ in 0..<2 {
            #expect(try answer(to: .putMany(batch)) == .storedMany(stored: 3, refused: []))
        }
        let older = batch.map { Record(key: $0.key, seq: 0, ttl: 60, value: [0]) }
        let refused = (0..<3).map { refusal($0, "stale", seq: UInt64($0) + 1) }
        #expect(try answer(to: .putMany(older)) == .storedMany(stored: 0, refused: refused))
        expectStats(taken: 6, served: 2, denied: 1)
    }

    @Test("a key that comes twice is judged in order")
    func twice() throws {
        network.add(seed: 1)
        let key = NodeID(1, 2, 3, 4)
        let batch = [UInt64(5), 4, 6].map { Record(key: key, seq: $0, ttl: 60, value: [UInt8($0)]) }
        // By the time the answer is written, the version that is there is the batch's last.
        #expect(
            try answer(to: .putMany(batch)) == .storedMany(stored: 2, refused: [refusal(1, "stale", seq: 6)]))
        #expect(held(key)?.value == [6])
    }

    @Test("what a full store has no room for is refused, and the rest is there")
    func full() throws {
        // The segments of a store of 2 MiB have no room for 2 x 15 values of 65 000 bytes.
        network.add(seed: 1) { $0.memoryBudget = 2 << 20 }
        let all = records(30, value: [UInt8](repeating: 3, count: 65_000))
        let (first, batch) = (Array(all[..<15]), Array(all[15...]))
        #expect(try answer(to: .putMany(first)) == .storedMany(stored: 15, refused: []))
        guard case .storedMany(let stored, let refused) = try answer(to: .putMany(batch)) else {
            Issue.record("another answer")
            return
        }
        #expect(stored > 0 && !refused.isEmpty && Int(stored) + refused.count == batch.count)
        let refusedIndexes = Set(refused.map(\.index))
        #expect(refused.allSatisfy { $0.code == Array("full".utf8) })
        for (index, record) in batch.enumerated() {
            #expect((held(record.key) == nil) == refusedIndexes.contains(index), "record \(index)")
        }
    }

    @Test("a record's life is cut to the longest there is, and ends")
    func life() throws {
        network.add(seed: 1) { $0.maxTtlSeconds = 100 }
        var batch = records(2)
        (batch[0].ttl, batch[1].ttl) = (.max, 0)
        #expect(try answer(to: .putMany(batch)) == .storedMany(stored: 2, refused: []))
        network.run(us: 50_000_000)
        #expect(held(batch[0].key) != nil && held(batch[1].key) == nil)
        network.run(us: 60_000_000)
        #expect(held(batch[0].key) == nil)
    }
}
