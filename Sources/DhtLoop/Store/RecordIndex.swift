// RO:WHAT  RecordIndex: key hash to record handle, five bytes a slot.
// RO:WHY   A Dictionary of keys would store every key twice. The tag saves most look-ups of a wrong record.
// RO:INVARIANTS  linear probing without gaps between a record's home slot and its place; load <= 3/4.
// RO:SECURITY  keys are chosen by peers: the hash is keyed with a random secret.
// RO:TEST  Tests/DhtLoopTests/Store/RecordStoreTests.swift

/// An open-addressing table of handles. It stores no keys: it compares against the records.
struct RecordIndex {
    private static let empty = UInt32.max

    private var handles: [UInt32] = []
    private var tags: [UInt8] = []
    private let secret0: UInt64
    private let secret1: UInt64
    private(set) var count = 0

    init(secret: UInt64) {
        var generator = SeededGenerator(seed: secret)
        secret0 = generator.next() | 1
        secret1 = generator.next() | 1
    }

    /// Bytes of memory held.
    var byteCount: Int { handles.capacity * 4 + tags.capacity }

    /// Where to start looking for `key`.
    func hash(_ key: Key) -> UInt64 {
        let a = (key.w0 ^ secret0).multipliedFullWidth(by: key.w1 ^ secret1)
        let b = (key.w2 ^ secret1).multipliedFullWidth(by: key.w3 ^ secret0)
        let mixed = (a.high ^ a.low &+ b.high ^ b.low ^ key.w0 &+ key.w3).multipliedFullWidth(by: secret0)
        return mixed.high ^ mixed.low
    }

    /// The slot that holds `key`, whose hash is `hash`.
    @inline(__always)
    func find(_ key: Key, hash: UInt64, in arena: borrowing RecordArena) -> Int? {
        guard count > 0 else { return nil }
        let mask = handles.count - 1
        let tag = Self.tag(hash)
        var slot = Int(truncatingIfNeeded: hash) & mask
        while handles[slot] != Self.empty {
            if tags[slot] == tag, arena.head(handle(at: slot)).key == key { return slot }
            slot = (slot + 1) & mask
        }
        return nil
    }

    func handle(at slot: Int) -> RecordHandle { RecordHandle(rawValue: handles[slot]) }

    mutating func setHandle(_ handle: RecordHandle, at slot: Int) { handles[slot] = handle.rawValue }

    /// Adds a record that is not in the table.
    mutating func insert(_ handle: RecordHandle, hash: UInt64, in arena: borrowing RecordArena) {
        if (count + 1) * 4 > handles.count * 3 { grow(arena) }
        place(handle.rawValue, hash)
        count += 1
    }

    /// Takes out what `slot` holds, and closes the gap.
    mutating func remove(at slot: Int, in arena: borrowing RecordArena) {
        let mask = handles.count - 1
        var gap = slot
        var next = (slot + 1) & mask
        while handles[next] != Self.empty {
            let home = Int(truncatingIfNeeded: hash(arena.head(handle(at: next)).key)) & mask
            if (next &- home) & mask >= (next &- gap) & mask {
                handles[gap] = handles[next]
                tags[gap] = tags[next]
                gap = next
            }
            next = (next + 1) & mask
        }
        handles[gap] = Self.empty
        count -= 1
    }

    private static func tag(_ hash: UInt64) -> UInt8 { UInt8(truncatingIfNeeded: hash >> 56) }

    private mutating func place(_ handle: UInt32, _ hash: UInt64) {
        let mask = handles.count - 1
        var slot = Int(truncatingIfNeeded: hash) & mask
        while handles[slot] != Self.empty { slot = (slot + 1) & mask }
        handles[slot] = handle
        tags[slot] = Self.tag(hash)
    }

    private mutating func grow(_ arena: borrowing RecordArena) {
        let old = handles
        let slots = max(16, old.count * 2)
        handles = [UInt32](repeating: Self.empty, count: slots)
        tags = [UInt8](repeating: 0, count: slots)
        for handle in old where handle != Self.empty {
            place(handle, hash(arena.head(RecordHandle(rawValue: handle)).key))
        }
    }
}
