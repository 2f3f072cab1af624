// RO:WHAT  Replicator: keeps records where they belong: copies when neighbours come and go, a hand-over before the
//          local node stops, the publisher's refresh. All of them leave by one courier.
// RO:WHY   Whatever adds records to the courier waits while it is full, and goes on when it has room.
// RO:INVARIANTS  a node that leaves copies nothing but its hand-over.
// RO:METRICS  dht_replicated_total, dht_handed_over_total, dht_republished_total
// RO:TEST  Tests/DhtLoopTests/Kademlia/ReplicationTests.swift, Tests/DhtLoopTests/Kademlia/RepublishTests.swift

/// Copies, their batches, and the refresh of publications.
struct Replicator: ~Copyable {
    private var plan = CopyPlan()
    private var courier = Courier()
    private var publisher: Publisher

    init(budgetBytes: Int) { publisher = Publisher(budgetBytes: budgetBytes) }

    /// Records that are refreshed from here.
    var publications: Publications { publisher.publications }
    /// Whether the local node is leaving, and has not given away all it could.
    var isHandingOver: Bool { plan.isLeaving && plan.isLooking }
    /// Records that wait to be sent.
    var waiting: Int { courier.waiting }
    var isIdle: Bool { courier.isIdle }

    /// Adds the endpoints of the nodes that are owed something.
    func addEndpoints(to used: inout Set<EndpointID>) { courier.addEndpoints(to: &used) }

    // MARK: - What happens to the node

    /// A contact has come, or was given up.
    mutating func noteNeighbour(_ id: NodeID, hasCome: Bool, _ nowUs: UInt64, _ core: inout NodeCore) {
        plan.noteNeighbour(id, hasCome: hasCome, nowUs, &core)
    }

    /// Begins to give each record that this node should hold to the one that is next in line for it.
    mutating func leave(_ nowUs: UInt64, _ core: inout NodeCore) {
        plan.leave(&core.context)
        lookThrough(nowUs, &core)
    }

    /// As `Publisher.publish`.
    mutating func publish(_ key: Key, seq: UInt64, value: [UInt8], _ nowUs: UInt64, _ core: inout NodeCore) {
        publisher.publish(key, seq: seq, value: value, nowUs, &core.context)
    }

    /// As `Publisher.forget`.
    mutating func forget(_ key: Key) { publisher.forget(key) }

    // MARK: - Turns

    /// The time has come to look through more records.
    mutating func lookThrough(_ nowUs: UInt64, _ core: inout NodeCore) {
        plan.lookThrough(&courier, &core)
        sendAgain(nowUs, &core)
    }

    /// Routes that waited are tried again. Nothing may be left of what they waited with.
    mutating func sendAgain(_ nowUs: UInt64, _ core: inout NodeCore) {
        dispatch(nowUs, &core)
        plan.finishTurn(courierIsIdle: courier.isIdle, nowUs, &core.context)
    }

    /// The next bin's time has come, or a walk is tried again.
    mutating func takeRefreshTurn(_ nowUs: UInt64, _ core: inout NodeCore) {
        publisher.takeTurn(nowUs, &core.context)
    }

    private mutating func dispatch(_ nowUs: UInt64, _ core: inout NodeCore) {
        let ttlSeconds = core.context.config.ttlSeconds
        let publisher = publisher
        courier.dispatch(nowUs, &core) { key, records in
            publisher.version(of: key, ttlSeconds: ttlSeconds, records, nowUs)
        }
    }

    // MARK: - Batches

    /// A batch was answered. Returns whether the courier went on.
    mutating func copiesAnswered(
        _ reply: MessageView, refusals: [RefusalView], by id: NodeID, _ nowUs: UInt64, _ core: inout NodeCore
    ) -> Bool {
        guard let end = courier.answered(reply, refusals: refusals, by: id, nowUs) else { return false }
        core.context.stats.replicated += end.taken
        if plan.isLeaving { core.context.stats.handedOver += end.taken }
        for refusal in end.refused { publisher.noteNewer(refusal.key, refusal.seq) }
        batchEnded(end, nowUs, &core)
        return true
    }

    /// A batch got no answer; it is sent again where the node is still a contact, or was only busy. Returns whether the
    /// courier went on.
    mutating func copiesLost(_ rpc: NodeRpcs.Pending, _ nowUs: UInt64, _ core: inout NodeCore) -> Bool {
        let mayRetry = core.peers.rtt(of: rpc.dst) != nil || core.rpcs.saidBusy(since: rpc)
        guard let end = courier.lost(by: rpc.dst, mayRetry: mayRetry, nowUs) else { return false }
        batchEnded(end, nowUs, &core)
        return true
    }

    private mutating func batchEnded(_ end: Courier.BatchEnd, _ nowUs: UInt64, _ core: inout NodeCore) {
        if !end.isDropped { dispatch(nowUs, &core) }
        plan.finishTurn(courierIsIdle: courier.isIdle, nowUs, &core.context)
    }

    // MARK: - Refresh

    /// The key that the publisher's next walk goes to; nil while there is none to make.
    mutating func nextWalk() -> Key? {
        courier.isFull || plan.isLeaving ? nil : publisher.nextWalk()
    }

    /// The walk that `nextWalk` asked for has begun.
    mutating func walkBegan() { publisher.walkBegan() }

    /// There was no free operation for it.
    mutating func walkRefused(_ nowUs: UInt64, _ core: inout NodeCore) {
        publisher.walkEnded()
        publisher.tryAgain(nowUs, &core.context)
    }

    /// A walk has ended: all keys whose holders it has found go to them. A node that reaches none has not found out
    /// that there is none; nor has one that reaches fewer than a record needs, while contacts are left: those that are
    /// gone leave the table.
    ///
    /// - Returns: whether the next walk may begin at once.
    mutating func walkEnded(
        _ region: Region, isCutOff: Bool, _ nowUs: UInt64, _ core: inout NodeCore
    ) -> Bool {
        publisher.walkEnded()
        guard !plan.isLeaving else { return false }
        guard !isCutOff else {
            publisher.tryAgain(nowUs, &core.context)
            return false
        }
        publisher.refresh(region, nowUs, &courier, &core)
        dispatch(nowUs, &core)
        return true
    }
}

#if DEBUG
    extension Replicator {
        /// Owes records to a node, and sends what may go. For tests.
        mutating func owe(_ keys: [Key], to contact: Contact, _ nowUs: UInt64, _ core: inout NodeCore) {
            for key in keys { courier.add(key, to: contact) }
            dispatch(nowUs, &core)
        }
    }
#endif
