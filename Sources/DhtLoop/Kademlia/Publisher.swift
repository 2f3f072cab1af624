// RO:WHAT  Publisher: what was put here with the default life, and its refresh: one walk for each region of the key
//          space, then batches to the nodes that hold it.
// RO:WHY   A hundred thousand records need a hundred thousand lookups when each is put again by itself. Those that
//          are near each other have the same holders, and one walk finds them all.
// RO:INVARIANTS  at most one walk at a time; a refresh is planned while there is a publication.
// RO:METRICS  dht_republished_total, dht_publications
// RO:TEST  Tests/DhtLoopTests/Kademlia/PublisherTests.swift, RepublishTests.swift

/// The publications of a node, and how far their refresh has come.
struct Publisher {
    /// Wait before a walk is tried again for which there was no free operation, or that reached too few.
    private static let retryUs: UInt64 = 1_000_000

    private(set) var publications: Publications
    /// The next bin to be refreshed.
    private var bin = 0
    /// Keys of the bin at hand that are still to be refreshed, the smallest last.
    private var left: [Key] = []
    /// Whether a walk to the nodes around the next key is under way.
    private var isWalking = false

    init(budgetBytes: Int) { publications = Publications(budgetBytes: budgetBytes) }

    /// A put with the default life has been stored somewhere: it is kept alive from here.
    mutating func publish(
        _ key: Key, seq: UInt64, value: [UInt8], _ nowUs: UInt64, _ context: inout NodeContext
    ) {
        guard context.config.republishUs > 0 else { return }
        if !publications.set(key, seq: seq, value: value) { context.stats.errors[.unpublished] += 1 }
        if !context.timers.isPlanned(.republish), publications.count > 0 { plan(nowUs, &context) }
    }

    /// A put or a delete of a key begins: what was published before is refreshed no more.
    mutating func forget(_ key: Key) { publications.remove(key) }

    /// A node has a version newer than the one published here: somebody else's, and the publication is over.
    mutating func noteNewer(_ key: Key, _ seq: UInt64) {
        if let published = publications.find(key), seq > published.seq { publications.remove(key) }
    }

    /// A record as it should be sent: what was published here with a whole life, or what is stored here.
    func version(of key: Key, ttlSeconds: UInt64, _ records: borrowing Records, _ nowUs: UInt64) -> Version? {
        let stored = records.find(key, nowUs)
        if let published = publications.find(key), published.seq >= stored?.seq ?? 0 {
            return Version(
                seq: published.seq, ttlSeconds: ttlSeconds, value: published.value, isTombstone: false)
        }
        return stored.map { Version(stored: $0, nowUs) }
    }

    // MARK: - Refresh

    /// One bin after the other, so that each record is refreshed once in `republishUs` and the work is spread.
    private func plan(_ nowUs: UInt64, _ context: inout NodeContext) {
        assert(publications.count > 0, "a refresh of nothing is planned")
        let meanUs = context.config.republishUs / UInt64(Publications.binCount)
        let waitUs = UInt64.random(in: (meanUs * 3 / 4)...(meanUs * 5 / 4), using: &context.generator)
        context.timers.plan(.republish, atUs: nowUs + max(1, waitUs))
    }

    /// The next bin's time has come, or a walk is tried again.
    mutating func takeTurn(_ nowUs: UInt64, _ context: inout NodeContext) {
        if left.isEmpty, !isWalking {
            left = publications.keys(inBin: bin)
            bin = (bin + 1) % Publications.binCount
            assert(zip(left, left.dropFirst()).allSatisfy { $1 < $0 }, "the smallest key is not the last")
        }
        if publications.count > 0 { plan(nowUs, &context) }
    }

    /// The key to walk to next; nil while a walk is under way, and when the bin is done.
    mutating func nextWalk() -> Key? {
        guard !isWalking else { return nil }
        while let key = left.last {
            if publications.find(key) != nil { return key }
            left.removeLast()
        }
        return nil
    }

    mutating func walkBegan() {
        assert(!isWalking, "one walk at a time")
        isWalking = true
    }

    mutating func walkEnded() {
        assert(isWalking, "a walk ends that did not begin")
        isWalking = false
    }

    /// There was no free operation for a walk, or it reached too few nodes: it is tried again.
    func tryAgain(_ nowUs: UInt64, _ context: inout NodeContext) {
        assert(!isWalking, "a walk is tried again while it is under way")
        context.timers.plan(.republish, atUs: nowUs + Self.retryUs)
    }

    /// All keys whose holders a walk has found go to them.
    mutating func refresh(_ region: Region, _ nowUs: UInt64, _ courier: inout Courier, _ core: inout NodeCore)
    {
        while let key = left.last, region.covers(key) {
            left.removeLast()
            if let published = publications.find(key) {
                refresh(key, published, region, nowUs, &courier, &core)
            }
        }
    }

    private mutating func refresh(
        _ key: Key, _ published: Publications.Publication, _ region: Region, _ nowUs: UInt64,
        _ courier: inout Courier, _ core: inout NodeCore
    ) {
        guard core.records.find(key, nowUs).map({ $0.seq <= published.seq }) ?? true else {
            return publications.remove(key)
        }
        core.context.stats.republished += 1
        let config = core.context.config
        let holders = region.holders(of: key, replica: config.replica)
        assert(holders.count <= config.replica, "more holders than replicas")
        let localDistance = config.id.distance(to: key)
        let keepsHere = holders.count { $0.id.distance(to: key) < localDistance } < config.replica
        if keepsHere {
            let version = Version(
                seq: published.seq, ttlSeconds: config.ttlSeconds, value: published.value, isTombstone: false)
            _ = core.keep(key, version, nowUs)
        }
        for contact in holders.prefix(config.replica - (keepsHere ? 1 : 0)) { courier.add(key, to: contact) }
    }
}
