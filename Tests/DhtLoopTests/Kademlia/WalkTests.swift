// RO:WHAT  Walk: who is asked, which answers count, how it waits for busy peers, and its one timer.
import Testing

@testable import DhtLoop

@Suite("Walk")
struct WalkTests {
    private static let second = CoreStage.second

    /// A walk towards the key of zeros, with the core that it works with. Peer 1 is the nearest to the key.
    final class Stage {
        let base: CoreStage
        var walk: Walk

        init(
            peers: UInt64, width: Int = 20, alpha: Int = 3, _ adjust: (inout NodeConfig) -> Void = { _ in }
        ) {
            base = CoreStage(adjust)
            walk = Walk(id: OperationID(slot: 0, generation: 1), reusing: Lookup(), base.nowUs)
            let plan = Lookup.Plan(width: width, k: base.core.context.config.k, alpha: alpha)
            walk.start(.zero, plan, &base.core.context)
            var nearest = ContactList()
            for number in 0..<peers { base.meet(base.peer(number + 1)) }
            base.core.peers.table.closest(to: .zero, 60, into: &nearest)
            walk.addContacts(of: base.core.peers, nearest)
        }

        func id(_ number: UInt64) -> NodeID { base.peer(number).id }

        /// Asks the next peers; returns which.
        @discardableResult
        func ask(_ question: WalkQuestion = .findNode) -> [NodeID] {
            var asked: [NodeID] = []
            walk.askNext(question, mayRecurse: false, base.nowUs, &base.core) { asked.append($0.contact.id) }
            return asked
        }

        /// A peer answers and names others.
        func answer(_ number: UInt64, naming contacts: [EnvelopeImage.Contact] = []) throws {
            let rpc = try #require(base.requests(to: id(number)).first)
            try base.hear(.nodes(contacts), from: rpc.dst) { _, lists in
                walk.tookContacts(lists.contacts, from: rpc, isMoreToCome: false, base.nowUs, &base.core)
            }
        }

        func waits(_ patience: Walk.Patience) -> Bool { walk.waits(patience, base.nowUs, &base.core) }

        func progress(_ number: UInt64) -> Lookup.Progress? { walk.lookup.progress(of: id(number)) }
    }

    @Test("it asks as many of the closest as may be asked at a time, each by a request of its own")
    func asks() throws {
        let stage = Stage(peers: 6)
        #expect(stage.ask() == [stage.id(1), stage.id(2), stage.id(3)] && stage.ask().isEmpty)
        let sent = stage.base.take()
        #expect(sent.map(\.image.dst) == [stage.id(1), stage.id(2), stage.id(3)])
        #expect(Set(sent.map(\.image.rpc)).count == 3)
        #expect(sent.allSatisfy { $0.image.body == .findNode(target: .zero) })
        try stage.answer(2)
        #expect(stage.ask(.findProviders(limit: 7)) == [stage.id(4)])
        #expect(stage.base.take().map(\.image.body) == [.findProviders(cid: .zero, limit: 7)])
    }

    @Test("when no request is free a peer counts as silent, and the walk goes on without it")
    func noRequest() {
        let stage = Stage(peers: 3) { $0.maxRpcs = 1 }
        #expect(stage.ask() == [stage.id(1)])
        #expect(stage.progress(2) == .silent && stage.progress(3) == .silent)
        #expect(stage.walk.lookup.inFlight == 1)
    }

    @Test("it holds one timer from its beginning to its end: its deadline's")
    func deadline() {
        let stage = Stage(peers: 0)
        let config = stage.base.core.context.config
        #expect(stage.base.core.context.timers.count == 1)
        let endUs = stage.walk.startUs + config.deadlineUs
        let isOver = [endUs - 1, endUs].map { stage.walk.isOver($0, config) }
        #expect(isOver == [false, true])
        _ = stage.walk.end(&stage.base.core.context)
        #expect(stage.base.core.context.timers.count == 0)
    }

    @Test("a name with a bad endpoint is counted and left out; the others are a referral farther away")
    func names() throws {
        let stage = Stage(peers: 1)
        stage.ask()
        let good = EnvelopeImage.Contact(id: stage.id(2), at: stage.base.text(stage.base.endpoint(2)))
        try stage.answer(
            1,
            naming: [good, .init(id: stage.id(3), at: Array("nowhere".utf8)), .init(id: stage.id(4), at: [])])
        #expect(stage.walk.lookup.peers.map(\.contact.id) == [stage.id(1), stage.id(2)])
        #expect(stage.walk.lookup.hop(of: stage.id(2)) == 2 && stage.walk.lookup.answers == 1)
        #expect(stage.base.core.context.stats.rejections == [.badEndpoint: 2])
        #expect(stage.progress(1) == .answered && !stage.walk.isUnanswered)
    }

    @Test("a peer that is silent may answer yet, one that is lost otherwise may not")
    func lost() throws {
        let stage = Stage(peers: 2)
        stage.ask()
        stage.walk.lost(stage.id(1), .timeout)
        stage.walk.lost(stage.id(2), .closed)
        #expect(stage.progress(1) == .silent && stage.progress(2) == .failed && stage.walk.isUnanswered)
        for number in UInt64(1)...2 { try stage.answer(number) }
        #expect(stage.progress(1) == .answered && stage.progress(2) == .failed)
    }

    @Test("it comes back to a busy peer once that may be asked, and its deadline counts again then")
    func busy() {
        let stage = Stage(peers: 2)
        stage.base.core.rpcs.noteBusy(stage.id(1), retryMs: 300, stage.base.nowUs)
        #expect(stage.ask() == [stage.id(2)])
        #expect(stage.walk.hasPostponed(stage.id(1)) && stage.progress(1) == .failed)
        #expect(stage.waits(.all) && stage.waits(.all))
        let requests = stage.base.core.rpcs.count
        #expect(stage.base.core.context.timers.count == requests + 1, "each wait takes the place of the last")
        var due = stage.walk.endWait(stage.base.nowUs + 299_999, &stage.base.core.context)
        #expect(due.isEmpty)
        #expect(stage.waits(.all))
        stage.base.nowUs += 300_000
        due = stage.walk.endWait(stage.base.nowUs, &stage.base.core.context)
        #expect(due.map(\.id) == [stage.id(1)] && !stage.walk.hasPostponed(stage.id(1)))
        stage.walk.revive(stage.id(1))
        #expect(stage.ask() == [stage.id(1)])
    }

    @Test("which busy peers it waits for is a matter of its patience")
    func patience() throws {
        let stage = Stage(peers: 3) { $0.k = 2 }
        stage.base.core.rpcs.noteBusy(stage.id(2), retryMs: 300, stage.base.nowUs)
        stage.ask()
        #expect(
            !stage.waits(.none) && stage.waits(.all) && stage.waits(.unlessAnswered) && stage.waits(.near))
        try stage.answer(1)
        #expect(
            !stage.waits(.none) && stage.waits(.all) && !stage.waits(.unlessAnswered) && stage.waits(.near))
        let far = Stage(peers: 2) { $0.k = 2 }
        far.base.core.rpcs.noteBusy(far.id(3), retryMs: 300, far.base.nowUs)
        far.ask()
        let third = EnvelopeImage.Contact(id: far.id(3), at: far.base.text(far.base.endpoint(3)))
        for number in UInt64(1)...2 { try far.answer(number, naming: [third]) }
        #expect(far.ask().isEmpty && far.walk.hasPostponed(far.id(3)))
        #expect(!far.waits(.near) && far.waits(.all), "two answered that are nearer")
    }

    @Test("it does not wait past its deadline, nor longer for a near one than a silent one could take")
    func longWait() throws {
        let stage = Stage(peers: 2) { ($0.timeoutUs, $0.deadlineUs) = (1_000_000, 4_000_000) }
        stage.base.core.rpcs.noteBusy(stage.id(1), retryMs: 2_000, stage.base.nowUs)
        stage.ask()
        try stage.answer(2)
        #expect(!stage.waits(.near) && stage.waits(.all))
        let late = Stage(peers: 1) { $0.deadlineUs = 4_000_000 }
        late.base.core.rpcs.noteBusy(late.id(1), retryMs: 4_001, late.base.nowUs)
        late.ask()
        #expect(!late.waits(.all))
    }
}
