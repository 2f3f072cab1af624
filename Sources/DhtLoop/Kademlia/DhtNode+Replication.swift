// RO:WHAT  Holders make copies when a neighbour comes or goes, and before they go themselves.
// RO:WHY   Kademlia paper, 2.5: who comes nearer to a key than a holder gets the record, who dies is replaced.
//          Nothing is sent while every node that should hold a record has it.
// RO:METRICS  dht_replicated_total

extension DhtNode {
    /// A contact was added.
    mutating func neighbourJoined(_ id: NodeID, _ nowUs: UInt64) {
        guard store.count > 0, table.isNear(id, neighbours: neighbourCount) else { return }
        replication.changes.join(id)
        armReplication(nowUs)
    }

    /// A contact was given up.
    mutating func neighbourLeft(_ id: NodeID, _ nowUs: UInt64) {
        guard store.count > 0, table.isNear(id, neighbours: neighbourCount) else { return }
        replication.changes.leave(id)
        armReplication(nowUs)
    }

    /// Begins to give each record that this node should hold to the one who is next in line for it. The end is
    /// told as an event. Nothing that comes later is copied any more.
    public mutating func leave(nowUs: UInt64) {
        wheel.cancel(replication.timer)
        replication.timer = .none
        replication.isLeaving = true
        replication.pass = Replication.Pass(reason: .leaving)
        replicate(nowUs)
    }

    private mutating func armReplication(_ nowUs: UInt64) {
        guard replication.timer == .none, !replication.isLeaving else { return }
        let longest = replication.pass == nil ? Replication.patienceUs : Replication.turnUs
        let waitUs = UInt64.random(in: (longest / 4)...longest, using: &generator)
        replication.timer = wheel.schedule(atUs: nowUs + waitUs, token: TimerToken(.replicate).packed)
    }

    /// One turn: some records are looked at, and what is missing of them is sent.
    mutating func replicate(_ nowUs: UInt64) {
        replication.timer = .none
        var pass = replication.pass ?? Replication.Pass(reason: .changes(replication.changes))
        if replication.pass == nil { replication.changes = NeighbourChanges() }
        retryPostponed(nowUs)
        if let position = pass.position,
            replication.inFlight + replication.postponed.count < replication.window
        {
            pass.position = lookThrough(from: position, pass.reason, nowUs)
        }
        replication.pass = pass
        finishPass(nowUs)
    }

    /// Goes on with the look, or ends it: at once when all was seen, or for a node that leaves once all is sent.
    private mutating func finishPass(_ nowUs: UInt64) {
        guard let pass = replication.pass else { return }
        if pass.position == nil, replication.postponed.isEmpty {
            if case .leaving = pass.reason {
                guard replication.inFlight == 0 else { return }
                outbox.tell(.handedOver(records: Int(stats.handedOver)))
            }
            replication.pass = nil
            replication.lastTakenUs = [:]
        }
        let isIdle = replication.pass == nil && replication.changes.isEmpty
        guard !isIdle, replication.timer == .none else { return }
        if replication.isLeaving {
            replication.timer = wheel.schedule(
                atUs: nowUs + Replication.turnUs, token: TimerToken(.replicate).packed)
        } else {
            armReplication(nowUs)
        }
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
                guard let rank = set.ownRank, rank < Replication.senders else { continue }
                for contact in set.lacking(changes, key: key, ownID: config.id) {
                    copy(key, to: contact, nowUs)
                }
            case .leaving:
                set.settle(
                    key, ownID: config.id, replica: config.replica, nearest: nearest, newcomers: [])
                if set.ownRank != nil, let heir = set.next { copy(key, to: heir, nowUs) }
            }
        }
        return next
    }

    private mutating func copy(_ key: Key, to contact: Contact, _ nowUs: UInt64) {
        guard replication.inFlight < replication.window, !busyPeers.holds(contact.id, nowUs) else {
            return postpone(key, contact, nowUs)
        }
        guard let record = store.find(key, nowUs: nowUs), record.expiresAtUs > nowUs else { return }
        let version = Version(
            seq: record.seq, ttlSeconds: Self.secondsLeft(until: record.expiresAtUs, nowUs),
            value: Array(record.value), isTombstone: record.isTombstone)
        guard give(version, key, to: contact, as: .copy(key), nowUs) else { return }
        replication.inFlight += 1
        stats.replicated += 1
    }

    private mutating func postpone(_ key: Key, _ contact: Contact, _ nowUs: UInt64) {
        let lastTakenUs = replication.lastTakenUs[contact.id] ?? nowUs
        replication.lastTakenUs[contact.id] = lastTakenUs
        guard nowUs - lastTakenUs < Replication.busyPatienceUs else { return }
        replication.postponed.append(Replication.Postponed(key: key, contact: contact))
        // The look may be over; what it has left to send keeps it going.
        let rest = Replication.Pass(reason: .changes(NeighbourChanges()), position: nil)
        replication.pass = replication.pass ?? rest
    }

    /// Sends again what may be sent by now.
    private mutating func retryPostponed(_ nowUs: UInt64) {
        let waiting = replication.postponed
        replication.postponed = []
        for one in waiting { copy(one.key, to: one.contact, nowUs) }
    }

    /// A copy arrived, or was refused: either is an answer. One that met a busy node is sent again.
    mutating func copyAnswered(_ key: Key, _ reply: MessageView, from rpc: PendingRpc, _ nowUs: UInt64) {
        if case .busy = reply {
            replication.window = max(1, replication.window / 2)
            postpone(key, Contact(id: rpc.dst, endpoint: rpc.endpoint), nowUs)
        } else {
            replication.window = min(Replication.maxInFlight, replication.window + 1)
            if replication.lastTakenUs[rpc.dst] != nil { replication.lastTakenUs[rpc.dst] = nowUs }
        }
        if case .stored(ok: true, _, _, _) = reply, replication.isLeaving { stats.handedOver += 1 }
        copyEnded(nowUs)
    }

    /// A copy got no answer. A contact that stays gets what concerns it once more.
    mutating func copyLost(_ key: Key, _ rpc: PendingRpc, _ nowUs: UInt64) {
        if busyPeers.said(rpc.dst, since: rpc.sentUs) {
            postpone(key, Contact(id: rpc.dst, endpoint: rpc.endpoint), nowUs)
        } else if table.state(of: rpc.dst) != nil {
            neighbourJoined(rpc.dst, nowUs)
        }
        copyEnded(nowUs)
    }

    private mutating func copyEnded(_ nowUs: UInt64) {
        replication.inFlight -= 1
        finishPass(nowUs)
    }
}

extension RoutingTable {
    /// Whether `id` lies where this node's neighbours do: at most two buckets farther than the nearest `count`.
    func isNear(_ id: NodeID, neighbours count: Int) -> Bool {
        guard let bucket = bucketIndex(of: id) else { return false }
        return bucket + 2 >= depth(ofNearest: count)
    }

    /// The deepest bucket with which the nearest `count` contacts are complete; 0 when there are fewer.
    private func depth(ofNearest count: Int) -> Int {
        var (found, depth) = (0, 0)
        for bucket in buckets.indices.reversed() {
            found += buckets[bucket].count
            depth = bucket
            if found >= count { break }
        }
        return depth
    }
}
