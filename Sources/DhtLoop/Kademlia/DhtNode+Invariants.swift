// RO:WHAT  A look inside a node: whether its tables, slots, timers and store still add up.
// RO:WHY   The simulator asks after every event; a broken count is found where it breaks, not where it shows.
// RO:INVARIANTS  those that the other files state, as code. Nothing here changes the node.
// RO:TEST  Tests/DhtSimTests/SimulationTests.swift

extension DhtNode {
    /// Timers armed.
    public var armedTimers: Int { wheel.count }

    /// The first invariant that does not hold; nil when all do. Walks everything: for tests and simulations.
    public func brokenInvariant(nowUs: UInt64) -> String? {
        table.brokenInvariant(nowUs: nowUs) ?? brokenTimers ?? brokenCalls ?? brokenStore
    }

    /// Each pending request and each call holds one timer; so do the chores, when they are planned.
    private var brokenTimers: String? {
        let chores = [
            upkeep.bootstrapTimer, upkeep.sweepTimer, upkeep.tendTimer, replication.timer, courier.timer,
            republishing.timer,
        ].count {
            $0 != .none
        }
        let owed = rpcs.count + calls.count + chores
        return armedTimers == owed ? nil : "\(armedTimers) timers are armed where \(owed) are owed"
    }

    /// What each call believes to be in flight is pending, and looks around are counted.
    private var brokenCalls: String? {
        var asked: [CallID: Int] = [:]
        var storing: [CallID: Int] = [:]
        for rpc in rpcs.pending where !rpc.isLate && rpc.patience != .furtherLate {
            switch rpc.purpose {
            case .lookup(let call): asked[call, default: 0] += 1
            case .store(let call, _): storing[call, default: 0] += 1
            case .verify, .probe, .gift, .copies, .recursion, .anyone: break
            }
        }
        var looksAround = 0
        for call in calls.inProgress {
            if call.kind == .lookAround { looksAround += 1 }
            if let broken = call.lookup.brokenInvariant { return broken }
            // A lookup that has led to stores is over, and no longer told of late answers.
            if !call.isStoring, call.lookup.inFlight > asked[call.id, default: 0] {
                return "a lookup waits for no request"
            }
            if call.storesInFlight != storing[call.id, default: 0] { return "a put waits for no request" }
        }
        let onBehalf = rpcs.pending.count { if case .recursion = $0.purpose { true } else { false } }
        if onBehalf != recursions.count { return "a recursion waits for no request" }
        return looksAround == upkeep.looksAround ? nil : "looks around are miscounted"
    }

    private var brokenStore: String? {
        store.heldBytes <= config.memoryBudget ? nil : "the store is over its budget"
    }
}

extension RoutingTable {
    /// As `DhtNode.brokenInvariant`.
    func brokenInvariant(nowUs: UInt64) -> String? {
        var total = 0
        for index in buckets.indices where buckets[index].count + buckets[index].spares.count > 0 {
            total += buckets[index].count
            if let broken = broken(index, nowUs) { return "bucket \(index) \(broken)" }
        }
        return total == count ? nil : "\(total) contacts are counted as \(count)"
    }

    private func broken(_ index: Int, _ nowUs: UInt64) -> String? {
        let bucket = buckets[index]
        if bucket.count > k || bucket.spares.count > k { return "is over its size" }
        if bucket.heard > bucket.spares.count { return "miscounts its spares" }
        for (place, id) in bucket.ids.enumerated() {
            if bucketIndex(of: id) != index { return "holds a contact of another, or the own id" }
            if bucket.index(of: id) != place { return "holds a contact twice" }
        }
        if bucket.spares.contains(where: { bucketIndex(of: $0.id) != index }) {
            return "holds a spare of another"
        }
        if bucket.states.contains(where: { $0.lastSeenUs > nowUs || $0.endpoint == .none }) {
            return "holds a contact of the future, or of nowhere"
        }
        return nil
    }
}

extension Lookup {
    /// As `DhtNode.brokenInvariant`.
    var brokenInvariant: String? {
        if inFlight
            != peers.count(where: { $0.progress == .asked || $0.progress == .overdue || $0.isTelling })
        {
            return "inFlight is miscounted"
        }
        let isSorted = zip(peers, peers.dropFirst()).allSatisfy { $0.distance < $1.distance }
        return isSorted ? nil : "the peers of a lookup are out of order"
    }
}

extension RpcTable {
    /// All pending requests.
    var pending: [PendingRpc] {
        var found: [PendingRpc] = []
        var slot = 0
        while found.count < count {
            if let rpc = self[slot: slot] { found.append(rpc) }
            slot += 1
        }
        return found
    }
}

extension CallTable {
    /// All calls in progress.
    var inProgress: [Call] {
        var found: [Call] = []
        var slot = 0
        while found.count < count {
            if let call = self[slot: slot] { found.append(call) }
            slot += 1
        }
        return found
    }
}
