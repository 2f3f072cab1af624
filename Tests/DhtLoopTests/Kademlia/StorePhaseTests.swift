// RO:WHAT  StorePhase: to which nodes a record goes, which are asked in the place of those that fail, and what counts.
import Testing

@testable import DhtLoop

@Suite("StorePhase")
struct StorePhaseTests {
    /// A phase whose walk has met so many peers, none of them asked yet; it works with a core, and nothing else.
    private final class Stage {
        let walk: WalkTests.Stage
        var base: CoreStage { walk.base }
        var phase: StorePhase

        init(
            peers: UInt64, isPublished: Bool = false, item: StorePhase.Item? = nil,
            _ adjust: (inout NodeConfig) -> Void = { _ in }
        ) {
            walk = WalkTests.Stage(peers: peers, adjust)
            let record = StorePhase.Item.record(value: [1], isTombstone: false, isPublished: isPublished)
            phase = StorePhase(item ?? record, seq: 5, ttlSeconds: 60)
        }

        func begin() -> StorePhase.Step { phase.begin(&walk.walk, base.nowUs, &base.core) }

        /// The number of each peer that was sent the record since the last call.
        func sent() -> [UInt64] { base.take().map { $0.image.dst.w0 >> 32 } }

        private func request(_ number: UInt64) throws -> NodeRpcs.Pending {
            try #require(base.requests(to: walk.id(number)).last)
        }

        func answer(_ number: UInt64, isTaken: Bool = true, _ code: String = "", seq: UInt64 = 0) throws
            -> StorePhase.Step
        {
            let rpc = try request(number)
            base.close(rpc)
            let body = EnvelopeImage.Body.stored(ok: isTaken, code: Array(code.utf8), ttl: 0, seq: seq)
            return try base.hear(body, from: rpc.dst) { reply, _ in
                phase.answered(reply.message, from: rpc, &walk.walk, base.nowUs, &base.core)
            }
        }

        func lose(_ number: UInt64, _ code: RpcCode) throws -> StorePhase.Step {
            let rpc = try request(number)
            base.close(rpc)
            return phase.lost(rpc, code, &walk.walk, base.nowUs, &base.core)
        }

        func finish() -> PutResult { phase.finish(walk.walk, base.nowUs + 77) }

        func failure(_ number: UInt64, _ cause: FailureCause) -> PutFailure {
            PutFailure(peer: walk.id(number), cause: cause)
        }
    }

    @Test("the record goes to the closest, and their acks end it at once")
    func closest() throws {
        let stage = Stage(peers: 6, isPublished: true)
        #expect(stage.begin() == .goOn && stage.sent() == [1, 2, 3] && stage.phase.inFlight == 3)
        #expect(stage.phase.publication == nil)
        let steps = try [2, 1, 3].map { try stage.answer($0) }
        #expect(steps == [.goOn, .goOn, .finished] && stage.sent().isEmpty && stage.phase.inFlight == 0)
        let result = stage.finish()
        #expect(result.acks == 3 && result.wanted == 3 && result.failed.isEmpty && result.elapsedUs == 77)
        #expect(stage.phase.publication?.seq == 5 && stage.base.core.records.count == 0)
    }

    @Test("one that has a life of its own is not refreshed, nor is one that no node took")
    func unpublished() throws {
        let own = Stage(peers: 3)
        _ = own.begin()
        _ = try own.answer(1)
        let refused = Stage(peers: 3, isPublished: true)
        _ = refused.begin()
        _ = try refused.answer(1, isTaken: false, "full")
        #expect(own.phase.publication == nil && refused.phase.publication == nil)
    }

    @Test("for one that refuses the next-closest is asked, and the refusal is told in the end")
    func refusal() throws {
        let stage = Stage(peers: 5)
        _ = stage.begin()
        _ = stage.sent()
        #expect(try stage.answer(1, isTaken: false, "full") == .goOn && stage.sent() == [4])
        #expect(try stage.answer(2, isTaken: false, "too_large") == .goOn && stage.sent() == [5])
        #expect(try stage.lose(3, .closed) == .goOn && stage.sent().isEmpty)
        #expect(try stage.answer(4) == .goOn)
        #expect(try stage.answer(5) == .finished)
        let result = stage.finish()
        #expect(result.acks == 2)
        #expect(
            result.failed == [
                stage.failure(1, .full), stage.failure(2, .tooLarge), stage.failure(3, .closed),
            ])
    }

    @Test("a silent one is asked once more, when no other is left, and not a third time")
    func askedAgain() throws {
        let stage = Stage(peers: 4)
        _ = stage.begin()
        _ = stage.sent()
        #expect(try stage.lose(1, .timeout) == .goOn && stage.sent() == [4])
        #expect(try stage.lose(2, .timeout) == .goOn)
        #expect(stage.sent() == [2], "the last to be silent is the first to be asked again")
        #expect(try stage.answer(4) == .goOn)
        #expect(try stage.answer(3) == .goOn)
        #expect(try stage.lose(2, .timeout) == .goOn && stage.sent() == [1])
        #expect(try stage.lose(1, .timeout) == .finished && stage.sent().isEmpty)
    }

    @Test("for each that is overdue one more is asked, BETA at most")
    func hedges() {
        let stage = Stage(peers: 8) { $0.beta = 2 }
        _ = stage.begin()
        _ = stage.sent()
        let more = (0..<3).map { _ in
            _ = stage.phase.overdue(&stage.walk.walk, stage.base.nowUs, &stage.base.core)
            return stage.sent()
        }
        #expect(more == [[4], [5], []] && stage.base.core.context.stats.hedges == 2)
    }

    @Test("nodes that were only heard of and are not there were not there to begin with")
    func notThere() throws {
        let stage = Stage(peers: 2)
        _ = stage.begin()
        _ = try stage.lose(1, .unreachable)
        #expect(try stage.answer(2) == .goOn || stage.phase.result.acks == 2)
        let result = stage.finish()
        // The local node is the third of three, and keeps it.
        #expect(result.wanted == 2 && result.acks == 2 && stage.base.core.records.count == 1)
        #expect(result.failed == [stage.failure(1, .unreachable)])
    }

    @Test("a local node that is among the closest keeps it; with no other that is all there is")
    func alone() {
        let stage = Stage(peers: 0)
        #expect(stage.begin() == .finished && stage.sent().isEmpty)
        let result = stage.finish()
        #expect(result.acks == 1 && result.wanted == 1 && stage.base.core.records.count == 1)
        let far = Stage(peers: 3)
        _ = far.begin()
        #expect(far.base.core.records.count == 0 && far.phase.result.wanted == 3)
    }

    @Test("a provider record is announced to each, and kept as one")
    func provider() {
        let stage = Stage(peers: 1, item: .provider(node: [65]))
        _ = stage.begin()
        let bodies = stage.base.take().map(\.image.body)
        #expect(bodies == [.provide(cid: .zero, node: [65], ttl: 60)])
        #expect(stage.base.core.records.providers.count == 1 && stage.base.core.records.count == 0)
    }
}
