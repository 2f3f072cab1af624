// RO:WHAT  FlatMap: UInt64 to UInt32, open addressing, key and value side by side.
// RO:WHY   Each frame looks its session up. A Dictionary hashes with SipHash; the keys here need no secret.
// RO:INVARIANTS  linear probing without gaps between a key's home and its place; load <= 3/4.
// RO:TEST  Tests/DhtSimTests/MachineryTests.swift

/// A map whose keys are mixed, not hashed. `.max` is no value.
struct FlatMap {
    private struct Entry {
        var key: UInt64 = 0
        var value = UInt32.max

        var isEmpty: Bool { value == .max }
    }

    private var entries = [Entry](repeating: Entry(), count: 64)
    private(set) var count = 0

    subscript(key: UInt64) -> UInt32? {
        var slot = home(key)
        while !entries[slot].isEmpty {
            if entries[slot].key == key { return entries[slot].value }
            slot = (slot + 1) & (entries.count - 1)
        }
        return nil
    }

    /// Adds a key, or changes its value. `value` is not `.max`.
    mutating func set(_ key: UInt64, _ value: UInt32) {
        if (count + 1) * 4 > entries.count * 3 { grow() }
        var slot = home(key)
        while !entries[slot].isEmpty, entries[slot].key != key { slot = (slot + 1) & (entries.count - 1) }
        if entries[slot].isEmpty { count += 1 }
        entries[slot] = Entry(key: key, value: value)
    }

    /// Takes a key out, and closes the gap.
    mutating func remove(_ key: UInt64) {
        let mask = entries.count - 1
        var gap = home(key)
        while entries[gap].isEmpty || entries[gap].key != key {
            if entries[gap].isEmpty { return }
            gap = (gap + 1) & mask
        }
        var next = (gap + 1) & mask
        while !entries[next].isEmpty {
            if (next &- home(entries[next].key)) & mask >= (next &- gap) & mask {
                entries[gap] = entries[next]
                gap = next
            }
            next = (next + 1) & mask
        }
        entries[gap] = Entry()
        count -= 1
    }

    private func home(_ key: UInt64) -> Int {
        Int(truncatingIfNeeded: Chance.mix(0, key)) & (entries.count - 1)
    }

    private mutating func grow() {
        let old = entries
        entries = [Entry](repeating: Entry(), count: old.count * 2)
        count = 0
        for entry in old where !entry.isEmpty { set(entry.key, entry.value) }
    }
}
