// RO:WHAT  Forwarder: to whom a request is passed on, what is handed back and to whom, and when an errand is over.
import Testing

@testable import DhtLoop

@Suite("Forwarder")
struct ForwarderTests {
    private static let asker = NodeID(0, 0, 0, 99)
    private static let target = NodeID.zero

    /// A forwarder with the core that it works with. It has contacts 1 to 6, the first the nearest to the target.
    private final class Stage {
        let base: CoreStage
        var forwarder = Forwarder()
        let link: Link

        init(_ adjust: (inout NodeConfig) -> Void = { _ in }) {
            base = CoreStage(adjust)
            link = Link(endpoint: base.home, token: 5)
            for number in UInt64(1)...6 { base.meet(base.peer(number)) }
        }

        func open(_ numbers: [UInt64]) {
            for number in numbers { base.core.peers.sessionOpened(at: base.endpoint(number)) }
        }

        func nextStep(asker: NodeID = ForwarderTests.asker) -> Contact? {
            var nearest = ContactList()
            base.core.peers.table.closest(to: ForwarderTests.target, 20, into: &nearest)
            return forwarder.nextStep(
                to: ForwarderTests.target, asker: asker, of: nearest, base.nowUs, base.core)
        }

        /// Passes a request on to the first contact; returns the one that it was made.
        func passOn(_ message: MessageView, rpc: UInt64 = 40) -> NodeRpcs.Pending? {
            let request = EnvelopeView(
                dst: CoreStage.local, src: ForwarderTests.asker, at: .empty, net: 0, rpc: rpc,
                message: message)
            forwarder.passOn(request, to: base.peer(1), link, base.nowUs, &base.core)
            return base.requests(to: base.peer(1).id).last
        }

        func find(recursion: UInt8) -> NodeRpcs.Pending? {
            passOn(.findNode(target: ForwarderTests.target, recursion: recursion))
        }

        /// The peer answers; returns what is handed back.
        func answer(_ rpc: NodeRpcs.Pending, _ body: EnvelopeImage.Body) throws -> [CoreStage.Sent] {
            _ = base.take()
            try base.hear(body, from: rpc.dst, rpc: rpc.id) { reply, lists in
                forwarder.handBack(reply, contacts: lists.contacts, for: rpc, &base.core)
            }
            return base.take()
        }

        func names(_ numbers: [UInt64]) -> [EnvelopeImage.Contact] {
            numbers.map { .init(id: base.peer($0).id, at: base.text(base.endpoint($0))) }
        }
    }

    @Test("the next step is the closest with an open session that is neither the asker nor busy")
    func nextStep() {
        let stage = Stage()
        #expect(stage.nextStep() == nil)
        stage.open([2, 3, 4])
        #expect(stage.nextStep() == stage.base.peer(2))
        #expect(stage.nextStep(asker: stage.base.peer(2).id) == stage.base.peer(3))
        stage.base.core.rpcs.noteBusy(stage.base.peer(2).id, retryMs: 100, stage.base.nowUs)
        #expect(stage.nextStep() == stage.base.peer(3))
    }

    @Test("behind the local overlay a session is open, and a node farther than the local one is no step")
    func homeAndFar() {
        let stage = Stage()
        let atHome = Contact(id: NodeID(1 << 31, 0, 0, 5), endpoint: stage.base.home)
        stage.base.meet(atHome)
        #expect(stage.nextStep() == atHome)
        let far = CoreStage()
        far.meet(Contact(id: NodeID(3 << 62, 0, 0, 1), endpoint: far.home))
        var nearest = ContactList()
        far.core.peers.table.closest(to: Self.target, 20, into: &nearest)
        let step = Forwarder().nextStep(to: Self.target, asker: Self.asker, of: nearest, far.nowUs, far.core)
        #expect(nearest.count == 1 && step == nil)
    }

    @Test("a request goes on with one step less; one without a step, or of another kind, does not")
    func passOn() throws {
        let stage = Stage()
        #expect(stage.find(recursion: 0) == nil && stage.passOn(.ping) == nil && stage.forwarder.count == 0)
        let rpc = try #require(stage.find(recursion: 3))
        let sent = try #require(stage.base.take().last)
        #expect(sent.endpoint == stage.base.endpoint(1) && sent.image.rpc == rpc.id)
        #expect(sent.image.body == .findNode(target: Self.target, recursion: 2) && rpc.recursion == 2)
        let get = stage.passOn(.get(key: Self.target, wantsNodes: false, recursion: 1))
        #expect(get?.op == .get && stage.forwarder.count == 2)
        #expect(stage.base.take().last?.image.body == .get(key: Self.target, wantsNodes: false))
        #expect(stage.base.core.context.stats.passedOn == 2)
    }

    @Test("when no request is free none is passed on, and its place is free for the next")
    func noRequest() {
        let stage = Stage { $0.maxRpcs = 1 }
        stage.open([1])
        #expect(stage.nextStep() != nil)
        stage.base.core.ping(stage.base.peer(2), .probe, stage.base.nowUs)
        #expect(stage.nextStep() == nil && stage.find(recursion: 1) == nil)
        #expect(stage.forwarder.count == 0 && stage.base.core.context.stats.passedOn == 0)
    }

    @Test("four names are handed back, the asker's not among them, and the errand is over")
    func names() throws {
        let stage = Stage()
        let rpc = try #require(stage.find(recursion: 1))
        var contacts = stage.names([2, 3, 4, 5, 6])
        contacts[1].id = Self.asker
        let back = try stage.answer(rpc, .nodes(contacts))
        #expect(back.count == 1 && back.first?.link == stage.link && back.first?.image.rpc == 40)
        #expect(back.first?.image.body == .nodes(stage.names([2, 4, 5])))
        #expect(stage.forwarder.count == 0 && stage.base.core.rpcs[rpc.id]?.owner == .probe)
        #expect(stage.base.core.context.stats.handedBack[.findNode] == 1)
    }

    @Test("a record is handed back when it is the one that was asked for, and nothing in its stead")
    func record() throws {
        for key in [Self.target, NodeID(1, 1, 1, 1)] {
            let stage = Stage()
            let rpc = try #require(stage.passOn(.get(key: Self.target, wantsNodes: false, recursion: 1)))
            let record = EnvelopeImage.Record(key: key, seq: 4, ttl: 60, value: [1, 2])
            let back = try stage.answer(rpc, .found(record, nodes: []))
            #expect(back.map(\.image.body) == [key == Self.target ? .found(record, nodes: []) : .nodes([])])
            #expect(stage.forwarder.count == 0)
        }
    }

    @Test("while more is to come the errand goes on, and one that is abandoned says nothing")
    func moreToCome() throws {
        let stage = Stage()
        let rpc = try #require(stage.find(recursion: 2))
        let back = try stage.answer(rpc, .nodes(stage.names([2]), isMoreToCome: true))
        #expect(back.map(\.image.body) == [.nodes(stage.names([2]), isMoreToCome: true)])
        #expect(stage.forwarder.count == 1 && stage.base.core.rpcs[rpc.id]?.owner == .forwarded(slot: 0))
        stage.forwarder.abandon(rpc.id, &stage.base.core)
        #expect(stage.forwarder.count == 0 && stage.base.take().isEmpty)
    }

    @Test("of a request that gets no answer the asker is told once that nothing follows")
    func nothing() throws {
        let stage = Stage()
        let rpc = try #require(stage.find(recursion: 1))
        _ = stage.base.take()
        for _ in 0..<2 { stage.forwarder.handBackNothing(for: rpc.id, &stage.base.core) }
        #expect(stage.base.take().map(\.image.body) == [.nodes([])] && stage.forwarder.count == 0)
        #expect(stage.base.core.context.stats.handedBack.total == 0)
    }
}
