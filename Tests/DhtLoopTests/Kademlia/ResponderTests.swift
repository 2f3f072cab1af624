// RO:WHAT  Responder: the answer to each kind of request, and what is counted for it.
import Testing

@testable import DhtLoop

@Suite("Responder")
struct ResponderTests {
    private static let asker = NodeID(5, 5, 5, 5)
    private static let key = NodeID.zero

    /// A responder with the core that it works with.
    private final class Stage {
        let base: CoreStage
        var responder: Responder
        let link: Link

        init(perPeer: Int = 0, contacts: UInt64 = 0, _ adjust: (inout NodeConfig) -> Void = { _ in }) {
            base = CoreStage(adjust)
            responder = Responder(AdmissionControl(perPeer: perPeer, common: 0, secret: 3))
            link = Link(endpoint: base.home, token: 5)
            for number in 0..<contacts { base.meet(base.peer(number + 1)) }
        }

        /// What is replied to a request.
        func ask(_ body: EnvelopeImage.Body, from source: NodeID = ResponderTests.asker) throws
            -> EnvelopeImage.Body?
        {
            try base.hear(body, from: source, rpc: 40) { request, lists in
                responder.answer(request, with: lists, link, base.nowUs, &base.core)
            }
            return answer(to: source)
        }

        func ask(_ message: MessageView) -> EnvelopeImage.Body? {
            let request = EnvelopeView(
                dst: CoreStage.local, src: ResponderTests.asker, at: .empty, net: 0, rpc: 40, message: message
            )
            responder.answer(request, with: MessageLists(), link, base.nowUs, &base.core)
            return answer(to: ResponderTests.asker)
        }

        private func answer(to source: NodeID) -> EnvelopeImage.Body? {
            let sent = base.take()
            guard sent.count == 1, sent[0].link == link, sent[0].image.rpc == 40, sent[0].image.dst == source
            else { return nil }
            return sent[0].image.body
        }

        func put(seq: UInt64, ttl: UInt64 = 60, value: [UInt8] = [1]) throws -> EnvelopeImage.Body? {
            try ask(.put(.init(key: ResponderTests.key, seq: seq, ttl: ttl, value: value)))
        }

        func names(_ numbers: ClosedRange<UInt64>) -> [EnvelopeImage.Contact] {
            numbers.map { .init(id: base.peer($0).id, at: base.text(base.endpoint($0))) }
        }

        func count(_ op: RpcOp, _ code: RpcCode) -> UInt64 { base.core.context.stats.rpcs(op, code) }
    }

    @Test("the K closest are named, nearest first, and to none of them its own name")
    func nodes() throws {
        let stage = Stage(contacts: 6) { $0.k = 4 }
        #expect(try stage.ask(.findNode(target: Self.key)) == .nodes(stage.names(1...4)))
        let own = try stage.ask(.findNode(target: Self.key), from: stage.base.peer(4).id)
        #expect(own == .nodes(stage.names(1...3)) && stage.count(.findNode, .served) == 2)
    }

    @Test("one that was silent twice is named no more")
    func silent() throws {
        let stage = Stage(contacts: 2)
        let second = stage.base.peer(2)
        for _ in 0..<2 {
            stage.base.change {
                _ = $0.peers.noteFailure(of: second, weight: 1, stage.base.nowUs, &$0.context)
            }
        }
        #expect(try stage.ask(.findNode(target: Self.key)) == .nodes(stage.names(1...1)))
    }

    @Test(
        "a record is taken for no longer than the longest life, an older or too large one is refused by name")
    func put() throws {
        let stage = Stage { ($0.maxTtlSeconds, $0.maxValueBytes) = (100, 3) }
        #expect(try stage.put(seq: 5, ttl: 500) == .stored(ok: true, code: [], ttl: 100, seq: 0))
        let stale = EnvelopeImage.Body.stored(ok: false, code: Array("stale".utf8), ttl: 0, seq: 5)
        #expect(try stage.put(seq: 4) == stale)
        let large = try stage.put(seq: 6, value: [1, 2, 3, 4])
        #expect(large == .stored(ok: false, code: Array("too_large".utf8), ttl: 0, seq: 0))
        #expect(stage.count(.put, .served) == 1 && stage.count(.put, .denied) == 2)
        #expect(stage.base.core.context.stats.recordsTaken == 1)
    }

    @Test(
        "a get is answered with the record, and with contacts too when they are asked for, else with contacts"
    )
    func get() throws {
        let stage = Stage(contacts: 2)
        let ask = { try stage.ask(.get(key: Self.key, wantsNodes: $0)) }
        #expect(try ask(false) == .nodes(stage.names(1...2)))
        stage.base.keep(Self.key, seq: 3, ttlSeconds: 60, value: [8])
        let record = EnvelopeImage.Record(key: Self.key, seq: 3, ttl: 60, value: [8])
        #expect(try ask(false) == .found(record, nodes: []))
        #expect(try ask(true) == .found(record, nodes: stage.names(1...2)))
        #expect(stage.count(.get, .served) == 3)
    }

    @Test("providers are named, as many as were asked for, with contacts; one without a name is not taken")
    func providers() throws {
        let stage = Stage(contacts: 1)
        let provide = { (node: [UInt8]) in try stage.ask(.provide(cid: Self.key, node: node, ttl: 60)) }
        #expect(try provide([]) == .stored(ok: false, code: Array("bad_node".utf8), ttl: 0, seq: 0))
        #expect(try provide([65]) == .stored(ok: true, code: [], ttl: 60, seq: 0))
        _ = try stage.ask(.provide(cid: Self.key, node: [66], ttl: 90))
        let all = try stage.ask(.findProviders(cid: Self.key, limit: .max))
        let both = [EnvelopeImage.Provider(node: [66], ttl: 90), .init(node: [65], ttl: 60)]
        #expect(all == .providers(both, nodes: stage.names(1...1)))
        let one = try stage.ask(.findProviders(cid: Self.key, limit: 1))
        #expect(one == .providers([both[0]], nodes: stage.names(1...1)))
        #expect(stage.count(.provide, .served) == 2 && stage.count(.provide, .denied) == 1)
        #expect(stage.count(.findProviders, .served) == 2)
    }

    @Test("what is malformed, or no request that is known, is told so and counted")
    func errors() {
        let stage = Stage()
        guard case .error(let kind, let detail)? = stage.ask(.malformed(.tooDeep)) else {
            return #expect(Bool(false), "no error")
        }
        #expect(kind == Array("malformed".utf8) && detail == Array("nested deeper than 16 levels".utf8))
        guard case .error(let other, _)? = stage.ask(.unsupported(name: .empty)) else {
            return #expect(Bool(false), "no error")
        }
        #expect(other == Array("unsupported".utf8))
        let rejected = stage.base.core.context.stats.rejections
        #expect(rejected == [.wire(.tooDeep): 1, .unsupported: 1])
    }

    @Test("a request over its sender's rate is answered with Busy, changes nothing, and asks for no contact")
    func overRate() throws {
        let stage = Stage(perPeer: 1)
        for _ in 0..<32 { _ = stage.ask(.ping) }
        let at = stage.base.text(stage.base.endpoint(3))
        let record = EnvelopeImage.Record(key: Self.key, seq: 1, ttl: 60, value: [1])
        try stage.base.hear(.put(record), from: Self.asker, at: at) { request, lists in
            stage.responder.answer(request, with: lists, stage.link, stage.base.nowUs, &stage.base.core)
        }
        let sent = stage.base.take()
        #expect(sent.map(\.image.body) == [.busy(retryMs: 1000)])
        #expect(stage.base.core.records.count == 0 && stage.count(.put, .shed) == 1)
        #expect(stage.count(.ping, .served) == 32)
    }

    @Test("a stranger that asks is pinged, and answered all the same")
    func stranger() throws {
        let stage = Stage()
        let at = stage.base.text(stage.base.endpoint(3))
        try stage.base.hear(.ping, from: Self.asker, at: at) { request, lists in
            stage.responder.answer(request, with: lists, stage.link, stage.base.nowUs, &stage.base.core)
        }
        let sent = stage.base.take()
        #expect(sent.map(\.image.body) == [.ping, .pong] && stage.base.core.peers.count == 0)
        #expect(sent.map(\.endpoint) == [stage.base.endpoint(3), nil])
    }
}
