// RO:WHAT  PeerSearch: when a node looks for peers: at its bootstrap overlays, around its own id, in poor buckets.
// RO:WHY   A node that is alone keeps trying, with full-jitter backoff, and never floods a bootstrap overlay; one that
//          meets many at once looks around once for all of them.
// RO:INVARIANTS  events may hasten the next look, and never put it off, but for newcomers that come in a row.
// RO:TEST  Tests/DhtLoopTests/Kademlia/PeerSearchTests.swift, TendingTests.swift

/// The plan of looks for peers.
struct PeerSearch {
    /// First and longest wait between attempts while alone.
    static let aloneBaseUs: UInt64 = 500_000
    private static let aloneCapUs: UInt64 = 10_000_000
    /// First and longest wait while the table could still hold every node and may miss some.
    private static let sparseBaseUs: UInt64 = 8_000_000
    private static let sparseCapUs: UInt64 = 60_000_000
    /// Longest wait until a newcomer is a reason to look around again; and until the first of a row of them is, each
    /// less than that after the last. A node that joins meets many at once, and one look serves them all.
    private static let newcomerUs: UInt64 = 1_000_000
    private static let newcomersUs: UInt64 = 4_000_000

    /// Overlays to ask "anyone there?".
    private(set) var bootstrap: [EndpointID] = []
    /// Attempts since the last change for the better, or since the node is alone.
    private var attempt = 0
    /// When the first contact was added for whose sake the next look is soon; nil when there is none.
    private var newcomerUs: UInt64?
    /// A contact that was given up is back since the last look.
    private var isReunited = false
    /// Self-lookups and bucket refreshes that have not ended.
    private(set) var looksInProgress = 0
    /// The next bucket to fill after a look.
    private var nextBucket = 0

    mutating func setBootstrap(_ endpoints: [EndpointID]) { bootstrap = endpoints }

    /// There is a session to an overlay, or there was one: the back-off begins anew.
    mutating func reset() { attempt = 0 }

    mutating func lookBegan() { looksInProgress += 1 }

    mutating func lookEnded() {
        assert(looksInProgress > 0, "more looks end than begin")
        looksInProgress -= 1
    }

    /// What is to be done when the time for a look has come.
    struct Look {
        var asksBootstrap: Bool
        var looksAround: Bool
    }

    /// The time for a look has come. Plans the next one.
    mutating func begin(contacts: Int, _ nowUs: UInt64, _ context: inout NodeContext) -> Look {
        let k = context.config.k
        // The newcomer for whose sake this is was one of many.
        let isForNewcomer = newcomerUs != nil && contacts > k && !isReunited
        (newcomerUs, isReunited) = (nil, false)
        attempt += 1
        plan(contacts: contacts, nowUs, &context)
        assert(context.timers.isPlanned(.bootstrap), "a look without a next one")
        return Look(
            asksBootstrap: contacts < k,
            looksAround: contacts > 0 && looksInProgress == 0 && !isForNewcomer)
    }

    /// Plans the next look, the sooner the fewer contacts there are.
    mutating func plan(contacts: Int, _ nowUs: UInt64, _ context: inout NodeContext) {
        context.timers.planNoLater(.bootstrap, atUs: nowUs + waitUs(contacts: contacts, &context))
    }

    /// A contact was added. While the table could still hold every node, and when one that was given up is back,
    /// that is a reason to look around soon. More that come put the look off, but not for long.
    mutating func noteAdded(
        contacts: Int, wasEvicted: Bool, _ nowUs: UInt64, _ context: inout NodeContext
    ) {
        guard contacts <= context.config.k || wasEvicted else { return }
        isReunited = isReunited || wasEvicted
        attempt = 0
        let firstUs = newcomerUs ?? nowUs
        let wait = UInt64.random(in: (Self.newcomerUs / 2)...Self.newcomerUs, using: &context.generator)
        let dueUs = min(nowUs + wait, firstUs + Self.newcomersUs)
        assert(firstUs <= nowUs, "a newcomer of the time to come")
        let isFirst = newcomerUs == nil
        newcomerUs = firstUs
        if isFirst { return context.timers.planNoLater(.bootstrap, atUs: dueUs) }
        context.timers.plan(.bootstrap, atUs: dueUs)
    }

    /// The next bucket, of those farther than the nearest contact, that knows of too few nodes to fill it; nil when
    /// all were seen to, and the next look begins with the first.
    mutating func nextPoorBucket(of table: RoutingTable) -> Int? {
        let deepest = table.deepest ?? 0
        while nextBucket < deepest {
            let bucket = table.buckets[nextBucket]
            nextBucket += 1
            if bucket.count + bucket.spares.count < table.k / 2 { return nextBucket - 1 }
        }
        assert(nextBucket <= table.buckets.count, "a bucket past the table")
        nextBucket = 0
        return nil
    }

    private func waitUs(contacts: Int, _ context: inout NodeContext) -> UInt64 {
        if contacts == 0 { return jitteredUs(Self.aloneBaseUs, cap: Self.aloneCapUs, &context) }
        if contacts < context.config.k {
            return jitteredUs(Self.sparseBaseUs, cap: Self.sparseCapUs, &context)
        }
        let refreshUs = context.config.refreshUs
        return refreshUs / 2 + UInt64.random(in: 0...refreshUs, using: &context.generator)
    }

    /// Half to all of base * 2^attempt, at most `cap`.
    private func jitteredUs(_ base: UInt64, cap: UInt64, _ context: inout NodeContext) -> UInt64 {
        let longest = min(cap, base << UInt64(min(attempt, 16)))
        assert(longest > 0 && longest <= cap, "a wait beyond its bound")
        return UInt64.random(in: (longest / 2)...longest, using: &context.generator)
    }
}
