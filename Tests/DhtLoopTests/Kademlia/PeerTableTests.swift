// RO:WHAT  PeerTable: who becomes a contact, who is pinged for it, and what failures and silence lead to.
import Testing

@testable import DhtLoop

@Suite("PeerTable")
struct PeerTableTests {
    private static let second = CoreStage.second

    /// A node asks, and says where it is.
    private func ask(_ contact: Contact, _ stage: CoreStage) throws {
        try stage.hear(.ping, from: contact.id, at: stage.text(contact.endpoint)) { request, _ in
            stage.change { $0.peers.noteSender(of: request, stage.nowUs, &$0.rpcs, &$0.context) }
        }
    }

    private func fail(_ contact: Contact, weight: UInt8 = 1, _ stage: CoreStage) -> PeerTable.Loss {
        stage.change { $0.peers.noteFailure(of: contact, weight: weight, stage.nowUs, &$0.context) }
    }

    private func tend(_ stage: CoreStage, mayRefresh: Bool = false) -> PeerTable.Turn {
        stage.change { $0.peers.tendOne(mayRefresh: mayRefresh, stage.nowUs, &$0.rpcs, &$0.context) }
    }

    private func sentTo(_ stage: CoreStage) -> [EndpointID?] { stage.take().map(\.endpoint) }

    @Test(
        "for a newcomer to a full bucket the one that was silent longest is asked, if it was for long, and once"
    )
    func fullBucket() {
        let stage = CoreStage { $0.k = 2 }
        let (old, young) = (stage.contact(sharing: 0, 1), stage.contact(sharing: 0, 2))
        let added = [stage.meet(old), stage.meet(old), stage.meet(young)]
        #expect(added == [true, false, true] && stage.core.peers.count == 2)
        stage.nowUs += 10 * Self.second
        stage.meet(young)
        let isNew = stage.meet(stage.contact(sharing: 0, 3))
        #expect(!isNew && sentTo(stage).isEmpty)
        stage.nowUs += 1_800 * Self.second
        stage.meet(stage.contact(sharing: 0, 4))
        for number in UInt64(5)...6 { stage.core.hear(stage.contact(sharing: 0, number), stage.nowUs) }
        #expect(sentTo(stage) == [old.endpoint])
        stage.core.peers.endProbe(of: old.id)
        stage.core.hear(stage.contact(sharing: 0, 7), stage.nowUs)
        #expect(sentTo(stage) == [old.endpoint])
        let updates = stage.core.context.stats.routeUpdates
        #expect(updates[.added] == 2 && updates[.spared] == 2)
    }

    @Test("a stranger that asks is pinged once, and is a contact only when it answers")
    func stranger() throws {
        let stage = CoreStage()
        let stranger = stage.contact(sharing: 3, 7)
        try ask(stranger, stage)
        try ask(stranger, stage)
        #expect(sentTo(stage) == [stranger.endpoint])
        #expect(stage.core.peers.count == 0 && stage.core.peers.verifyingCount == 1)
        stage.meet(stranger)
        #expect(stage.core.peers.count == 1 && stage.core.peers.verifyingCount == 0)
    }

    @Test("one that names no endpoint is not pinged, and one whose endpoint is none is counted")
    func noEndpoint() throws {
        let stage = CoreStage()
        for at in ["", "nowhere"] {
            try stage.hear(.ping, from: stage.peer(1).id, at: Array(at.utf8)) { request, _ in
                stage.change { $0.peers.noteSender(of: request, stage.nowUs, &$0.rpcs, &$0.context) }
            }
        }
        let rejected = stage.core.context.stats.rejections
        #expect(sentTo(stage).isEmpty && rejected == [.badEndpoint: 1])
    }

    @Test("no more strangers are pinged at a time than may be, and one that is busy is not counted")
    func bounded() {
        let stage = CoreStage()
        stage.core.rpcs.noteBusy(stage.peer(0).id, retryMs: 100, stage.nowUs)
        for number in 0...UInt64(PeerTable.maxVerifying) + 1 {
            stage.core.verify(stage.peer(number), stage.nowUs)
        }
        let sent = sentTo(stage)
        #expect(sent.count == PeerTable.maxVerifying && sent.first == stage.endpoint(1))
        #expect(stage.core.peers.verifyingCount == PeerTable.maxVerifying)
        stage.core.peers.endVerifying(stage.peer(1).id)
        stage.core.verify(stage.peer(500), stage.nowUs)
        #expect(sentTo(stage) == [stage.endpoint(500)])
    }

    @Test("a request is a sign of life; one from elsewhere is none, and has the old endpoint asked first")
    func moved() throws {
        let stage = CoreStage()
        let known = stage.contact(sharing: 2, 1)
        let elsewhere = Contact(id: known.id, endpoint: stage.endpoint(9))
        stage.meet(known)
        _ = fail(known, stage)
        stage.nowUs += Self.second
        try ask(known, stage)
        let seen = stage.core.peers.table.state(of: known.id)
        #expect(seen?.failures == 0 && seen?.lastSeenUs == stage.nowUs && sentTo(stage).isEmpty)
        stage.nowUs += Self.second
        try ask(elsewhere, stage)
        let after = stage.core.peers.table.state(of: known.id)
        #expect(after == seen && sentTo(stage) == [known.endpoint])
        stage.core.peers.endVerifying(known.id)
        _ = fail(known, stage)
        try ask(elsewhere, stage)
        #expect(sentTo(stage) == [elsewhere.endpoint])
    }

    @Test(
        "two failures make a contact doubted, three end it; with a spare behind it two do",
        arguments: [false, true])
    func failures(hasSpare: Bool) throws {
        let stage = CoreStage { $0.k = 2 }
        let (first, spare) = (stage.contact(sharing: 0, 1), stage.contact(sharing: 0, 3))
        stage.meet(first)
        stage.meet(stage.contact(sharing: 0, 2))
        if hasSpare { stage.meet(spare) }
        guard case .none = fail(first, stage) else { return #expect(Bool(false), "doubted after one") }
        stage.nowUs += Self.second
        let second = fail(first, stage)
        if !hasSpare {
            guard case .doubted = second else { return #expect(Bool(false), "not doubted") }
        }
        let end = hasSpare ? second : fail(first, stage)
        guard case .lost(let silenceUs, let heir) = end else { return #expect(Bool(false), "not lost") }
        #expect(silenceUs == Self.second && heir == (hasSpare ? spare : nil))
        let updates = stage.core.context.stats.routeUpdates
        #expect(updates[.evicted] == (hasSpare ? 0 : 1) && updates[.replaced] == (hasSpare ? 1 : 0))
        #expect(stage.core.peers.count == 1)
    }

    @Test(
        "turns come half to one and a half of their mean apart, sooner when hasty, and never later than planned"
    )
    func turns() throws {
        for seed in UInt64(1)...40 {
            let stage = CoreStage(seed: seed)
            func plan(_ pace: PeerTable.TurnPace) -> UInt64? {
                stage.change {
                    $0.peers.planTurn(pace, stage.nowUs, &$0.context)
                    return $0.context.timers.dueUs(.tend).map { $0 - stage.nowUs }
                }
            }
            #expect(plan(.busy) == nil, "there is nobody to look after")
            stage.meet(stage.peer(1))
            let first = try #require(plan(.busy))
            #expect((2_500_000...7_500_000).contains(first), "seed \(seed)")
            let hasty = try #require(plan(.hasty))
            #expect(hasty <= min(first, 3_000_000) && hasty >= 1_000_000, "seed \(seed)")
            #expect(plan(.idle) == hasty, "seed \(seed)")
        }
    }

    @Test("a turn fills a free place before it asks the silent; a refresh is what is left")
    func order() {
        let stage = CoreStage { $0.k = 4 }
        stage.meet(stage.contact(sharing: 0, 1))
        guard case .nothing = tend(stage) else { return #expect(Bool(false), "nothing was due") }
        guard case .refresh(bucket: 0) = tend(stage, mayRefresh: true) else {
            return #expect(Bool(false), "no refresh")
        }
        var list = ContactList()
        stage.core.peers.beginWalk(to: stage.peer(1).id, stage.nowUs, into: &list)
        guard case .nothing = tend(stage, mayRefresh: true) else {
            return #expect(Bool(false), "what was walked to is refreshed")
        }
        let spare = stage.contact(sharing: 0, 2)
        stage.core.hear(spare, stage.nowUs)
        guard case .pinged = tend(stage) else { return #expect(Bool(false), "no ping") }
        #expect(sentTo(stage) == [spare.endpoint])
        stage.nowUs += 101 * Self.second
        guard case .pinged = tend(stage) else { return #expect(Bool(false), "no ping") }
        #expect(sentTo(stage) == [stage.endpoint(1)])
    }

    @Test("a walk begins with those that others are told of, or with all when these are fewer than K")
    func walkBegins() {
        let stage = CoreStage { $0.k = 2 }
        for number in UInt64(1)...4 { stage.meet(stage.contact(sharing: Int(number), number)) }
        stage.nowUs += 3_601 * Self.second
        func begin() -> Int {
            var list = ContactList()
            stage.core.peers.beginWalk(to: NodeID.zero, stage.nowUs, into: &list)
            return list.count
        }
        stage.meet(stage.contact(sharing: 5, 5))
        #expect(begin() == 5)
        stage.meet(stage.contact(sharing: 6, 6))
        #expect(begin() == 2)
    }
}
