// RO:WHAT  CopyPlan: when records are looked through, which are owed to which node, and how a hand-over ends.
import Testing

@testable import DhtLoop

@Suite("CopyPlan")
struct CopyPlanTests {
    /// A plan with the core and the courier that it works with.
    private final class Stage {
        let base: CoreStage
        var plan = CopyPlan()
        var courier = Courier()

        init(seed: UInt64 = 1, replica: Int = 3) { base = CoreStage(seed: seed) { $0.replica = replica } }

        /// A node became a contact.
        func join(_ contact: Contact) {
            base.meet(contact)
            plan.noteNeighbour(contact.id, hasCome: true, base.nowUs, &base.core)
        }

        func lose(_ id: NodeID) { plan.noteNeighbour(id, hasCome: false, base.nowUs, &base.core) }

        /// The time for a turn has come.
        func look() {
            base.core.context.timers.callOff(.replicate)
            plan.lookThrough(&courier, &base.core)
        }

        func finish() {
            plan.finishTurn(courierIsIdle: courier.isIdle, base.nowUs, &base.core.context)
        }

        var waitUs: UInt64? { base.core.context.timers.dueUs(.replicate).map { $0 - base.nowUs } }
    }

    /// A key in the half where the local node does not lie.
    private static func key(_ number: UInt64) -> Key { NodeID(number << 40, 7, 7, 7) }

    @Test(
        "a node that holds nothing follows no neighbour; one that does looks within a second, however many come"
    )
    func patience() throws {
        let stage = Stage()
        stage.join(stage.base.peer(1))
        #expect(stage.waitUs == nil)
        stage.base.keep(Self.key(1))
        stage.join(stage.base.peer(2))
        let waitUs = try #require(stage.waitUs)
        #expect((250_000...1_000_000).contains(waitUs))
        stage.base.nowUs += 1_000
        stage.lose(stage.base.peer(1).id)
        #expect(stage.waitUs == waitUs - 1_000)
    }

    @Test("a newcomer is owed what it should hold, once, and then there is nothing to look for")
    func newcomer() {
        let stage = Stage()
        for number in UInt64(1)...5 { stage.base.keep(Self.key(number)) }
        stage.join(stage.base.peer(1))
        stage.look()
        #expect(stage.courier.waiting == 5 && stage.plan.isLooking)
        stage.finish()
        #expect(!stage.plan.isLooking && stage.waitUs == nil)
        stage.join(stage.base.peer(2))
        stage.look()
        stage.finish()
        #expect(stage.courier.waiting == 10, "those who were there before lack nothing")
    }

    @Test("a node that is none of a record's closest owes it to nobody")
    func notMine() {
        let stage = Stage(replica: 1)
        stage.base.meet(stage.base.peer(1))
        stage.base.keep(Self.key(1))
        stage.join(stage.base.peer(2))
        stage.look()
        stage.finish()
        #expect(stage.courier.isIdle && !stage.plan.isLooking)
    }

    @Test("of the holders after the first two, one in so many makes the copies", arguments: 1...3)
    func spares(seed: UInt64) {
        let stage = Stage(seed: seed, replica: 4)
        for number in UInt64(1)...2 { stage.base.meet(stage.base.peer(number)) }
        for number in UInt64(1)...200 { stage.base.keep(Self.key(number)) }
        stage.join(stage.base.peer(3))
        stage.look()
        stage.finish()
        // One in (4 - 2) * 2.
        #expect((25...75).contains(stage.courier.waiting), "seed \(seed)")
    }

    @Test("a large store is looked through in turns, a few milliseconds apart, each record once")
    func turns() throws {
        let stage = Stage()
        for number in UInt64(1)...700 { stage.base.keep(Self.key(number)) }
        stage.join(stage.base.peer(1))
        var turns = 0
        repeat {
            let before = stage.courier.waiting
            stage.look()
            stage.finish()
            turns += 1
            #expect(stage.courier.waiting - before < 280)
            if stage.plan.isLooking { #expect((1_250...5_000).contains(try #require(stage.waitUs))) }
        } while stage.plan.isLooking && turns < 10
        #expect(turns == 3 && stage.courier.waiting == 700)
    }

    @Test("while the courier is full nothing is looked at, and the look goes on later")
    func courierFull() {
        let stage = Stage()
        stage.base.keep(Self.key(1))
        stage.join(stage.base.peer(1))
        for _ in 0..<Courier.mostWaiting { stage.courier.add(Self.key(9), to: stage.base.peer(9)) }
        stage.look()
        stage.finish()
        #expect(stage.courier.waiting == Courier.mostWaiting && stage.plan.isLooking && stage.waitUs != nil)
        _ = stage.courier.lost(by: stage.base.peer(9).id, mayRetry: false, stage.base.nowUs)
        stage.look()
        stage.finish()
        #expect(stage.courier.waiting == 1 && !stage.plan.isLooking)
    }

    @Test(
        "a node that leaves gives each record to the next in line, follows nobody, and tells when all is sent"
    )
    func leaving() {
        let stage = Stage(replica: 1)
        for number in UInt64(1)...3 { stage.base.keep(NodeID(1 << 63, number, 0, 0)) }
        for number in UInt64(1)...2 { stage.base.meet(stage.base.peer(number)) }
        stage.plan.leave(&stage.base.core.context)
        stage.look()
        stage.finish()
        #expect(stage.courier.waiting == 3 && stage.plan.isLooking && stage.plan.isLeaving)
        stage.join(stage.base.peer(3))
        #expect(stage.waitUs == nil)
        for number in UInt64(1)...2 {
            _ = stage.courier.lost(by: stage.base.peer(number).id, mayRetry: false, stage.base.nowUs)
        }
        stage.base.core.context.stats.handedOver = 2
        stage.finish()
        _ = stage.base.take()
        #expect(stage.base.events == [.handedOver(records: 2)] && !stage.plan.isLooking)
        #expect(stage.waitUs == nil)
    }
}
