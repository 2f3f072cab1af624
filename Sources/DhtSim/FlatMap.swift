// RO:WHAT  FlatMap: UInt64 to UInt32, open addressing, in two plain arrays.
// RO:WHY   Each frame looks its session up. A Dictionary hashes with SipHash; the keys here need no secret.
// RO:INVARIANTS  linear probing without gaps between a key's home and its place; load <= 3/4.
// RO:TEST  Tests/DhtSimTests/FlatMapTests.swift

/// A map whose keys are mixed, not hashed. `.max` is no value.
struct FlatMap {
    private static let empty = UInt32.max

    private var keys: [UInt64]
    private var values: [UInt32]
    private(set) var count = 0

    init() {
        keys = [UInt64](repeating: 0, count: 64)
        values = [UInt32](repeating: Self.empty, count: 64)
    }

    subscript(key: UInt64) -> UInt32? {
        var slot = home(key)
        while values[slot] != Self.empty {
            if keys[slot] == key { return values[slot] }
            slot = (slot + 1) & (keys.count - 1)
        }
        return nil
    }

    /// Adds a key, or changes its value. `value` is not `.max`.
    mutating func set(_ key: UInt64, _ value: UInt32) {
        if (count + 1) * 4 > keys.count * 3 { grow() }
        var slot = home(key)
        while values[slot] != Self.empty, keys[slot] != key { slot = (slot + 1) & (keys.count - 1) }
        if values[slot] == Self.empty { count += 1 }
        (keys[slot], values[slot]) = (key, value)
    }

    /// Takes a key out, and closes the gap.
    mutating func remove(_ key: UInt64) {
        let mask = keys.count - 1
        var gap = home(key)
        while keys[gap] != key || values[gap] == Self.empty {
            if values[gap] == Self.empty { return }
            gap = (gap + 1) & mask
        }
        var next = (gap + 1) & mask
        while values[next] != Self.empty {
            if (next &- home(keys[next])) & mask >= (next &- gap) & mask {
                (keys[gap], values[gap]) = (keys[next], values[next])
                gap = next
            }
            next = (next + 1) & mask
        }
        values[gap] = Self.empty
        count -= 1
    }

    private func home(_ key: UInt64) -> Int {
        Int(truncatingIfNeeded: Chance.mix(0, key)) & (keys.count - 1)
    }

    private mutating func grow() {
        let (oldKeys, oldValues) = (keys, values)
        keys = [UInt64](repeating: 0, count: oldKeys.count * 2)
        values = [UInt32](repeating: Self.empty, count: oldKeys.count * 2)
        count = 0
        for slot in oldKeys.indices where oldValues[slot] != Self.empty {
            set(oldKeys[slot], oldValues[slot])
        }
    }
}
