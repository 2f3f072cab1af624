// RO:WHAT  RecordIndex: key hash to record handle, in buckets of one cache line each.
// RO:WHY   A Dictionary of keys would store every key twice. Here a look-up touches one line of the index and
//          then the record: twelve one-byte tags say which handles are worth following.
// RO:INVARIANTS  an entry lies in its home bucket or, when that was full, in the first later one with room;
//                every bucket passed on the way counts it in `overflow`; load <= 7/8.
// RO:SECURITY  keys are chosen by peers: the hash is keyed with a random secret.
// RO:TEST  Tests/DhtLoopTests/Store/RecordStoreTests.swift

/// A hash table of handles. It stores no keys: it compares against the records.
struct RecordIndex: ~Copyable {
    /// One bucket: tags (0 for a free slot), a count of entries that passed by, handles. 64 bytes.
    private enum Bucket {
        static let byteCount = 64
        static let slots = 12
        static let overflowOffset = 12
        static let handlesOffset = 16
    }

    /// Where an entry is. Valid until the index changes.
    struct Place {
        fileprivate var bucket: Int
        fileprivate var slot: Int
    }

    private var memory: UnsafeMutableRawPointer
    private var bucketCount = 0
    private let secret0: UInt64
    private let secret1: UInt64
    private(set) var count = 0

    init(secret: UInt64) {
        var generator = SeededGenerator(seed: secret)
        secret0 = generator.next() | 1
        secret1 = generator.next() | 1
        memory = .allocate(byteCount: 1, alignment: 1)
    }

    deinit { memory.deallocate() }

    /// Bytes of memory held.
    var byteCount: Int { bucketCount * Bucket.byteCount }

    /// The keyed hash of a key: its high half picks the bucket, its low byte is the tag.
    @inline(__always)
    func hash(_ key: Key) -> UInt64 {
        let a = (key.w0 ^ secret0).multipliedFullWidth(by: key.w1 ^ secret1)
        let b = (key.w2 ^ secret1).multipliedFullWidth(by: key.w3 ^ secret0)
        let mixed = (a.high ^ a.low &+ b.high ^ b.low ^ key.w0 &+ key.w3).multipliedFullWidth(by: secret0)
        return mixed.high ^ mixed.low
    }

    /// Where `key` is, whose hash is `hash`.
    @inline(__always)
    func find(_ key: Key, hash: UInt64, in arena: borrowing RecordArena) -> Place? {
        guard count > 0 else { return nil }
        let tag = Self.tag(hash)
        var bucket = home(hash)
        while true {
            let line = line(bucket)
            for slot in 0..<Bucket.slots where line.load(fromByteOffset: slot, as: UInt8.self) == tag {
                if arena.head(handle(line, slot)).key == key { return Place(bucket: bucket, slot: slot) }
            }
            if overflow(line) == 0 { return nil }
            bucket = next(bucket)
        }
    }

    func handle(at place: Place) -> RecordHandle { handle(line(place.bucket), place.slot) }

    mutating func setHandle(_ handle: RecordHandle, at place: Place) {
        store(handle, line(place.bucket), place.slot)
    }

    /// Adds a record that is not in the table.
    mutating func insert(_ handle: RecordHandle, hash: UInt64, in arena: borrowing RecordArena) {
        if (count + 1) * 8 > bucketCount * Bucket.slots * 7 { grow(arena) }
        assert(find(arena.head(handle).key, hash: hash, in: arena) == nil, "a record is in the table twice")
        put(handle, hash)
        count += 1
        assert(count * 8 <= bucketCount * Bucket.slots * 7, "the table is loaded beyond its bound")
    }

    /// Takes out what is at `place`.
    mutating func remove(at place: Place, in arena: borrowing RecordArena) {
        var bucket = home(hash(arena.head(handle(at: place)).key))
        while bucket != place.bucket {
            assert(overflow(line(bucket)) > 0, "an entry passed a bucket that did not count it")
            setOverflow(line(bucket), overflow(line(bucket)) - 1)
            bucket = next(bucket)
        }
        line(place.bucket).storeBytes(of: 0, toByteOffset: place.slot, as: UInt8.self)
        count -= 1
        assert(count >= 0, "more entries are taken out than were put in")
    }

    /// Calls `body` with the handles of at least `limit` entries, in the order of their homes, and returns where
    /// to go on; nil after the last. `position` is a share of the table, 0 at first, so that it stays good when
    /// the table grows meanwhile; an entry that moved with it may be met twice or not at all.
    func visit(from position: UInt64, limit: Int, _ body: (RecordHandle) -> Void) -> UInt64? {
        var (bucket, visited) = (home(position), 0)
        while bucket < bucketCount {
            let line = line(bucket)
            for slot in 0..<Bucket.slots where line.load(fromByteOffset: slot, as: UInt8.self) != 0 {
                body(handle(line, slot))
                visited += 1
            }
            bucket += 1
            if visited >= limit, bucket < bucketCount { return start(of: bucket) }
        }
        return nil
    }

    /// The smallest hash whose home is `bucket`, 0..<bucketCount.
    private func start(of bucket: Int) -> UInt64 {
        let (quotient, remainder) = UInt64(bucketCount).dividingFullWidth((UInt64(bucket), 0))
        return remainder == 0 ? quotient : quotient + 1
    }

    // MARK: - Buckets

    @inline(__always)
    private static func tag(_ hash: UInt64) -> UInt8 { max(1, UInt8(truncatingIfNeeded: hash)) }

    /// The hash's high bits scaled to the number of buckets, which need not be a power of two (Lemire, 2016).
    @inline(__always)
    private func home(_ hash: UInt64) -> Int { Int(hash.multipliedFullWidth(by: UInt64(bucketCount)).high) }

    @inline(__always)
    private func next(_ bucket: Int) -> Int { bucket + 1 == bucketCount ? 0 : bucket + 1 }

    @inline(__always)
    private func line(_ bucket: Int) -> UnsafeMutableRawPointer { memory + bucket * Bucket.byteCount }

    @inline(__always)
    private func overflow(_ line: UnsafeMutableRawPointer) -> UInt32 {
        line.load(fromByteOffset: Bucket.overflowOffset, as: UInt32.self)
    }

    private func setOverflow(_ line: UnsafeMutableRawPointer, _ value: UInt32) {
        line.storeBytes(of: value, toByteOffset: Bucket.overflowOffset, as: UInt32.self)
    }

    @inline(__always)
    private func handle(_ line: UnsafeMutableRawPointer, _ slot: Int) -> RecordHandle {
        RecordHandle(rawValue: line.load(fromByteOffset: Bucket.handlesOffset + 4 * slot, as: UInt32.self))
    }

    private func store(_ handle: RecordHandle, _ line: UnsafeMutableRawPointer, _ slot: Int) {
        line.storeBytes(of: handle.rawValue, toByteOffset: Bucket.handlesOffset + 4 * slot, as: UInt32.self)
    }

    private func put(_ handle: RecordHandle, _ hash: UInt64) {
        var bucket = home(hash)
        while true {
            let line = line(bucket)
            for slot in 0..<Bucket.slots where line.load(fromByteOffset: slot, as: UInt8.self) == 0 {
                line.storeBytes(of: Self.tag(hash), toByteOffset: slot, as: UInt8.self)
                return store(handle, line, slot)
            }
            setOverflow(line, overflow(line) + 1)
            bucket = next(bucket)
        }
    }

    /// Half as many buckets again: the memory stays near the need.
    private mutating func grow(_ arena: borrowing RecordArena) {
        let (old, oldCount) = (memory, bucketCount)
        bucketCount = max(2, oldCount + (oldCount + 1) / 2)
        assert(bucketCount > oldCount, "a table grows by nothing")
        let bytes = bucketCount * Bucket.byteCount
        memory = .allocate(byteCount: bytes, alignment: Bucket.byteCount)
        memory.initializeMemory(as: UInt8.self, repeating: 0, count: bytes)
        for bucket in 0..<oldCount {
            let line = old + bucket * Bucket.byteCount
            for slot in 0..<Bucket.slots where line.load(fromByteOffset: slot, as: UInt8.self) != 0 {
                let handle = handle(line, slot)
                put(handle, hash(arena.head(handle).key))
            }
        }
        old.deallocate()
    }
}
