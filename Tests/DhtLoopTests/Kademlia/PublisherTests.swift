// RO:WHAT  Publisher: which keys are refreshed when, what is sent of them and to which nodes, and what ends that.
import Testing

@testable import DhtLoop

@Suite("Publisher")
struct PublisherTests {
    private static let second = CoreStage.second
    private static let periodUs = 256 * second

    /// A publisher beside the core that it works with.
    private final class Stage {
        let base: CoreStage
        var publisher: Publisher
        var courier = Courier()

        init(budgetBytes: Int = 1 << 20, republishUs: UInt64 = PublisherTests.periodUs) {
            base = CoreStage { $0.republishUs = republishUs }
            publisher = Publisher(budgetBytes: budgetBytes)
        }

        func publish(_ key: Key, seq: UInt64 = 5) {
            publisher.publish(key, seq: seq, value: [1], base.nowUs, &base.core.context)
        }

        func takeTurn() { publisher.takeTurn(base.nowUs, &base.core.context) }

        var waitUs: UInt64? { base.core.context.timers.dueUs(.republish).map { $0 - base.nowUs } }

        /// A walk around the first key has met these.
        func refresh(_ met: [Contact]) {
            var lookup = Lookup()
            let config = base.core.context.config
            lookup.start(
                target: PublisherTests.key(0, 1), ownID: config.id,
                plan: Lookup.Plan(width: config.k, k: config.k, alpha: 3))
            for contact in met { lookup.add(contact) }
            let region = Region(around: lookup, k: config.k, replica: config.replica)
            publisher.refresh(region, base.nowUs, &courier, &base.core)
        }
    }

    private static func key(_ bin: UInt64, _ number: UInt64) -> Key { NodeID(bin << 56 | number, 0, 0, 1) }

    @Test(
        "the first publication plans a turn for one bin's share of the period; the next one changes nothing")
    func planned() throws {
        let stage = Stage()
        stage.publish(Self.key(0, 1))
        let waitUs = try #require(stage.waitUs)
        #expect((750_000...1_250_000).contains(waitUs))
        stage.publish(Self.key(0, 2))
        #expect(stage.waitUs == waitUs && stage.publisher.publications.count == 2)
    }

    @Test("without a period nothing is published; what is over the budget is counted, and plans nothing")
    func refused() {
        let never = Stage(republishUs: 0)
        never.publish(Self.key(0, 1))
        #expect(never.publisher.publications.count == 0 && never.waitUs == nil)
        #expect(never.base.core.context.stats.errors[.unpublished] == 0)
        let full = Stage(budgetBytes: 10)
        full.publish(Self.key(0, 1))
        #expect(full.base.core.context.stats.errors[.unpublished] == 1 && full.waitUs == nil)
    }

    @Test("turn by turn comes a bin, its smallest key first; a key that is published no more is passed over")
    func bins() {
        let stage = Stage()
        let keys = [Self.key(0, 1), Self.key(0, 2), Self.key(1, 1)]
        for key in keys { stage.publish(key) }
        var next = stage.publisher.nextWalk()
        #expect(next == nil)
        stage.takeTurn()
        next = stage.publisher.nextWalk()
        #expect(next == keys[0] && stage.waitUs != nil)
        stage.publisher.forget(keys[0])
        stage.takeTurn()
        next = stage.publisher.nextWalk()
        #expect(next == keys[1], "a turn takes no bin while keys are left of the last")
        stage.publisher.forget(keys[1])
        next = stage.publisher.nextWalk()
        #expect(next == nil)
        stage.takeTurn()
        next = stage.publisher.nextWalk()
        #expect(next == keys[2])
    }

    @Test(
        "while one walk is under way there is no other, and one that reached too few is made again in a second"
    )
    func oneWalk() {
        let stage = Stage()
        stage.publish(Self.key(0, 1))
        stage.takeTurn()
        stage.publisher.walkBegan()
        var next = stage.publisher.nextWalk()
        #expect(next == nil)
        stage.publisher.walkEnded()
        stage.publisher.tryAgain(stage.base.nowUs, &stage.base.core.context)
        next = stage.publisher.nextWalk()
        #expect(next == Self.key(0, 1) && stage.waitUs == Self.second)
    }

    @Test("a walk for which there was no free operation is made later, and holds up no other")
    func walkRefused() {
        let base = CoreStage { $0.republishUs = Self.periodUs }
        var replicator = Replicator(budgetBytes: 1 << 20)
        replicator.publish(Self.key(0, 1), seq: 5, value: [1], base.nowUs, &base.core)
        replicator.takeRefreshTurn(base.nowUs, &base.core)
        let first = replicator.nextWalk()
        replicator.walkBegan()
        let during = replicator.nextWalk()
        replicator.walkRefused(base.nowUs, &base.core)
        let again = replicator.nextWalk()
        #expect(first == Self.key(0, 1) && during == nil && again == first)
    }

    @Test("a newer version that a node has ends a publication; the same one and an older one do not")
    func newer() {
        let stage = Stage()
        stage.publish(Self.key(0, 1), seq: 5)
        for seq in [UInt64(4), 5] { stage.publisher.noteNewer(Self.key(0, 1), seq) }
        #expect(stage.publisher.publications.count == 1)
        stage.publisher.noteNewer(Self.key(0, 1), 6)
        #expect(stage.publisher.publications.count == 0)
    }

    @Test("what is sent is what was published, with a whole life, unless what is stored here is newer")
    func version() {
        let stage = Stage()
        let key = Self.key(0, 1)
        func version() -> Version? {
            stage.publisher.version(of: key, ttlSeconds: 900, stage.base.core.records, stage.base.nowUs)
        }
        #expect(version() == nil)
        stage.base.keep(key, seq: 5, ttlSeconds: 60, value: [9])
        #expect(version() == Version(seq: 5, ttlSeconds: 60, value: [9], isTombstone: false))
        stage.publish(key, seq: 5)
        #expect(version() == Version(seq: 5, ttlSeconds: 900, value: [1], isTombstone: false))
        stage.base.keep(key, seq: 6, ttlSeconds: 60, value: [9])
        #expect(version()?.seq == 6 && version()?.ttlSeconds == 60)
    }

    @Test(
        "all keys that a walk covers go to their holders, and are kept here where this node is one",
        arguments: [2, 3])
    func refresh(met: UInt64) {
        let stage = Stage()
        for number in UInt64(1)...2 { stage.publish(Self.key(0, number)) }
        stage.publish(Self.key(1, 1))
        stage.takeTurn()
        stage.refresh((1...met).map { stage.base.peer($0) })
        // This node is farther from the keys than all that it has met.
        #expect(stage.courier.waiting == 2 * Int(met) && stage.base.core.records.count == (met < 3 ? 2 : 0))
        #expect(stage.base.core.context.stats.republished == 2)
        let next = stage.publisher.nextWalk()
        #expect(next == nil)
    }

    @Test("a refresh that finds a newer version here ends the publication, and sends nothing")
    func overwrittenHere() {
        let stage = Stage()
        stage.publish(Self.key(0, 1), seq: 5)
        stage.takeTurn()
        stage.base.keep(Self.key(0, 1), seq: 6)
        stage.refresh([stage.base.peer(1)])
        #expect(stage.courier.isIdle && stage.publisher.publications.count == 0)
        #expect(stage.base.core.context.stats.republished == 0)
    }
}
