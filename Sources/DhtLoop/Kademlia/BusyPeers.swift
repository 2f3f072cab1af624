// RO:WHAT  BusyPeers: who asked to be left alone, and until when.
// RO:WHY   A peer that says Busy is alive and over its limit: asking again at once costs both, and counts as flooding.
// RO:INVARIANTS  at most `capacity` peers are remembered.
// RO:TEST  Tests/DhtLoopTests/Kademlia/BusyTests.swift

/// Peers that are not to be asked for a while.
struct BusyPeers {
    static let capacity = 1024

    private var untilUs: [NodeID: UInt64] = [:]

    /// When `id` may be asked again; nil when it may be now.
    @inline(__always)
    mutating func until(_ id: NodeID, _ nowUs: UInt64) -> UInt64? {
        untilUs.isEmpty ? nil : find(id, nowUs)
    }

    private mutating func find(_ id: NodeID, _ nowUs: UInt64) -> UInt64? {
        guard let until = untilUs[id] else { return nil }
        if until > nowUs { return until }
        untilUs[id] = nil
        return nil
    }

    /// Leaves `id` alone until `until`. With no room the peer is not remembered, and tells us again.
    mutating func note(_ id: NodeID, until: UInt64, _ nowUs: UInt64) {
        if untilUs.count >= Self.capacity, untilUs[id] == nil { untilUs = untilUs.filter { $0.value > nowUs } }
        guard untilUs.count < Self.capacity || untilUs[id] != nil else { return }
        untilUs[id] = until
    }
}

/// A peer that a call would ask, and may not yet.
struct BusyPeer {
    var id: NodeID
    var untilUs: UInt64
}
