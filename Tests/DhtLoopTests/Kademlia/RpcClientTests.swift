// RO:WHAT  RpcClient: ids find their request and no other, replies must agree with what was asked, and silence passes
//          through all its stages. The owner is a number here: the client knows nothing of what a request is for.
import Testing

@testable import DhtLoop

@Suite("RpcClient")
struct RpcClientTests {
    private static let second: UInt64 = 1_000_000
    private static let peer = Contact(id: NodeID(9, 0, 0, 1), endpoint: EndpointID(rawValue: 1))

    /// A client with the context that it runs in, and nothing else of a node.
    private final class Stage {
        var client: RpcClient<Int>
        var context: NodeContext
        var nowUs = RpcClientTests.second

        init(limit: Int = 8, beta: Int = 1) {
            var config = NodeConfig(id: NodeID(1, 0, 0, 1))
            config.beta = beta
            client = RpcClient(limit: limit)
            context = NodeContext(
                config: config, endpoints: EndpointTable(), generator: SeededGenerator(seed: 1), nowUs: nowUs)
        }

        /// Sends a ping; its request, or nil when there is no room.
        func send(
            to contact: Contact = RpcClientTests.peer, owner: Int = 0, mayHedge: Bool = false,
            recursion: UInt8 = 0
        ) -> RpcClient<Int>.Pending? {
            let known = Set(client.pending.map(\.id))
            let start = client.begin(
                .ping, to: contact, for: owner, rtt: nil, mayHedge: mayHedge, recursion: recursion, nowUs,
                &context)
            guard start != nil else { return nil }
            return client.pending.first { !known.contains($0.id) }
        }

        func reply(
            to rpc: RpcClient<Int>.Pending, from src: NodeID? = nil, _ message: MessageView = .pong
        ) -> EnvelopeView {
            EnvelopeView(
                dst: NodeID(1, 0, 0, 1), src: src ?? rpc.dst, at: .empty, net: 0, rpc: rpc.id,
                message: message)
        }

        /// What the next timer to fire says.
        func fire() -> RpcExpiry<Int>? {
            while let dueUs = context.timers.nextDeadlineUs {
                nowUs = max(nowUs + 1_000, dueUs)
                while let due = context.timers.next(dueBy: nowUs) {
                    if case .rpc(let slot) = due { return client.timerFired(slot: slot, nowUs, &context) }
                }
            }
            return nil
        }
    }

    @Test("an id finds its request until that is closed, and a guessed one finds nothing")
    func ids() throws {
        let stage = Stage()
        let first = try #require(stage.send())
        let second = try #require(stage.send())
        #expect(stage.client[first.id] != nil && stage.client[second.id] != nil && stage.client.count == 2)
        #expect(stage.client[first.id ^ 1 << 40] == nil)
        stage.client.close(first.id, &stage.context)
        #expect(stage.client[first.id] == nil && stage.client.count == 1)
        #expect(stage.context.timers.count == 1)
        let again = stage.client.close(first.id, &stage.context)
        #expect(again == nil && stage.client.count == 1)
        let third = try #require(stage.send())
        #expect(third.id != first.id && third.id & 0xFFFF == first.id & 0xFFFF)
    }

    @Test("at its limit it sends no more, and counts that")
    func limit() {
        let stage = Stage(limit: 2)
        #expect(stage.send() != nil && stage.send() != nil && stage.send() == nil)
        #expect(stage.client.isFull && stage.context.stats.errors[.overload] == 1)
        #expect(stage.context.timers.count == 2)
    }

    @Test("a reply must agree in id, source and session")
    func agreement() throws {
        let stage = Stage()
        let rpc = try #require(stage.send())
        let link = Link(endpoint: Self.peer.endpoint)
        let good = stage.client.request(answeredBy: stage.reply(to: rpc), over: link)
        #expect(good?.id == rpc.id)
        let stranger = stage.reply(to: rpc, from: NodeID(7, 7, 7, 7))
        #expect(stage.client.request(answeredBy: stranger, over: link) == nil)
        let elsewhere = Link(endpoint: EndpointID(rawValue: 2))
        #expect(stage.client.request(answeredBy: stage.reply(to: rpc), over: elsewhere) == nil)
        var guessed = stage.reply(to: rpc)
        guessed.rpc ^= 1 << 60
        #expect(stage.client.request(answeredBy: guessed, over: link) == nil)
    }

    @Test("only a switch may say that a node is unreachable, and only of the node that was asked")
    func unreachable() throws {
        let stage = Stage()
        let rpc = try #require(stage.send())
        let link = Link(endpoint: Self.peer.endpoint)
        let told = stage.reply(to: rpc, from: .zero, .unreachable(node: rpc.dst))
        #expect(stage.client.request(answeredBy: told, over: link)?.id == rpc.id)
        let ofAnother = stage.reply(to: rpc, from: .zero, .unreachable(node: NodeID(5, 5, 5, 5)))
        #expect(stage.client.request(answeredBy: ofAnother, over: link) == nil)
        let byNode = stage.reply(to: rpc, .unreachable(node: rpc.dst))
        #expect(stage.client.request(answeredBy: byNode, over: link) == nil)
    }

    @Test("silence is overdue first, then a time-out, and an answer counts until the end of all waiting")
    func stages() throws {
        let stage = Stage()
        let rpc = try #require(stage.send(owner: 5, mayHedge: true))
        guard case .overdue(let late)? = stage.fire() else { return #expect(Bool(false), "not overdue") }
        #expect(late.id == rpc.id && late.owner == 5 && stage.context.timers.count == 1)
        guard case .timedOut(let silent)? = stage.fire() else { return #expect(Bool(false), "no time-out") }
        #expect(silent.patience == .overdue && stage.client[rpc.id]?.isLate == true)
        let link = Link(endpoint: Self.peer.endpoint)
        #expect(stage.client.request(answeredBy: stage.reply(to: rpc), over: link)?.isLate == true)
        guard case .givenUp(let gone)? = stage.fire() else { return #expect(Bool(false), "not given up") }
        #expect(gone.id == rpc.id && stage.context.timers.count == 0)
    }

    @Test("one that is not to be hedged, or with no hedges allowed, is never overdue", arguments: [0, 1])
    func unhedged(beta: Int) throws {
        let stage = Stage(beta: beta)
        _ = try #require(stage.send(mayHedge: beta == 0))
        guard case .timedOut? = stage.fire() else { return #expect(Bool(false), "not a time-out") }
    }

    @Test("a request to any node stays open for several answers, and ends unheard without one")
    func anyone() throws {
        let stage = Stage()
        let any = Contact(id: .zero, endpoint: EndpointID(rawValue: 1))
        let rpc = try #require(stage.send(to: any))
        let first = stage.client.tookAnyone(rpc)
        let answered = try #require(stage.client[rpc.id])
        let second = stage.client.tookAnyone(answered)
        #expect(first && !second)
        guard case .givenUp? = stage.fire() else { return #expect(Bool(false), "not given up") }
        stage.client.close(rpc.id, &stage.context)
        _ = try #require(stage.send(to: any))
        guard case .unheard? = stage.fire() else { return #expect(Bool(false), "not unheard") }
    }

    @Test("as many further answers count as steps were allowed, and the last one ends the request")
    func further() throws {
        let stage = Stage()
        let rpc = try #require(stage.send(recursion: 1))
        let more = stage.reply(to: rpc, .nodes(isMoreToCome: true))
        stage.client.took(more, to: rpc, stage.nowUs, &stage.context)
        let open = try #require(stage.client[rpc.id])
        #expect(open.isFurther && stage.context.timers.count == 1)
        let (told, isLast) = stage.client.tookFurther(more, to: open, stage.nowUs, &stage.context)
        #expect(isLast && told.furtherAnswers == 1 && stage.client[rpc.id] == nil)
        #expect(stage.context.timers.count == 0)
    }

    @Test("requests are found by the overlay they went to")
    func byEndpoint() throws {
        let stage = Stage()
        let near = try #require(stage.send())
        _ = stage.send(to: Contact(id: NodeID(2, 0, 0, 0), endpoint: EndpointID(rawValue: 2)))
        #expect(stage.client.pending(at: EndpointID(rawValue: 1)).map(\.id) == [near.id])
    }

    @Test("a busy peer is left alone for as long as it asked")
    func busy() {
        let stage = Stage()
        stage.client.noteBusy(Self.peer.id, retryMs: 10, stage.nowUs)
        #expect(stage.client.isBusy(Self.peer.id, stage.nowUs + 9_999))
        #expect(!stage.client.isBusy(Self.peer.id, stage.nowUs + 10_000))
        #expect(stage.client.busyUntilUs(Self.peer.id, stage.nowUs) == stage.nowUs + 10_000)
    }
}
