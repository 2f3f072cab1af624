// RO:WHAT  RecordStore: key to (seq, end of life, value), within a byte budget.
// RO:WHY   What a node holds for others. A put over the budget is refused with a reason; nothing is evicted
//          silently and nothing grows without bound.
// RO:INVARIANTS  one record a key; memory held <= budget; an expired record is never given out.
// RO:SECURITY  values come from peers; sizes and lives are clamped before they get here.
// RO:TEST  Tests/DhtLoopTests/Store/RecordStoreTests.swift

/// A record as the store gives it out, borrowed until the next mutation.
public struct StoredRecord {
    public var seq: UInt64
    /// End of life, in microseconds of the node's clock.
    public var expiresAtUs: UInt64
    public var value: UnsafeRawBufferPointer
    /// Deleted: the value is empty, and older versions are to be refused.
    public var isTombstone: Bool
}

/// Records by key. All times are microseconds of the node's monotonic clock.
public struct RecordStore: ~Copyable {
    /// Grain of a record's end of life: it lives up to this much longer than asked.
    public static let tickUs: UInt64 = 100_000
    /// Memory of expired records is given back this long after the first of a segment expired, at the latest.
    static let sweepDelayUs: UInt64 = 5_000_000

    /// What became of a put.
    public enum PutOutcome: String, Equatable, Sendable {
        case stored
        /// The same version and bytes were there: their life is as long as asked now, if that is longer.
        case refreshed
        /// A newer version is there, or the same version with greater bytes.
        case stale
        /// The byte budget is used up.
        case full
    }

    private var arena = RecordArena()
    private var index: RecordIndex
    /// For each segment, the tick at which its first record expires.
    private var firstExpiry: [UInt32] = []
    private let budget: Int
    private let epochUs: UInt64

    /// `budgetBytes` bounds the memory held; `secret` keys the hash.
    public init(budgetBytes: Int, secret: UInt64, nowUs: UInt64) {
        budget = budgetBytes
        epochUs = nowUs
        index = RecordIndex(secret: secret)
    }

    /// Records held, those not yet swept included.
    public var count: Int { index.count }
    /// Bytes of records held, heads included.
    public var liveBytes: Int { arena.liveBytes }
    /// Bytes of memory that records and index occupy.
    public var heldBytes: Int { arena.usedBytes + index.byteCount }

    /// The live record under `key`.
    public func find(_ key: Key, nowUs: UInt64) -> StoredRecord? {
        guard let place = place(of: key, hash: index.hash(key)) else { return nil }
        let head = arena.head(index.handle(at: place))
        assert(head.key == key && !head.isErased, "the index leads to another record")
        guard head.expiryTick > tick(nowUs) else { return nil }
        return StoredRecord(
            seq: head.seq, expiresAtUs: time(head.expiryTick), value: head.value,
            isTombstone: head.isTombstone)
    }

    /// Stores a version of a record until `expiresAtUs`. The higher `seq` wins; among equals a tombstone, then
    /// the greater bytes.
    public mutating func put(
        _ key: Key, seq: UInt64, expiresAtUs: UInt64, value: UnsafeRawBufferPointer,
        isTombstone: Bool = false,
        nowUs: UInt64
    ) -> PutOutcome {
        let hash = index.hash(key)
        let expiry = max(tick(expiresAtUs) &+ 1, tick(nowUs) &+ 1)
        let known = place(of: key, hash: hash)
        if let known {
            let head = arena.head(index.handle(at: known))
            if head.expiryTick > tick(nowUs) {
                if head.seq > seq { return .stale }
                if head.seq == seq {
                    let order =
                        isTombstone == head.isTombstone
                        ? Self.compare(value, head.value) : isTombstone ? 1 : -1
                    if order == 0 { return refresh(index.handle(at: known), until: expiry) }
                    if order < 0 { return .stale }
                }
            }
        }
        guard makeRoom(valueCount: value.count, nowUs: nowUs) else { return .full }
        let handle = append(key, seq: seq, expiry: expiry, value: value, isTombstone: isTombstone)
        if let old = place(of: key, hash: hash) {
            let former = index.handle(at: old)
            index.setHandle(handle, at: old)
            discard(former)
        } else {
            index.insert(handle, hash: hash, in: arena)
        }
        assert(arena.liveBytes >= index.count * RecordHead.byteCount, "the index names records that are gone")
        return .stored
    }

    /// Forgets `key`; false when it was not there.
    @discardableResult
    public mutating func remove(_ key: Key) -> Bool {
        guard let place = place(of: key, hash: index.hash(key)) else { return false }
        erase(at: place)
        assert((index.count == 0) == (arena.liveBytes == 0), "the index and the records differ")
        return true
    }

    /// When `sweep` should next be called; nil while nothing is stored.
    public var nextSweepUs: UInt64? {
        guard let first = firstExpiry.min(), first != .max else { return nil }
        return time(first) &+ Self.sweepDelayUs
    }

    /// Gives back the memory of what has expired.
    public mutating func sweep(nowUs: UInt64) {
        let now = tick(nowUs)
        for segment in firstExpiry.indices where firstExpiry[segment] <= now {
            sweepSegment(segment, now)
        }
    }

    /// Calls `body` with the keys of at least `limit` records and returns where to go on, nil after the last:
    /// a walk through the store in small steps, during which it may change. Begin at 0.
    func visitKeys(from position: UInt64, limit: Int, _ body: (Key) -> Void) -> UInt64? {
        index.visit(from: position, limit: limit) { body(arena.head($0).key) }
    }

    /// Calls `body` with the key of each record, in no stated order.
    public func forEachKey(_ body: (Key) -> Void) {
        for segment in arena.segmentSlots {
            var next = arena.first(in: segment)
            while let handle = next {
                let head = arena.head(handle)
                if !head.isErased { body(head.key) }
                next = arena.next(after: handle)
            }
        }
    }
}

// MARK: - Inside

extension RecordStore {
    private func tick(_ timeUs: UInt64) -> UInt32 {
        timeUs <= epochUs ? 0 : UInt32(clamping: (timeUs - epochUs) / Self.tickUs)
    }

    private func time(_ tick: UInt32) -> UInt64 { epochUs &+ UInt64(tick) * Self.tickUs }

    private func place(of key: Key, hash: UInt64) -> RecordIndex.Place? {
        index.find(key, hash: hash, in: arena)
    }

    /// Negative, zero or positive as `a` sorts before, with or after `b`, bytewise; a prefix sorts first.
    private static func compare(_ a: UnsafeRawBufferPointer, _ b: UnsafeRawBufferPointer) -> Int {
        for position in 0..<min(a.count, b.count) where a[position] != b[position] {
            return Int(a[position]) - Int(b[position])
        }
        return a.count - b.count
    }

    private mutating func refresh(_ handle: RecordHandle, until expiry: UInt32) -> PutOutcome {
        let head = arena.head(handle)
        if expiry > head.expiryTick { head.setExpiryTick(expiry) }
        assert(head.expiryTick >= expiry, "a life is cut short by its refresh")
        return .refreshed
    }

    private mutating func append(
        _ key: Key, seq: UInt64, expiry: UInt32, value: UnsafeRawBufferPointer, isTombstone: Bool
    ) -> RecordHandle {
        let handle = arena.append(valueCount: value.count)
        arena.head(handle).write(
            key: key, seq: seq, expiryTick: expiry, value: value, isTombstone: isTombstone)
        note(expiry, in: arena.currentSegment)
        return handle
    }

    private mutating func note(_ expiry: UInt32, in segment: Int) {
        while firstExpiry.count <= segment { firstExpiry.append(.max) }
        firstExpiry[segment] = min(firstExpiry[segment], expiry)
        assert(firstExpiry[segment] <= expiry, "a record that is never swept")
    }

    private mutating func erase(at place: RecordIndex.Place) {
        let handle = index.handle(at: place)
        index.remove(at: place, in: arena)
        discard(handle)
    }

    /// Erases a record that the index no longer names, and squeezes its segment once half of it is erased.
    private mutating func discard(_ handle: RecordHandle) {
        let segment = arena.segment(of: handle)
        arena.erase(handle)
        tidy(segment)
    }

    private mutating func tidy(_ segment: Int) {
        if segment != arena.currentSegment, arena.deadBytes(segment) * 2 >= RecordArena.segmentBytes {
            moveRecords(outOf: segment)
        }
        arena.reclaim(segment)
    }

    /// Room for one more record within the budget, after a sweep if need be.
    private mutating func makeRoom(valueCount: Int, nowUs: UInt64) -> Bool {
        if fits(valueCount) { return true }
        sweep(nowUs: nowUs)
        return fits(valueCount)
    }

    private func fits(_ valueCount: Int) -> Bool {
        guard arena.needsSegment(valueCount: valueCount) else { return true }
        return arena.allocatedBytes + RecordArena.segmentBytes + index.byteCount <= budget
    }

    private mutating func sweepSegment(_ segment: Int, _ now: UInt32) {
        var first = UInt32.max
        var next = arena.first(in: segment)
        while let handle = next {
            next = arena.next(after: handle)
            let head = arena.head(handle)
            guard !head.isErased else { continue }
            if head.expiryTick > now {
                first = min(first, head.expiryTick)
            } else if let place = place(of: head.key, hash: index.hash(head.key)) {
                index.remove(at: place, in: arena)
                arena.erase(handle)
            }
        }
        firstExpiry[segment] = first
        assert(first > now, "an expired record outlives its sweep")
        tidy(segment)
    }

    private mutating func moveRecords(outOf segment: Int) {
        var next = arena.first(in: segment)
        while let handle = next {
            next = arena.next(after: handle)
            let head = arena.head(handle)
            guard !head.isErased, let place = place(of: head.key, hash: index.hash(head.key)) else {
                continue
            }
            let moved = append(
                head.key, seq: head.seq, expiry: head.expiryTick, value: head.value,
                isTombstone: head.isTombstone)
            index.setHandle(moved, at: place)
            arena.erase(handle)
        }
        firstExpiry[segment] = .max
        assert(
            arena.deadBytes(segment) > 0 && segment != arena.currentSegment, "a segment is squeezed in vain")
    }
}
