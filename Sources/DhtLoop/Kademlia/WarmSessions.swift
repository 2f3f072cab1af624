// RO:WHAT  WarmSessions: to which overlays sessions are kept open, chosen anew now and then.
// RO:WHY   A lookup's first requests go to the fastest contacts of a bucket; a session that is open spares them a
//          round trip.
// RO:TEST  Tests/DhtLoopTests/Kademlia/TendingTests.swift

/// The choice of sessions to keep open.
struct WarmSessions {
    /// Time after which the sessions are chosen anew; and at first, while the table fills. It doubles from the one to
    /// the other.
    private static let pauseUs: UInt64 = 60_000_000
    private static let firstPauseUs: UInt64 = 4_000_000

    private var nextUs: UInt64 = 0
    private var pauseUs = Self.firstPauseUs

    /// Names the sessions to keep open, when that is due: in each bucket to those that answer soonest.
    mutating func choose(from table: RoutingTable, _ nowUs: UInt64, _ context: inout NodeContext) {
        guard context.config.warmPerBucket > 0, nowUs >= nextUs else { return }
        nextUs = nowUs + pauseUs
        pauseUs = min(2 * pauseUs, Self.pauseUs)
        assert(pauseUs >= Self.firstPauseUs && pauseUs <= Self.pauseUs, "a pause out of its bounds")
        context.outbox.warm(table.soonest(perBucket: context.config.warmPerBucket))
    }
}
