// RO:WHAT  IdTable: node id to the slot of the session that holds it.
// RO:WHY   One look-up a forwarded frame: a multiply hash and, nearly always, one cache line.
// RO:INVARIANTS  open addressing with linear probing, at most half full; removal closes gaps, so no tombstones.
// RO:SECURITY  ids are chosen by peers: the hash is keyed, so that nobody can aim for one bucket.
// RO:TEST  Tests/DhtLoopTests/Overlay/IdTableTests.swift

/// A hash table that allocates only when it grows.
struct IdTable: ~Copyable {
    private struct Entry {
        var id = NodeID.zero
        /// `.max` in an empty entry.
        var slot = UInt32.max
    }

    private static let initialCapacity = 64

    private let key: NodeID
    private var entries: UnsafeMutablePointer<Entry>
    /// Capacity less one; the capacity is a power of two.
    private var mask: Int
    private(set) var count = 0

    /// `key` is secret and random.
    init(key: NodeID) {
        self.key = key
        mask = Self.initialCapacity - 1
        entries = .allocate(capacity: Self.initialCapacity)
        entries.initialize(repeating: Entry(), count: Self.initialCapacity)
    }

    deinit { entries.deallocate() }

    /// The slot that holds `id`.
    @inline(__always)
    func find(_ id: NodeID) -> UInt32? {
        let entry = entries[place(of: id)]
        return entry.slot == .max ? nil : entry.slot
    }

    /// Adds `id`, which is not in the table; `slot` is not `.max`.
    mutating func insert(_ id: NodeID, slot: UInt32) {
        if (count + 1) * 2 > mask + 1 { grow() }
        entries[place(of: id)] = Entry(id: id, slot: slot)
        count += 1
    }

    /// Removes `id` if it is there.
    mutating func remove(_ id: NodeID) {
        var gap = place(of: id)
        guard entries[gap].slot != .max else { return }
        var next = (gap + 1) & mask
        while entries[next].slot != .max {
            // An entry may move to the gap unless its home lies behind the gap.
            let home = home(of: entries[next].id)
            if (next - home) & mask >= (next - gap) & mask {
                entries[gap] = entries[next]
                gap = next
            }
            next = (next + 1) & mask
        }
        entries[gap] = Entry()
        count -= 1
    }

    /// Where `id` is, or where it would be put.
    @inline(__always)
    private func place(of id: NodeID) -> Int {
        var place = home(of: id)
        while entries[place].slot != .max, entries[place].id != id { place = (place + 1) & mask }
        return place
    }

    @inline(__always)
    private func home(of id: NodeID) -> Int {
        let first = (id.w0 ^ key.w0).multipliedFullWidth(by: id.w1 ^ key.w1)
        let second = (id.w2 ^ key.w2).multipliedFullWidth(by: id.w3 ^ key.w3)
        let folded = first.high ^ first.low ^ second.high ^ second.low
        return Int(truncatingIfNeeded: folded) & mask
    }

    private mutating func grow() {
        let (old, oldCapacity) = (entries, mask + 1)
        mask = oldCapacity * 2 - 1
        entries = .allocate(capacity: oldCapacity * 2)
        entries.initialize(repeating: Entry(), count: oldCapacity * 2)
        for index in 0..<oldCapacity where old[index].slot != .max {
            entries[place(of: old[index].id)] = old[index]
        }
        old.deallocate()
    }
}
