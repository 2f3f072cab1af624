// RO:WHAT  Records: what is stored lives as long as was asked, the sweep is planned for it, refusals are counted.
import Testing

@testable import DhtLoop

@Suite("Records")
struct RecordsTests {
    private static let second = CoreStage.second

    private static func key(_ number: UInt64) -> Key { NodeID(number << 40, 7, 7, 7) }

    private func keepProvider(_ node: String, ttlSeconds: UInt64 = 60, _ stage: CoreStage) -> Bool {
        stage.change {
            $0.records.keepProvider(
                Self.key(1), Array(node.utf8), ttlSeconds: ttlSeconds, stage.nowUs, &$0.context)
        }
    }

    private func sweepDueUs(_ stage: CoreStage) -> UInt64? { stage.core.context.timers.dueUs(.sweep) }

    /// The sweep's timer fires.
    private func sweep(_ stage: CoreStage) {
        stage.change {
            $0.context.timers.callOff(.sweep)
            $0.records.sweep(stage.nowUs, &$0.context)
        }
    }

    @Test("a version is given out with the life that it has left, and not after that")
    func life() {
        let stage = CoreStage()
        stage.keep(Self.key(1), seq: 9, ttlSeconds: 10, value: [1, 2])
        func version() -> Version? { stage.core.records.version(of: Self.key(1), stage.nowUs) }
        #expect(version() == Version(seq: 9, ttlSeconds: 10, value: [1, 2], isTombstone: false))
        stage.nowUs += 4 * Self.second
        #expect(version()?.ttlSeconds == 6)
        stage.nowUs += 7 * Self.second
        #expect(version() == nil && stage.core.records.count == 1)
    }

    @Test(
        "the sweep is planned for the first to expire; one that expires sooner hastens it, a later one does not"
    )
    func sweepPlanned() throws {
        let stage = CoreStage()
        #expect(sweepDueUs(stage) == nil)
        stage.keep(Self.key(1), ttlSeconds: 100)
        let first = try #require(sweepDueUs(stage))
        #expect(first > stage.nowUs + 100 * Self.second && first < stage.nowUs + 110 * Self.second)
        stage.keep(Self.key(2), ttlSeconds: 1000)
        #expect(sweepDueUs(stage) == first)
        let isKept = keepProvider("a", ttlSeconds: 20, stage)
        let sooner = try #require(sweepDueUs(stage))
        #expect(isKept && sooner == stage.nowUs + 25 * Self.second)
    }

    @Test("a sweep lets the dead go, of both kinds, and plans the next one for those that live")
    func sweep() throws {
        let stage = CoreStage()
        stage.keep(Self.key(1), ttlSeconds: 10)
        stage.keep(Self.key(2), ttlSeconds: 100)
        _ = keepProvider("a", ttlSeconds: 10, stage)
        stage.nowUs += 20 * Self.second
        sweep(stage)
        let (records, providers) = (stage.core.records.count, stage.core.records.providers.count)
        #expect(records == 1 && providers == 0)
        #expect(sweepDueUs(stage) == stage.core.records.store.nextSweepUs)
        stage.nowUs += 200 * Self.second
        sweep(stage)
        #expect(stage.core.records.count == 0 && sweepDueUs(stage) == nil)
    }

    @Test("a record for which there is no room is counted and plans nothing; a stale one is no lack of room")
    func full() {
        let small = CoreStage { $0.memoryBudget = 64 << 10 }
        #expect(small.keep(Self.key(1)) == .full && sweepDueUs(small) == nil)
        #expect(small.core.context.stats.errors[.storeFull] == 1)
        let stage = CoreStage()
        let outcomes = [5, 4].map { stage.keep(Self.key(1), seq: $0) }
        #expect(outcomes == [.stored, .stale] && stage.core.context.stats.errors[.storeFull] == 0)
    }

    @Test("one part in eight of the memory is for providers; one more of the same node takes none")
    func providerShare() {
        // One provider of a URI of 4 bytes is charged 100.
        let stage = CoreStage { $0.memoryBudget = 800 }
        let kept = ["node", "node", "edon"].map { keepProvider($0, stage) }
        #expect(kept == [true, true, false])
        #expect(stage.core.context.stats.errors[.storeFull] == 1)
        let found = stage.core.records.findProviders(Self.key(1), limit: 9, stage.nowUs)
        #expect(found.map(\.node) == [Array("node".utf8)])
    }

    @Test("a list of what is stored names the living, as many as were asked for")
    func infos() throws {
        let stage = CoreStage()
        for number in UInt64(1)...3 {
            stage.keep(Self.key(number), seq: number, ttlSeconds: number == 1 ? 5 : 50, value: [1, 2, 3])
        }
        stage.nowUs += 10 * Self.second
        let all = stage.core.records.infos(limit: 9, stage.nowUs).sorted { $0.seq < $1.seq }
        #expect(all.map(\.key) == [Self.key(2), Self.key(3)] && all.map(\.byteCount) == [3, 3])
        let leftUs = try #require(all.first).leftUs
        #expect((40 * Self.second...41 * Self.second).contains(leftUs))
        #expect(stage.core.records.infos(limit: 1, stage.nowUs).count == 1)
    }
}
