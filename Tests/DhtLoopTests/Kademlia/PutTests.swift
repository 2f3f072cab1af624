// RO:WHAT  One put, or provide, whose replicas the test answers for: who counts, and what their word is worth.
// RO:WHY   In a cluster all answer in time and none lies; what is counted wrongly then shows nowhere.
import Testing

@testable import DhtLoop

@Suite("A put and its replicas")
struct PutTests {
    private static let key = NodeID(0, 0, 0, 0)

    /// A node far from the key, and replicas near it.
    private final class Bench {
        var node: DhtNode
        private(set) var nowUs: UInt64 = 1_000_000
        private var call: OperationID?

        init(replicas: UInt64) {
            let endpoints = EndpointTable()
            let home = endpoints.intern("10.0.0.1:1")!
            let own = NodeConfig(id: NodeID(.max, 0, 0, 0))
            node = DhtNode(config: own, endpoints: endpoints, seed: 1, nowUs: nowUs)
            node.setHome(home, advertised: home)
            for number in 1...replicas {
                let there = endpoints.intern("10.0.0.2:\(number)")!
                node.meet(Contact(id: Bench.id(number), endpoint: there), rttUs: 1_000, nowUs)
            }
            node.outbox.clear()
        }

        static func id(_ number: UInt64) -> NodeID { NodeID(number, 0, 0, 0) }

        /// Begins a call and answers its walk; returns what the replicas are sent.
        func begin(_ start: (inout DhtNode, UInt64) -> OperationID?) throws -> [EnvelopeImage] {
            call = start(&node, nowUs)
            var walk = takeSent()
            while walk.contains(where: Bench.isStep) {
                for step in walk where Bench.isStep(step) { try answer(step, .nodes([])) }
                walk = takeSent()
            }
            return walk.filter(Bench.isStore)
        }

        private static func isStep(_ image: EnvelopeImage) -> Bool {
            if case .findNode(PutTests.key, _) = image.body { true } else { false }
        }

        private static func isStore(_ image: EnvelopeImage) -> Bool {
            switch image.body {
            case .put, .provide: true
            default: false
            }
        }

        func answer(_ request: EnvelopeImage, _ body: EnvelopeImage.Body) throws {
            let state = node.table.state(of: request.dst)
            let endpoint = try #require(state).endpoint
            let reply = EnvelopeImage(
                dst: node.config.id, src: request.dst, at: [], net: 0, rpc: request.rpc, body: body)
            let frame = try #require(reply.encoded())
            frame.withUnsafeBytes { node.receive($0, from: Link(endpoint: endpoint), nowUs: nowUs) }
        }

        /// Time passes; returns what the replicas are sent meanwhile.
        func wait(us: UInt64) -> [EnvelopeImage] {
            let end = nowUs + us
            while let due = node.nextDeadlineUs, due <= end {
                nowUs = max(nowUs, due)
                node.advance(nowUs: nowUs)
            }
            nowUs = end
            return takeSent().filter(Bench.isStore)
        }

        private(set) var result: PutResult?

        /// What was sent since the last call; the result is kept.
        private func takeSent() -> [EnvelopeImage] {
            var images: [EnvelopeImage] = []
            for action in node.outbox.actions {
                switch action {
                case .send(_, let slice):
                    if let image = try? EnvelopeImage(decoding: Array(node.outbox.payload(slice))) {
                        images.append(image)
                    }
                case .finished(call, .put(let ended)): result = ended
                default: break
                }
            }
            node.outbox.clear()
            return images
        }

        /// What the replicas were sent in answer to their answers.
        func sent() -> [EnvelopeImage] { takeSent().filter(Bench.isStore) }

        func put() throws -> [EnvelopeImage] {
            try begin { $0.put(PutTests.key, value: [1], seq: 5, ttlSeconds: 60, nowUs: $1) }
        }
    }

    private static let taken = EnvelopeImage.Body.stored(ok: true, code: [], ttl: 60, seq: 0)

    private func refused(_ code: String, seq: UInt64 = 0) -> EnvelopeImage.Body {
        .stored(ok: false, code: Array(code.utf8), ttl: 0, seq: seq)
    }

    @Test("a replica that was asked twice and says twice that it has the record is one replica")
    func askedTwice() throws {
        let bench = Bench(replicas: 3)
        let first = try bench.put()
        #expect(Set(first.map(\.dst)) == Set((1...3).map(Bench.id)))
        let again = bench.wait(us: 30_000)
        #expect(again.count == 3, "all were silent, and are asked once more")
        let twice = Bench.id(1)
        for request in first + again where request.dst == twice { try bench.answer(request, Self.taken) }
        for request in again where request.dst == Bench.id(2) { try bench.answer(request, Self.taken) }
        #expect(bench.sent().isEmpty && bench.result == nil, "two of three")
        for request in again where request.dst == Bench.id(3) { try bench.answer(request, Self.taken) }
        #expect(bench.sent().isEmpty && bench.result?.acks == 3)
    }

    @Test("only the refusals that there are count as such; a replica cannot say of itself that it was silent")
    func words() throws {
        let bench = Bench(replicas: 3)
        for (request, word) in zip(try bench.put(), ["timeout", "full", "too_large"]) {
            try bench.answer(request, refused(word))
        }
        #expect(bench.sent().isEmpty)
        let result = try #require(bench.result)
        #expect(result.failed.map(\.cause) == [.refused, .full, .tooLarge])
        // The node itself is the fourth closest, and no replica.
        #expect(result.acks == 0 && result.wanted == 3)
    }

    @Test("a provide that one replica has no room for is not made again at the others")
    func provideRefused() throws {
        let bench = Bench(replicas: 3)
        let asked = try bench.begin { $0.provide(Self.key, node: [65], ttlSeconds: 60, nowUs: $1) }
        #expect(asked.count == 3)
        for (request, body) in zip(asked, [Self.taken, refused("full"), Self.taken]) {
            try bench.answer(request, body)
        }
        #expect(bench.sent().isEmpty && bench.result?.acks == 2)
        #expect(bench.result?.failed.map(\.cause) == [.full])
    }

    @Test("a put goes once over a newer version, and what is told of the older one counts no more")
    func raised() throws {
        let bench = Bench(replicas: 3)
        let first = try bench.put()
        try bench.answer(first[0], Self.taken)
        try bench.answer(first[1], refused("stale", seq: 9))
        let second = bench.sent()
        let isRaised = second.allSatisfy {
            if case .put(let record) = $0.body { record.seq == 10 } else { false }
        }
        #expect(!second.isEmpty && isRaised)
        try bench.answer(first[2], Self.taken)
        for request in second + bench.sent() { try bench.answer(request, Self.taken) }
        #expect(bench.sent().isEmpty)
        #expect(bench.result?.acks == 3 && bench.result?.seq == 10 && bench.result?.failed == [])
    }
}
