// RO:WHAT  BusyPeers: who asked to be left alone, and until when.
// RO:WHY   A peer that says Busy is alive and over its limit: asking again at once costs both, and counts as flooding.
// RO:INVARIANTS  at most `capacity` peers are remembered.
// RO:TEST  Tests/DhtLoopTests/Kademlia/BusyTests.swift

/// Peers that are not to be asked for a while.
struct BusyPeers {
    static let capacity = 1024

    private struct Entry {
        var saidUs: UInt64
        var untilUs: UInt64
        var waitUs: UInt64
        /// Calls that wait for it.
        var turns: UInt64 = 0
    }

    private var entries: [NodeID: Entry] = [:]

    /// Whether `id` is to be left alone.
    func holds(_ id: NodeID, _ nowUs: UInt64) -> Bool { !entries.isEmpty && find(id, nowUs) != nil }

    /// Until when `id` is to be left alone; nil when it may be asked.
    func until(_ id: NodeID, _ nowUs: UInt64) -> UInt64? {
        entries.isEmpty ? nil : find(id, nowUs)?.untilUs
    }

    /// Whether `id` said Busy since then: what it was asked before may have been dropped without a word.
    func said(_ id: NodeID, since timeUs: UInt64) -> Bool { entries[id].map { $0.saidUs >= timeUs } ?? false }

    /// When one more call may ask `id`: those that wait take turns, one in each of the waits that it asked for,
    /// which is what it has room for. Nil when it may be asked now.
    mutating func takeTurn(_ id: NodeID, _ nowUs: UInt64) -> UInt64? {
        guard !entries.isEmpty, let entry = find(id, nowUs) else { return nil }
        entries[id]?.turns += 1
        return entry.untilUs + entry.turns * entry.waitUs
    }

    private func find(_ id: NodeID, _ nowUs: UInt64) -> Entry? {
        guard let entry = entries[id], entry.untilUs > nowUs else { return nil }
        return entry
    }

    /// Leaves `id` alone for `waitUs`. With no room the peer is not remembered, and tells us again.
    mutating func note(_ id: NodeID, waitUs: UInt64, _ nowUs: UInt64) {
        let isKnown = entries[id] != nil
        if entries.count >= Self.capacity, !isKnown { entries = entries.filter { $0.value.untilUs > nowUs } }
        guard entries.count < Self.capacity || isKnown else { return }
        let turns = find(id, nowUs)?.turns ?? 0
        entries[id] = Entry(saidUs: nowUs, untilUs: nowUs + waitUs, waitUs: waitUs, turns: turns)
        assert(entries.count <= Self.capacity, "more busy peers than may be remembered")
    }
}

/// A peer that a call would ask, and may not yet.
struct BusyPeer {
    var id: NodeID
    var untilUs: UInt64
}
