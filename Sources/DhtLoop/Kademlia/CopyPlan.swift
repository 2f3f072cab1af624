// RO:WHAT  CopyPlan: neighbours that came and went since records were last looked through, and how far the look is.
// RO:WHY   Kademlia paper, 2.5: a node that comes nearer to a key than a holder gets the record, one that dies is
//          replaced. Nothing is sent while every node that should hold a record has it.
// RO:INVARIANTS  the look is planned exactly while there is something to look through, or a look is under way.
// RO:METRICS  dht_replicated_total, dht_handed_over_total
// RO:TEST  Tests/DhtLoopTests/Kademlia/CopyPlanTests.swift, ReplicationTests.swift

/// Which records are owed to which nodes, because neighbours came or went, or because the local node leaves.
struct CopyPlan: ~Copyable {
    /// Why the store is being looked through.
    private enum Reason {
        case changes(NeighbourChanges)
        /// The local node is about to stop: what it holds goes to those that take its place.
        case leaving
    }

    /// A walk through the store.
    private struct Pass {
        var reason: Reason
        /// Where to go on, see `RecordStore.visitKeys`; nil once all was seen.
        var position: UInt64? = 0
    }

    /// Longest wait between a change and the look for what it concerns: others that come with it are dealt
    /// with in one.
    private static let patienceUs: UInt64 = 1_000_000
    /// Records looked at in one turn, and the time between two turns.
    private static let turnRecords = 256
    private static let turnUs: UInt64 = 5_000
    /// How many of the closest holders make a copy that is missing. One may not have noticed, or be gone.
    static let senders = 2
    /// Of the other holders each does so at a chance that makes it one in so many changes: those that seem to be the
    /// closest holders may be newcomers that never got the record, and then no other would see to it.
    private static let sparesEvery = 2

    private var changes = NeighbourChanges()
    private var pass: Pass?
    /// No change is followed any more: the local node is leaving.
    private(set) var isLeaving = false
    private var nearest = ContactList()

    init() {}

    /// Whether a look is under way.
    var isLooking: Bool { pass != nil }

    /// A neighbour has come, or was given up: the records that this concerns are looked for soon. A node that leaves,
    /// or holds nothing, follows none.
    mutating func noteNeighbour(_ id: NodeID, hasCome: Bool, _ nowUs: UInt64, _ core: inout NodeCore) {
        guard core.records.count > 0, !isLeaving, core.peers.isNeighbour(id) else { return }
        if hasCome { changes.join(id) } else { changes.leave(id) }
        planLook(nowUs, &core.context)
        assert(core.context.timers.isPlanned(.replicate), "a change that is not looked for")
    }

    /// The local node leaves: all that it holds is looked through, from the beginning.
    mutating func leave(_ context: inout NodeContext) {
        context.timers.callOff(.replicate)
        isLeaving = true
        changes = NeighbourChanges()
        pass = Pass(reason: .leaving)
        assert(isLooking && !context.timers.isPlanned(.replicate), "a hand-over waits for its first look")
    }

    private func planLook(_ nowUs: UInt64, _ context: inout NodeContext) {
        guard !context.timers.isPlanned(.replicate) else { return }
        assert(pass != nil || !changes.isEmpty, "a look is planned for nothing")
        let longest = pass == nil ? Self.patienceUs : Self.turnUs
        let waitUs =
            isLeaving ? longest : UInt64.random(in: (longest / 4)...longest, using: &context.generator)
        context.timers.plan(.replicate, atUs: nowUs + waitUs)
    }

    /// One turn: some records are looked at, and what is missing of them is owed to those that lack it.
    mutating func lookThrough(_ courier: inout Courier, _ core: inout NodeCore) {
        var pass = pass ?? Pass(reason: .changes(changes))
        if self.pass == nil { changes = NeighbourChanges() }
        if let position = pass.position, !courier.isFull {
            pass.position = lookThrough(from: position, pass.reason, &courier, &core)
        }
        self.pass = pass
    }

    private mutating func lookThrough(
        from position: UInt64, _ reason: Reason, _ courier: inout Courier, _ core: inout NodeCore
    ) -> UInt64? {
        var keys: [Key] = []
        let next = core.records.store.visitKeys(from: position, limit: Self.turnRecords) { keys.append($0) }
        let (ownID, replica) = (core.context.config.id, core.context.config.replica)
        var set = ReplicaSet()
        for key in keys {
            core.peers.table.closest(to: key, replica + 1, into: &nearest)
            switch reason {
            case .changes(let changes):
                set.settle(
                    key, ownID: ownID, replica: replica, nearest: nearest, newcomers: changes.joined)
                guard let rank = set.ownRank, makesCopies(rank, &core.context) else { continue }
                for contact in set.lacking(changes, key: key, ownID: ownID, replica: replica) {
                    courier.add(key, to: contact)
                }
            case .leaving:
                assert(changes.isEmpty, "a node that leaves follows its neighbours")
                set.settle(key, ownID: ownID, replica: replica, nearest: nearest, newcomers: [])
                if set.ownRank != nil, let heir = set.next { courier.add(key, to: heir) }
            }
        }
        return next
    }

    /// Whether the holder of that rank makes the copies that a change calls for.
    private func makesCopies(_ rank: Int, _ context: inout NodeContext) -> Bool {
        if rank < Self.senders { return true }
        let others = context.config.replica - Self.senders
        return context.generator.next() % UInt64(others * Self.sparesEvery) == 0
    }

    /// Plans the next turn of a look, or ends it: at once when all was seen, or for a node that leaves once all is
    /// sent.
    mutating func finishTurn(courierIsIdle: Bool, _ nowUs: UInt64, _ context: inout NodeContext) {
        guard let pass else { return }
        if pass.position == nil {
            if case .leaving = pass.reason {
                guard courierIsIdle else { return }
                context.outbox.tell(.handedOver(records: Int(context.stats.handedOver)))
            }
            self.pass = nil
        }
        if self.pass != nil || !changes.isEmpty { planLook(nowUs, &context) }
        assert(
            context.timers.isPlanned(.replicate) == (self.pass != nil || !changes.isEmpty),
            "a look without its timer")
    }
}
