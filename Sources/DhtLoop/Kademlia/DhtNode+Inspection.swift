// RO:WHAT  Looking into a node: its table, its stores, its counters, and whether all of it adds up.
// RO:WHY   People ask what a node holds; the simulator asks after every event whether an invariant is broken, so that a
//          broken count is found where it breaks, not where it shows. Nothing here changes the node.
// RO:TEST  Tests/DhtSimTests/SimulationTests.swift

extension DhtNode {
    /// As it was given at birth.
    public var config: NodeConfig { core.context.config }
    /// Names of overlay endpoints, shared with the driver of the node.
    public var endpoints: EndpointTable { core.context.endpoints }
    /// Whether each request of the local node is told of when it ends, or only those that fail.
    public var tellsEveryRpc: Bool {
        get { core.context.tellsEveryRpc }
        set { core.context.tellsEveryRpc = newValue }
    }
    /// What is to be done now.
    public var outbox: Outbox {
        @inline(__always) _read { yield core.context.outbox }
        @inline(__always) _modify { yield &core.context.outbox }
    }
    /// What it has counted.
    public var stats: NodeStats {
        _read { yield core.context.stats }
    }
    /// Its contacts.
    public var table: RoutingTable {
        _read { yield core.peers.table }
    }
    /// Its records.
    public var store: RecordStore {
        _read { yield core.records.store }
    }
    /// Its provider records.
    public var providers: ProviderStore {
        _read { yield core.records.providers }
    }
    /// The overlay that it is attached to; `.none` until there is one.
    public var home: EndpointID { core.context.home }
    /// Records that are refreshed from here.
    var publications: Publications {
        _read { yield replicator.publications }
    }
    /// Requests on their way.
    public var pendingRpcs: Int { core.rpcs.count }
    /// Operations in progress.
    public var pendingCalls: Int { operations.count }
    /// When `advance` must be called; nil while no timer is armed.
    public var nextDeadlineUs: UInt64? { core.context.timers.nextDeadlineUs }
    /// Whether `leave` was called and has not told its end yet.
    public var isHandingOver: Bool { replicator.isHandingOver }
    /// Timers armed.
    public var armedTimers: Int { core.context.timers.count }

    /// At most `limit` of the live records, in no stated order.
    public borrowing func recordInfos(limit: Int, nowUs: UInt64) -> [RecordInfo] {
        core.records.infos(limit: limit, nowUs)
    }

    /// The endpoints that a contact, a request, an operation or the node itself names.
    public func endpointsInUse() -> Set<EndpointID> {
        var used: Set<EndpointID> = [home, core.context.advertised]
        used.formUnion(search.bootstrap)
        core.peers.addEndpoints(to: &used)
        core.rpcs.addEndpoints(to: &used)
        operations.addEndpoints(to: &used)
        replicator.addEndpoints(to: &used)
        return used
    }

    // MARK: - Invariants

    /// The first invariant that does not hold; nil when all do. Walks everything: for tests and simulations.
    public func brokenInvariant(nowUs: UInt64) -> String? {
        let pending = core.rpcs.pending
        return core.peers.brokenInvariant(nowUs: nowUs) ?? brokenTimers
            ?? operations.brokenInvariant(pending: pending, looksInProgress: search.looksInProgress)
            ?? brokenForwarding(pending) ?? core.records.brokenInvariant(budget: config.memoryBudget)
    }

    /// Each pending request and each operation holds one timer; so do the chores, when they are planned.
    private var brokenTimers: String? {
        let owed = pendingRpcs + pendingCalls + core.context.timers.plannedChores
        return armedTimers == owed ? nil : "\(armedTimers) timers are armed where \(owed) are owed"
    }

    private func brokenForwarding(_ pending: [NodeRpcs.Pending]) -> String? {
        let onBehalf = pending.count { if case .forwarded = $0.owner { true } else { false } }
        return onBehalf == responder.forwarded ? nil : "a forwarded request waits for no request"
    }
}
