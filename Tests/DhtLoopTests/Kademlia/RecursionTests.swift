// RO:WHAT  Lookups that are passed on: by whom, to whom, and what the asker makes of the answers.
// RO:WHY   It spares round trips only while nobody can be made to work for others without bound, and while a promise
//          that is not kept costs the asker next to nothing.
import Testing

@testable import DhtLoop

/// A node in a made-up network, whose table and peers' answers a test writes by hand.
private final class Stage {
    static let own = NodeID(1 << 63, 0, 0, 1)
    static let asker = NodeID(3 << 62, 0, 0, 9)
    /// A key with which the own id shares no bit.
    static let key = NodeID(0, 0, 0, 5)

    let endpoints = EndpointTable()
    let home: EndpointID
    var node: DhtNode
    var nowUs: UInt64 = 1_000_000
    /// Gets that have ended.
    var gets: [GetResult] = []
    private var lists = MessageLists()

    /// A payload that the node sends, and where to.
    struct Sent {
        var view: EnvelopeView
        var names: [NodeID]
        var endpoint: EndpointID?
        var link: Link?
    }

    init(_ adjust: (inout NodeConfig) -> Void = { _ in }) {
        var config = NodeConfig(id: Self.own)
        (config.k, config.replica, config.beta) = (4, 2, 0)
        adjust(&config)
        home = endpoints.intern("10.0.0.1:1")!
        node = DhtNode(config: config, endpoints: endpoints, seed: 1, nowUs: nowUs)
        node.setHome(home, advertised: home)
    }

    func endpoint(_ number: UInt64) -> EndpointID { endpoints.intern("10.1.0.1:\(number + 10)")! }

    /// A peer near the key; the higher its number, the farther it is.
    func peer(_ number: UInt64) -> Contact {
        Contact(id: NodeID(number << 48, 0, 0, 5), endpoint: endpoint(number))
    }

    /// Fills the half of the network where the key lies: peers 1 to 4, a session to each in `open`.
    func meetPeers(open: Set<UInt64>) {
        for number in 1...4 { node.meet(peer(UInt64(number)), rttUs: 10_000, nowUs) }
        for number in open { node.sessionOpened(endpoint(number), nowUs: nowUs) }
        node.outbox.clear()
    }

    /// Two who share many bits with this node, so that a key with which it shares few is far.
    func meetNeighbours() {
        for number in 4...5 {
            let id = NodeID(1 << 63 | UInt64(number), 0, 0, 0)
            node.meet(Contact(id: id, endpoint: endpoint(100 + UInt64(number))), rttUs: 10_000, nowUs)
        }
        node.outbox.clear()
    }

    var link: Link { Link(endpoint: home, token: 77) }

    /// What the node sends when a message comes in.
    func receive(
        from source: NodeID, rpc: UInt64, over link: Link, _ append: (inout ByteBuffer) -> Void
    ) -> [Sent] {
        var buffer = ByteBuffer()
        EnvelopeEncoder(src: source, at: endpoints.bytes(.none), net: 0)
            .begin(&buffer, dst: node.config.id, rpc: rpc)
        append(&buffer)
        node.receive(buffer.bytes, from: link, nowUs: nowUs)
        return take()
    }

    func take() -> [Sent] {
        var sent: [Sent] = []
        for action in node.outbox.actions {
            switch action {
            case .send(let endpoint, let slice): sent.append(decode(slice, endpoint, nil))
            case .reply(let link, let slice): sent.append(decode(slice, nil, link))
            case .finished(_, .get(let result)): gets.append(result)
            case .finished, .warm, .event: break
            }
        }
        node.outbox.clear()
        return sent
    }

    private func decode(_ slice: ByteSlice, _ endpoint: EndpointID?, _ link: Link?) -> Sent {
        let view = try! EnvelopeDecoder.decode(node.outbox.payload(slice), into: &lists)
        return Sent(view: view, names: lists.contacts.map(\.id), endpoint: endpoint, link: link)
    }

    func names(_ numbers: [UInt64], isMoreToCome: Bool = false) -> (inout ByteBuffer) -> Void {
        { buffer in
            buffer.beginNodes(count: numbers.count, isMoreToCome: isMoreToCome)
            for number in numbers {
                let contact = self.peer(number)
                buffer.appendContact(contact.id, atText: self.endpoints.bytes(contact.endpoint))
            }
        }
    }

    func record(_ text: String) -> (inout ByteBuffer) -> Void {
        { buffer in
            Array(text.utf8).withUnsafeBytes {
                buffer.beginFound(key: Self.key, seq: 1, ttlSeconds: 60, value: $0, contacts: 0)
            }
        }
    }

    func losing(_ endpoint: EndpointID) -> [Sent] {
        node.linkDown(endpoint, isRemote: true, nowUs: nowUs)
        return take()
    }

    func advance(us: UInt64) -> [Sent] {
        nowUs += us
        node.advance(nowUs: nowUs)
        return take()
    }
}

extension MessageView {
    fileprivate var isGet: Bool {
        if case .get = self { true } else { false }
    }
}

@Suite("Recursion")
struct RecursionTests {
    static let second: UInt64 = 1_000_000

    @Suite("A node that is asked")
    struct Asked {
        @Test("answers, says that more follows, and asks the closest to whom a session is open")
        func passesOn() throws {
            let stage = Stage()
            stage.meetPeers(open: [2, 4])
            let sent = stage.receive(from: Stage.asker, rpc: 7, over: stage.link) {
                $0.appendGet(key: Stage.key, recursion: 2)
            }
            try #require(sent.count == 2)
            #expect(sent[0].view.message == .nodes(isMoreToCome: true) && sent[0].link == stage.link)
            #expect(sent[0].names == (1...4).map { stage.peer($0).id })
            #expect(sent[1].endpoint == stage.endpoint(2) && sent[1].view.dst == stage.peer(2).id)
            #expect(sent[1].view.message == .get(key: Stage.key, wantsNodes: false, recursion: 1))
            let (passedOn, inProgress) = (stage.node.stats.passedOn, stage.node.forwarded)
            #expect(passedOn == 1 && inProgress == 1)
        }

        @Test("hands the answer back under the asker's id, and the one after that")
        func handsBack() throws {
            let stage = Stage()
            stage.meetPeers(open: [1])
            let before = stage.node.pendingRpcs
            let asked = stage.receive(from: Stage.asker, rpc: 7, over: stage.link) {
                $0.appendGet(key: Stage.key, recursion: 2)
            }
            try #require(asked.count == 2)
            let way = Link(endpoint: stage.endpoint(1))
            let first = stage.receive(
                from: stage.peer(1).id, rpc: asked[1].view.rpc, over: way,
                stage.names([1, 2, 3, 4, 5], isMoreToCome: true))
            try #require(first.count == 1)
            #expect(first[0].link == stage.link && first[0].view.rpc == 7 && first[0].view.dst == Stage.asker)
            #expect(first[0].view.message == .nodes(isMoreToCome: true))
            #expect(first[0].names == (1...4).map { stage.peer($0).id })
            let second = stage.receive(
                from: stage.peer(1).id, rpc: asked[1].view.rpc, over: way, stage.record("here"))
            try #require(second.count == 1)
            guard case .found(let record) = second[0].view.message else {
                Issue.record("\(second[0].view.message)")
                return
            }
            #expect(record.key == Stage.key && second[0].view.rpc == 7)
            let (inProgress, pending) = (stage.node.forwarded, stage.node.pendingRpcs)
            #expect(inProgress == 0 && pending == before)
        }

        @Test(
            "says that nothing follows after all when the other is silent, gone or refuses", arguments: 0..<3)
        func nothing(failure: Int) throws {
            let stage = Stage()
            stage.meetPeers(open: [1])
            let asked = stage.receive(from: Stage.asker, rpc: 7, over: stage.link) {
                $0.appendGet(key: Stage.key, recursion: 2)
            }
            try #require(asked.count == 2)
            let told =
                switch failure {
                case 0: stage.advance(us: RecursionTests.second)
                case 1: stage.losing(stage.endpoint(1))
                default:
                    stage.receive(
                        from: stage.peer(1).id, rpc: asked[1].view.rpc,
                        over: Link(endpoint: stage.endpoint(1))
                    ) { $0.appendBusy(retryMs: 100) }
                }
            let answers = told.filter { $0.link == stage.link }
            #expect(answers.map(\.view.message) == [.nodes(isMoreToCome: false)])
            #expect(answers.allSatisfy { $0.view.rpc == 7 && $0.names.isEmpty })
            let left = stage.node.forwarded
            #expect(left == 0)
            #expect(stage.node.brokenInvariant(nowUs: stage.nowUs) == nil)
        }

        @Test(
            "passes nothing on without a session, a step left or anyone closer, and nothing that it can answer"
        )
        func keepsTo() {
            let cold = Stage()
            cold.meetPeers(open: [])
            let answers = cold.receive(from: Stage.asker, rpc: 1, over: cold.link) {
                $0.appendGet(key: Stage.key, recursion: 2)
            }
            #expect(answers.map(\.view.message) == [.nodes(isMoreToCome: false)])

            let stage = Stage()
            stage.meetPeers(open: [1, 2, 3, 4])
            func ask(_ append: (inout ByteBuffer) -> Void) -> [MessageView] {
                stage.receive(from: Stage.asker, rpc: 1, over: stage.link, append).map(\.view.message)
            }
            #expect(ask { $0.appendGet(key: Stage.key) } == [.nodes(isMoreToCome: false)])
            #expect(ask { $0.appendGetWithNodes(key: Stage.key) } == [.nodes(isMoreToCome: false)])
            let own = NodeID(1 << 63, 0, 0, 2)
            #expect(ask { $0.appendGet(key: own, recursion: 2) } == [.nodes(isMoreToCome: false)])
            #expect(ask { $0.appendFindNode(target: own, recursion: 2) } == [.nodes(isMoreToCome: false)])
            _ = stage.node.keep(Stage.key, seq: 1, ttlSeconds: 60, value: [1], stage.nowUs)
            let held = ask { $0.appendGet(key: Stage.key, recursion: 2) }
            #expect(held.count == 1 && stage.node.stats.passedOn == 0)
        }

        @Test("passes on over whichever session is open, and over none that has ended, for whatever reason")
        func sessions() {
            let stage = Stage()
            stage.meetPeers(open: [1])
            func passedOnTo(rpc: UInt64) -> EndpointID? {
                let sent = stage.receive(from: Stage.asker, rpc: rpc, over: stage.link) {
                    $0.appendGet(key: Stage.key, recursion: 1)
                }
                return sent.compactMap(\.endpoint).first
            }
            #expect(passedOnTo(rpc: 1) == stage.endpoint(1))
            stage.node.sessionClosed(stage.endpoint(1))
            #expect(passedOnTo(rpc: 2) == nil)
            for number in [1, 3] as [UInt64] {
                stage.node.sessionOpened(stage.endpoint(number), nowUs: stage.nowUs)
            }
            #expect(passedOnTo(rpc: 3) == stage.endpoint(1))
            stage.node.linkDown(stage.endpoint(1), isRemote: false, nowUs: stage.nowUs)
            stage.node.outbox.clear()
            #expect(passedOnTo(rpc: 4) == stage.endpoint(3))
        }

        @Test("passes on no more at a time than it has room for, whoever asks")
        func bounded() {
            let stage = Stage()
            stage.meetPeers(open: [1])
            let before = stage.node.pendingRpcs
            for rpc in 0..<UInt64(Forwarder.limit + 50) {
                _ = stage.receive(from: Stage.asker, rpc: rpc, over: stage.link) {
                    $0.appendGet(key: Stage.key, recursion: 1)
                }
            }
            let (inProgress, pending) = (stage.node.forwarded, stage.node.pendingRpcs)
            #expect(inProgress == Forwarder.limit && pending == before + Forwarder.limit)
            for _ in 0..<100 { _ = stage.advance(us: RecursionTests.second / 10) }
            let left = stage.node.forwarded
            #expect(left == 0)
            #expect(stage.node.brokenInvariant(nowUs: stage.nowUs) == nil)
        }
    }

    @Suite("A node that asks")
    struct Asking {
        /// A node with neighbours of its own, so that the key's part of the network is one of many.
        private func stage(_ adjust: (inout NodeConfig) -> Void = { _ in }) -> Stage {
            let stage = Stage {
                $0.alpha = 1
                adjust(&$0)
            }
            stage.meetPeers(open: [])
            stage.meetNeighbours()
            return stage
        }

        /// Begins a get; its first request, which goes to peer 1.
        private func begin(_ stage: Stage) throws -> Stage.Sent {
            _ = stage.node.get(Stage.key, nowUs: stage.nowUs)
            let sent = stage.take()
            try #require(sent.count == 1 && sent[0].view.dst == stage.peer(1).id)
            return sent[0]
        }

        private func answer(
            _ stage: Stage, _ request: Stage.Sent, from peer: UInt64 = 1,
            _ append: (inout ByteBuffer) -> Void
        ) -> [Stage.Sent] {
            stage.receive(
                from: stage.peer(peer).id, rpc: request.view.rpc, over: Link(endpoint: stage.endpoint(1)),
                append)
        }

        @Test(
            "asks the far ones to pass it on, unless it compares copies, explains itself or was told not to")
        func whoIsAsked() throws {
            let message = try begin(stage()).view.message
            #expect(message == .get(key: Stage.key, wantsNodes: false, recursion: 2))
            let plain = try begin(stage { $0.recursion = 0 }).view.message
            #expect(plain == .get(key: Stage.key, wantsNodes: false, recursion: 0))
            let comparing = stage()
            _ = comparing.node.get(Stage.key, quorum: 2, nowUs: comparing.nowUs)
            #expect(
                comparing.take().map(\.view.message) == [
                    .get(key: Stage.key, wantsNodes: true, recursion: 0)
                ])
            let near = stage()
            _ = near.node.get(NodeID(1 << 63, 1, 0, 0), nowUs: near.nowUs)
            #expect(near.take().allSatisfy { $0.view.message != message })
            let nearMessages = near.node.stats.gets
            #expect(nearMessages == 1)
        }

        @Test("a record that is handed on ends the get, and its hops are counted")
        func found() throws {
            let stage = stage()
            let request = try begin(stage)
            #expect(answer(stage, request, stage.names([2], isMoreToCome: true)).isEmpty)
            #expect(answer(stage, request, stage.names([3], isMoreToCome: true)).isEmpty)
            _ = answer(stage, request, stage.record("here"))
            let result = try #require(stage.gets.first)
            #expect(result.outcome == .found(value: Array("here".utf8), seq: 1, ttlSeconds: 60))
            #expect(result.hops == 3 && result.copies == 1)
            #expect(stage.node.brokenInvariant(nowUs: stage.nowUs) == nil)
        }

        @Test("names that are handed on join the walk; nobody else is asked before")
        func names() throws {
            let stage = stage()
            let request = try begin(stage)
            #expect(answer(stage, request, stage.names([2], isMoreToCome: true)).isEmpty)
            // Closer than all that were known.
            let next = answer(stage, request, stage.names([0]))
            #expect(next.map(\.view.dst) == [stage.peer(0).id])
        }

        @Test("a promise that is not kept costs a part of a round trip, and counts when it is kept after all")
        func late() throws {
            let stage = stage()
            let request = try begin(stage)
            #expect(answer(stage, request, stage.names([2], isMoreToCome: true)).isEmpty)
            let sent = stage.advance(us: RecursionTests.second / 4)
            #expect(sent.map(\.view.dst) == [stage.peer(2).id])
            #expect(stage.node.brokenInvariant(nowUs: stage.nowUs) == nil)
            _ = answer(stage, request, stage.record("late"))
            #expect(stage.gets.count == 1)
        }

        @Test("a session that ends ends the wait, and says nothing more of the peer")
        func closed() throws {
            let stage = stage()
            let request = try begin(stage)
            #expect(answer(stage, request, stage.names([2], isMoreToCome: true)).isEmpty)
            let asked = stage.losing(stage.endpoint(1)).filter { $0.view.message.isGet }
            #expect(asked.map(\.view.dst) == [stage.peer(2).id])
            let failures = stage.node.stats.rpcs(.get, .closed)
            #expect(failures == 0)
        }

        @Test("further answers beyond the steps, from elsewhere, or after the wait are strays")
        func strays() throws {
            let stage = stage()
            let request = try begin(stage)
            _ = answer(stage, request, stage.names([], isMoreToCome: true))
            _ = answer(stage, request, from: 3, stage.record("forged"))
            _ = answer(stage, request, stage.names([], isMoreToCome: true))
            _ = answer(stage, request, stage.names([], isMoreToCome: true))
            _ = answer(stage, request, stage.record("one too many"))
            let strays = stage.node.stats.rejections[.strayReply]
            #expect(strays == 2 && stage.gets.isEmpty)

            let patient = self.stage()
            let first = try begin(patient)
            _ = answer(patient, first, patient.names([], isMoreToCome: true))
            for _ in 0..<40 { _ = patient.advance(us: RecursionTests.second / 10) }
            _ = answer(patient, first, patient.record("too late"))
            let late = patient.node.stats.rejections[.strayReply]
            #expect(late == 1)
        }
    }

    @Test(
        "a cluster finds everything, by recursion too, and its invariants hold",
        arguments: [1, 2] as [UInt64])
    func cluster(seed: UInt64) throws {
        let network = TestNetwork()
        for index in 0..<40 {
            network.add(seed: seed &* 1000 + UInt64(index)) { ($0.k, $0.replica) = (4, 2) }
        }
        network.run(us: 90 * Self.second)
        var generator = SeededGenerator(seed: seed)
        let keys = (0..<20).map { _ in NodeID.random(using: &generator) }
        for (index, key) in keys.enumerated() {
            _ = network.nodes[index].node.put(
                key, value: [UInt8(index)], seq: 1, ttlSeconds: 600, nowUs: network.nowUs)
            network.collect(index)
        }
        network.run(us: 5 * Self.second)
        for (index, key) in keys.enumerated() {
            let reader = network.nodes[39 - index]
            let call = reader.node.get(key, nowUs: network.nowUs)
            let id = try #require(call)
            network.collect(39 - index)
            network.run(us: 2 * Self.second)
            guard case .get(let result)? = reader.results[id], case .found(let value, _, _) = result.outcome
            else {
                Issue.record("seed \(seed): key \(index) is not found")
                continue
            }
            #expect(value == [UInt8(index)], "seed \(seed)")
        }
        let passedOn = network.nodes.reduce(0) { $0 + $1.node.stats.passedOn }
        #expect(passedOn > 0, "seed \(seed)")
        for box in network.nodes {
            #expect(box.node.brokenInvariant(nowUs: network.nowUs) == nil, "seed \(seed)")
        }
    }
}
