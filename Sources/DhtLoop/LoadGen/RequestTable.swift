// RO:WHAT  RequestTable: the requests of a load generator that wait for their answer.
// RO:WHY   A slab: the RPC id names slot and generation, so an answer finds its request without hashing and
//          a late one finds nobody.
// RO:INVARIANTS  an id that was finished or expired never matches again within 2^31 uses of its slot.
// RO:TEST  Tests/DhtLoopTests/LoadGen/RequestTableTests.swift

/// A request on its way.
struct LoadRequest: Equatable {
    var op: LoadOp
    /// When it was meant to be sent, on the clock of `LoadClock`.
    var intendedNs: UInt64
}

/// Requests by RPC id.
struct RequestTable: ~Copyable {
    private struct Slot {
        var request = LoadRequest(op: .ping, intendedNs: 0)
        /// The upper half of the id. Its top bit is always set: ids are as long on the wire as random ones.
        var generation: UInt32 = topBit
        var isUsed = false
    }

    private static let topBit: UInt32 = 1 << 31

    private var slots: [Slot] = []
    private var free: [UInt32] = []
    private let limit: Int
    private(set) var count = 0

    /// `limit` is the requests at a time.
    init(limit: Int) {
        self.limit = limit
        slots.reserveCapacity(min(limit, 1024))
    }

    /// Notes a request and names it; nil when `limit` of them wait.
    @inline(__always)
    mutating func add(_ request: LoadRequest) -> UInt64? {
        guard count < limit else { return nil }
        let slot = free.popLast() ?? grow()
        slots[Int(slot)].request = request
        slots[Int(slot)].isUsed = true
        count += 1
        return UInt64(slots[Int(slot)].generation) << 32 | UInt64(slot)
    }

    /// The request named `rpc`, which stays; nil when there is none.
    @inline(__always)
    func peek(_ rpc: UInt64) -> LoadRequest? {
        let slot = Int(truncatingIfNeeded: rpc & 0xFFFF_FFFF)
        guard slot < slots.count, slots[slot].isUsed, UInt64(slots[slot].generation) == rpc >> 32 else {
            return nil
        }
        return slots[slot].request
    }

    /// Takes the request named `rpc` out; nil when there is none.
    @inline(__always)
    mutating func finish(_ rpc: UInt64) -> LoadRequest? {
        guard let request = peek(rpc) else { return nil }
        release(Int(truncatingIfNeeded: rpc & 0xFFFF_FFFF))
        return request
    }

    /// Takes out all that were meant to be sent before `ns`; returns how many.
    mutating func expire(intendedBefore ns: UInt64) -> UInt64 {
        var expired: UInt64 = 0
        for slot in slots.indices where slots[slot].isUsed && slots[slot].request.intendedNs < ns {
            release(slot)
            expired += 1
        }
        return expired
    }

    private mutating func release(_ slot: Int) {
        slots[slot].isUsed = false
        slots[slot].generation = (slots[slot].generation &+ 1) | Self.topBit
        free.append(UInt32(slot))
        count -= 1
    }

    private mutating func grow() -> UInt32 {
        slots.append(Slot())
        return UInt32(slots.count - 1)
    }
}
