// RO:WHAT  Records: what is stored here, records and provider records, and when the dead among them are let go.
// RO:WHY   Answers, operations and copies all store and find through one place, so that every record's end of life is
//          seen to and every refusal is counted.
// RO:INVARIANTS  while something is stored that will expire, the sweep is planned no later than that.
// RO:TEST  Tests/DhtLoopTests/Kademlia/RecordsTests.swift

/// The stores of a node.
struct Records: ~Copyable {
    private(set) var store: RecordStore
    private(set) var providers: ProviderStore

    /// One part in `NodeConfig.providerShare` of the budget is for provider records.
    init(config: NodeConfig, secrets: (store: UInt64, providers: UInt64), nowUs: UInt64) {
        let providerBudget = config.memoryBudget / NodeConfig.providerShare
        store = RecordStore(
            budgetBytes: config.memoryBudget - providerBudget, secret: secrets.store, nowUs: nowUs)
        providers = ProviderStore(budgetBytes: providerBudget, secret: secrets.providers)
    }

    /// Records that are stored here.
    var count: Int { store.count }

    /// The record of a key, unless its life is over. It is borrowed until the next change.
    @inline(__always)
    func find(_ key: Key, _ nowUs: UInt64) -> StoredRecord? { store.find(key, nowUs: nowUs) }

    /// A copy of the record of a key, with the life that it has left.
    func version(of key: Key, _ nowUs: UInt64) -> Version? {
        find(key, nowUs).map { Version(stored: $0, nowUs) }
    }

    /// At most `limit` providers of `cid`.
    func findProviders(_ cid: Key, limit: Int, _ nowUs: UInt64) -> [ProviderStore.Provider] {
        providers.find(cid, limit: limit, nowUs: nowUs)
    }

    /// Stores a record here and sees to it that its end of life is noticed.
    mutating func keep(
        _ key: Key, seq: UInt64, ttlSeconds: UInt64, value: UnsafeRawBufferPointer, isTombstone: Bool,
        _ nowUs: UInt64, _ context: inout NodeContext
    ) -> RecordStore.PutOutcome {
        let outcome = store.put(
            key, seq: seq, expiresAtUs: nowUs + ttlSeconds * 1_000_000, value: value,
            isTombstone: isTombstone, nowUs: nowUs)
        if outcome == .full { context.stats.errors[.storeFull] += 1 }
        if outcome == .stored { planSweep(&context) }
        assert(outcome != .stored || context.timers.isPlanned(.sweep), "a record that is never swept")
        return outcome
    }

    /// Notes here that `node` provides `cid`; false when there is no room.
    mutating func keepProvider(
        _ cid: Key, _ node: [UInt8], ttlSeconds: UInt64, _ nowUs: UInt64, _ context: inout NodeContext
    ) -> Bool {
        let outcome = providers.add(
            cid, node: node, expiresAtUs: nowUs + ttlSeconds * 1_000_000, nowUs: nowUs)
        if outcome == .full { context.stats.errors[.storeFull] += 1 } else { planSweep(&context) }
        assert(outcome == .full || context.timers.isPlanned(.sweep), "a provider that is never swept")
        return outcome != .full
    }

    /// The next record has expired: it goes, and the next sweep is planned.
    mutating func sweep(_ nowUs: UInt64, _ context: inout NodeContext) {
        store.sweep(nowUs: nowUs)
        if let due = providers.nextSweepUs, due <= nowUs { providers.sweep(nowUs: nowUs) }
        planSweep(&context)
    }

    private func planSweep(_ context: inout NodeContext) {
        let dueUs = min(store.nextSweepUs ?? .max, providers.nextSweepUs ?? .max)
        if dueUs < .max { context.timers.planNoLater(.sweep, atUs: dueUs) }
    }

    /// At most `limit` of the live records, in no stated order.
    func infos(limit: Int, _ nowUs: UInt64) -> [RecordInfo] {
        var infos: [RecordInfo] = []
        store.forEachKey { key in
            guard infos.count < limit, let record = store.find(key, nowUs: nowUs) else { return }
            let leftUs = record.expiresAtUs > nowUs ? record.expiresAtUs - nowUs : 0
            infos.append(
                RecordInfo(key: key, byteCount: record.value.count, seq: record.seq, leftUs: leftUs))
        }
        return infos
    }

    /// As `DhtNode.brokenInvariant`.
    func brokenInvariant(budget: Int) -> String? {
        store.heldBytes <= budget ? nil : "the store is over its budget"
    }
}

/// A stored record without its value.
public struct RecordInfo: Equatable, Sendable {
    public var key: Key
    public var byteCount: Int
    public var seq: UInt64
    /// Microseconds it has left.
    public var leftUs: UInt64
}
