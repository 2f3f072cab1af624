// RO:WHAT  Recursions: requests that this node asks on behalf of others, whose answers it hands back.
// RO:WHY   Who is asked first in a lookup often has a session open to who should be asked next; the asker would pay a
//          round trip to open one.
// RO:INVARIANTS  bounded; each entry belongs to one pending request, and is freed with it.
// RO:TEST  Tests/DhtLoopTests/Kademlia/RecursionTests.swift

/// On whose behalf a request was sent.
struct Recursion {
    /// The node that asked, and the id of its request.
    var asker: NodeID
    var rpc: UInt64
    /// The way back.
    var link: Link
    var op: RpcOp
    /// What it looks for.
    var target: NodeID
}

/// Recursions in progress, by slot.
struct RecursionTable {
    /// No more at a time: a flood of requests to be passed on is answered, and not passed on.
    static let limit = 256

    private var slots: [Recursion?] = []
    private var free: [UInt16] = []

    /// Those in progress.
    var count: Int { slots.count - free.count }

    var hasRoom: Bool { count < Self.limit }

    subscript(slot: UInt16) -> Recursion? { Int(slot) < slots.count ? slots[Int(slot)] : nil }

    /// Takes one in; nil when there are too many.
    mutating func open(_ recursion: Recursion) -> UInt16? {
        if let slot = free.popLast() {
            slots[Int(slot)] = recursion
            return slot
        }
        guard slots.count < Self.limit else { return nil }
        slots.append(recursion)
        return UInt16(slots.count - 1)
    }

    mutating func close(_ slot: UInt16) {
        guard self[slot] != nil else { return }
        slots[Int(slot)] = nil
        free.append(slot)
    }
}
