// RO:WHAT  EndpointSlots: the slot of each endpoint that a plan holds.
// RO:WHY   Each frame that is sent looks its session up. A Dictionary hashes with SipHash, and an array by the
//          endpoint's number would be as long as the network is large, for each of the simulator's nodes.
// RO:INVARIANTS  linear probing without gaps between a key's home and its place; load <= 1/2.
// RO:TEST  Tests/DhtLoopTests/Session/EndpointSlotsTests.swift

/// A small map from endpoints, but `.none`, to slots.
struct EndpointSlots {
    private struct Entry {
        var key: UInt32 = 0
        var slot: UInt32 = 0
    }

    private var entries: [Entry]
    private var mask: Int
    private(set) var count = 0

    init() {
        entries = [Entry](repeating: Entry(), count: 16)
        mask = 15
    }

    /// The slot of `endpoint`; nil for one that has none.
    @inline(__always)
    func find(_ endpoint: EndpointID) -> Int? {
        guard endpoint != .none else { return nil }
        var place = home(endpoint.rawValue)
        while entries[place].key != endpoint.rawValue {
            if entries[place].key == 0 { return nil }
            place = (place + 1) & mask
        }
        return Int(entries[place].slot)
    }

    /// Adds an endpoint that has no slot yet.
    mutating func insert(_ endpoint: EndpointID, slot: Int) {
        assert(endpoint != .none && find(endpoint) == nil)
        if 2 * (count + 1) > entries.count { grow() }
        place(Entry(key: endpoint.rawValue, slot: UInt32(slot)))
        count += 1
    }

    /// Takes an endpoint out that has a slot, and closes the gap.
    mutating func remove(_ endpoint: EndpointID) {
        assert(find(endpoint) != nil)
        var gap = home(endpoint.rawValue)
        while entries[gap].key != endpoint.rawValue { gap = (gap + 1) & mask }
        var next = (gap + 1) & mask
        while entries[next].key != 0 {
            if (next - home(entries[next].key)) & mask >= (next - gap) & mask {
                entries[gap] = entries[next]
                gap = next
            }
            next = (next + 1) & mask
        }
        entries[gap] = Entry()
        count -= 1
    }

    /// Numbers are given out in a row; times an odd one, whose bits are mixed, their upper bits spread.
    @inline(__always)
    private func home(_ key: UInt32) -> Int { Int((key &* 0x9E37_79B9) >> 12) & mask }

    private mutating func place(_ entry: Entry) {
        var place = home(entry.key)
        while entries[place].key != 0 { place = (place + 1) & mask }
        entries[place] = entry
    }

    private mutating func grow() {
        let old = entries
        entries = [Entry](repeating: Entry(), count: 2 * old.count)
        mask = entries.count - 1
        for entry in old where entry.key != 0 { place(entry) }
    }
}
