// RO:WHAT  Gate: what a request costs, what its sender is told when it is refused, and how often the log hears of it.
import Testing

@testable import DhtLoop

@Suite("Gate")
struct GateTests {
    private static let asker = NodeID(7, 0, 0, 1)
    private static let link = Link(endpoint: EndpointID(rawValue: 1), token: 7)
    /// What may come at once, however low the rate.
    private static let burst = 32

    /// A gate with the context that it runs in, and nothing else of a node.
    private final class Stage {
        let base = CoreStage()
        var gate: Gate

        init(perPeer: Int) {
            gate = Gate(AdmissionControl(perPeer: perPeer, common: 0, secret: 3))
        }

        func admits(_ message: MessageView, records: Int = 0, rpc: UInt64 = 1) -> Bool {
            let request = EnvelopeView(
                dst: CoreStage.local, src: GateTests.asker, at: .empty, net: 0, rpc: rpc, message: message)
            return gate.admits(
                request, records: records, GateTests.link, base.nowUs, &base.core.context)
        }

        /// How many of a hundred requests are admitted at one time.
        func admitted(_ message: MessageView, records: Int = 0) -> Int {
            (0..<100).count { _ in admits(message, records: records) }
        }
    }

    @Test("without a rate all are admitted, and nothing is said")
    func open() {
        let stage = Stage(perPeer: 0)
        #expect(stage.admitted(.ping) == 100)
        #expect(stage.base.take().isEmpty && stage.base.events.isEmpty)
    }

    @Test("a request costs as much as it makes others work: steps, and records")
    func cost() {
        let key = NodeID.zero
        #expect(Stage(perPeer: 1).admitted(.ping) == Self.burst)
        #expect(Stage(perPeer: 1).admitted(.findNode(target: key, recursion: 0)) == Self.burst)
        #expect(Stage(perPeer: 1).admitted(.findNode(target: key, recursion: 3)) == Self.burst / 4)
        #expect(Stage(perPeer: 1).admitted(.get(key: key, wantsNodes: false, recursion: 1)) == Self.burst / 2)
        #expect(Stage(perPeer: 1).admitted(.putMany, records: 16) == 2)
        #expect(Stage(perPeer: 1).admitted(.putMany, records: 0) == Self.burst)
    }

    @Test("who is refused is told Busy under the id of its request, which counts as shed")
    func busy() throws {
        let stage = Stage(perPeer: 10)
        let key = NodeID.zero
        for _ in 0..<Self.burst { _ = stage.admits(.ping) }
        let isAdmitted = stage.admits(.get(key: key, wantsNodes: false, recursion: 0), rpc: 77)
        let told = try #require(stage.base.take().last)
        #expect(!isAdmitted && told.link == Self.link && told.image.rpc == 77 && told.image.dst == Self.asker)
        #expect(told.image.body == .busy(retryMs: 100))
        let stats = stage.base.core.context.stats
        #expect(stats.rpcs(.get, .shed) == 1 && stats.rpcs(.ping, .shed) == 0 && stats.rejections.isEmpty)
    }

    @Test("the log hears of the first refusal at once, and then of all others once a second")
    func events() {
        let stage = Stage(perPeer: 1)
        _ = stage.admitted(.ping)
        stage.base.nowUs += 999_999
        _ = stage.admits(.ping)
        _ = stage.base.take()
        let shedding = { (count: UInt64) in NodeEvent.shedding(count, peer: Self.asker, link: Self.link) }
        #expect(stage.base.events == [shedding(1)])
        stage.base.nowUs += 1
        // Of 100 pings 68 were refused and one was told of; one more, admitted or not, came since.
        _ = (0..<3).map { _ in stage.admits(.ping) }
        _ = stage.base.take()
        #expect(stage.base.events.count == 2)
        guard case .shedding(let count, _, _)? = stage.base.events.last else {
            return #expect(Bool(false), "no word")
        }
        #expect((68...71).contains(count))
    }

    @Test("new rates forgive what a peer was ahead")
    func replaced() {
        let stage = Stage(perPeer: 1)
        #expect(stage.admitted(.ping) == Self.burst && stage.admitted(.ping) == 0)
        stage.gate.replace(AdmissionControl(perPeer: 1, common: 0, secret: 3))
        #expect(stage.admitted(.ping) == Self.burst)
    }
}
