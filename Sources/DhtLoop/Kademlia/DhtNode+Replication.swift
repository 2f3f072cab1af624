// RO:WHAT  Holders make copies when a neighbour comes or goes, and before they go themselves.
// RO:WHY   Kademlia paper, 2.5: who comes nearer to a key than a holder gets the record, who dies is replaced.
//          Nothing is sent while every node that should hold a record has it.
// RO:METRICS  dht_replicated_total, dht_handed_over_total

extension DhtNode {
    /// A contact has come, or was given up: if it is a neighbour, the records that this concerns are looked for
    /// soon. A node that leaves follows nobody any more.
    mutating func noteNeighbour(_ id: NodeID, hasCome: Bool, _ nowUs: UInt64) {
        guard store.count > 0, !replication.isLeaving, table.isNear(id, neighbours: neighbourCount) else {
            return
        }
        if hasCome { replication.changes.join(id) } else { replication.changes.leave(id) }
        armReplication(nowUs)
    }

    /// Begins to give each record that this node should hold to the one who is next in line for it. The end is
    /// told as an event. Nothing that comes later is copied any more.
    public mutating func leave(nowUs: UInt64) {
        wheel.cancel(replication.timer)
        replication.timer = .none
        replication.isLeaving = true
        replication.changes = NeighbourChanges()
        replication.pass = Replication.Pass(reason: .leaving)
        replicate(nowUs)
    }

    /// Whether `leave` was called and has not told its end yet.
    public var isHandingOver: Bool { replication.isLeaving && replication.pass != nil }

    private mutating func armReplication(_ nowUs: UInt64) {
        guard replication.timer == .none else { return }
        let longest = replication.pass == nil ? Replication.patienceUs : Replication.turnUs
        let waitUs =
            replication.isLeaving ? longest : UInt64.random(in: (longest / 4)...longest, using: &generator)
        replication.timer = wheel.schedule(atUs: nowUs + waitUs, token: TimerToken(.replicate).packed)
    }

    /// One turn: some records are looked at, and what is missing of them is owed to those who lack it.
    mutating func replicate(_ nowUs: UInt64) {
        replication.timer = .none
        var pass = replication.pass ?? Replication.Pass(reason: .changes(replication.changes))
        if replication.pass == nil { replication.changes = NeighbourChanges() }
        if let position = pass.position, !courier.isFull {
            pass.position = lookThrough(from: position, pass.reason, nowUs)
        }
        replication.pass = pass
        dispatch(nowUs)
        finishPass(nowUs)
    }

    /// Goes on with the look, or ends it: at once when all was seen, or for a node that leaves once all is sent.
    mutating func finishPass(_ nowUs: UInt64) {
        guard let pass = replication.pass else { return }
        if pass.position == nil {
            if case .leaving = pass.reason {
                guard courier.isIdle else { return }
                outbox.tell(.handedOver(records: Int(stats.handedOver)))
            }
            replication.pass = nil
        }
        if replication.pass != nil || !replication.changes.isEmpty { armReplication(nowUs) }
    }

    /// Whether the holder of that rank makes the copies that a change calls for.
    private mutating func makesCopies(_ rank: Int) -> Bool {
        if rank < Replication.senders { return true }
        let others = config.replica - Replication.senders
        return generator.next() % UInt64(others * Replication.sparesEvery) == 0
    }

    private mutating func lookThrough(
        from position: UInt64, _ reason: Replication.Reason, _ nowUs: UInt64
    ) -> UInt64? {
        var keys: [Key] = []
        let next = store.visitKeys(from: position, limit: Replication.turnRecords) { keys.append($0) }
        var set = ReplicaSet()
        for key in keys {
            table.closest(to: key, config.replica + 1, into: &nearest)
            switch reason {
            case .changes(let changes):
                set.settle(
                    key, ownID: config.id, replica: config.replica, nearest: nearest,
                    newcomers: changes.joined)
                guard let rank = set.ownRank, makesCopies(rank) else { continue }
                for contact in set.lacking(
                    changes, key: key, ownID: config.id, replica: config.replica)
                {
                    courier.add(key, to: contact)
                }
            case .leaving:
                set.settle(
                    key, ownID: config.id, replica: config.replica, nearest: nearest, newcomers: [])
                if set.ownRank != nil, let heir = set.next { courier.add(key, to: heir) }
            }
        }
        return next
    }
}
