// RO:WHAT  RecordArena: records laid end to end in large segments, named by a 32-bit handle.
// RO:WHY   A malloc and a timer for each record cost more than a small value; here a record is 48 bytes plus
//          its value, and expiry is a walk over a segment now and then.
// RO:INVARIANTS  a segment's bytes [0, used) are whole records; `live` counts those not erased.
// RO:TEST  Tests/DhtLoopTests/Store/RecordStoreTests.swift

/// Names a record: its offset in 4-byte units over all segments. Valid until the record is erased or moved.
struct RecordHandle: Equatable {
    var rawValue: UInt32
}

/// The head of a record in the arena. Its value follows it.
struct RecordHead {
    static let byteCount = 48
    private static let erasedBit: UInt32 = 1 << 31
    private static let tombstoneBit: UInt32 = 1 << 30

    let base: UnsafeMutableRawPointer

    var key: Key { Key(loading: base) }
    var seq: UInt64 { base.loadUnaligned(fromByteOffset: 32, as: UInt64.self) }
    /// End of life in ticks of `RecordStore.tickUs`.
    var expiryTick: UInt32 { base.loadUnaligned(fromByteOffset: 40, as: UInt32.self) }
    private var lengthWord: UInt32 { base.loadUnaligned(fromByteOffset: 44, as: UInt32.self) }
    var valueCount: Int { Int(lengthWord & ~(Self.erasedBit | Self.tombstoneBit)) }
    /// The record was deleted, and says so to who holds an older version.
    var isTombstone: Bool { lengthWord & Self.tombstoneBit != 0 }
    var isErased: Bool { lengthWord & Self.erasedBit != 0 }
    var value: UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(start: base + Self.byteCount, count: valueCount)
    }
    /// Head, value and padding to 4 bytes.
    var footprint: Int { Self.footprint(valueCount: valueCount) }

    static func footprint(valueCount: Int) -> Int { (byteCount + valueCount + 3) & ~3 }

    func write(
        key: Key, seq: UInt64, expiryTick: UInt32, value: UnsafeRawBufferPointer, isTombstone: Bool
    ) {
        key.store(to: base)
        base.storeBytes(of: seq, toByteOffset: 32, as: UInt64.self)
        base.storeBytes(of: expiryTick, toByteOffset: 40, as: UInt32.self)
        let mark = isTombstone ? Self.tombstoneBit : 0
        base.storeBytes(of: UInt32(value.count) | mark, toByteOffset: 44, as: UInt32.self)
        if let source = value.baseAddress {
            (base + Self.byteCount).copyMemory(from: source, byteCount: value.count)
        }
    }

    func setExpiryTick(_ tick: UInt32) { base.storeBytes(of: tick, toByteOffset: 40, as: UInt32.self) }

    func markErased() {
        base.storeBytes(of: lengthWord | Self.erasedBit, toByteOffset: 44, as: UInt32.self)
    }
}

/// Segments of records, appended to at the end.
struct RecordArena: ~Copyable {
    /// Bytes of a segment: the largest record fits, and a walk over one takes well under a millisecond.
    static let segmentBytes = 1 << 20

    private struct Segment {
        var base: UnsafeMutableRawPointer?
        var used = 0
        var live = 0
    }

    private var segments: [Segment] = []
    private var current = -1
    private var freeSlots: [Int] = []
    /// Bytes of records not erased.
    private(set) var liveBytes = 0
    /// Segments allocated.
    private(set) var segmentCount = 0

    init() {
        precondition(
            RecordHead.footprint(valueCount: Limits.valueBytes) <= Self.segmentBytes,
            "a record must fit a segment")
    }

    deinit { for segment in segments { segment.base?.deallocate() } }

    /// Bytes of memory held, used or not.
    var allocatedBytes: Int { segmentCount * Self.segmentBytes }
    /// Bytes of memory touched so far.
    var usedBytes: Int { segments.reduce(0) { $0 + $1.used } }
    /// Positions of segments, allocated ones or not.
    var segmentSlots: Range<Int> { segments.indices }
    /// The segment being appended to.
    var currentSegment: Int { current }

    func head(_ handle: RecordHandle) -> RecordHead {
        let offset = Int(handle.rawValue) << 2
        return RecordHead(base: segments[offset / Self.segmentBytes].base! + offset % Self.segmentBytes)
    }

    /// Room for a record with a value of `valueCount` bytes. The caller writes the head at once.
    mutating func append(valueCount: Int) -> RecordHandle {
        let footprint = RecordHead.footprint(valueCount: valueCount)
        if current < 0 || segments[current].used + footprint > Self.segmentBytes { openSegment() }
        assert(
            footprint % 4 == 0 && segments[current].used + footprint <= Self.segmentBytes,
            "a record past its segment")
        let offset = current * Self.segmentBytes + segments[current].used
        segments[current].used += footprint
        segments[current].live += footprint
        liveBytes += footprint
        assert(
            segments[current].live <= segments[current].used && liveBytes <= allocatedBytes,
            "live bytes are miscounted")
        return RecordHandle(rawValue: UInt32(offset >> 2))
    }

    /// Whether a record of that size needs a new segment.
    func needsSegment(valueCount: Int) -> Bool {
        current < 0
            || segments[current].used + RecordHead.footprint(valueCount: valueCount) > Self.segmentBytes
    }

    /// The segment a record lies in.
    func segment(of handle: RecordHandle) -> Int { (Int(handle.rawValue) << 2) / Self.segmentBytes }

    /// Erases a record. Its memory stays until `reclaim`, so that a walk over the segment can go on.
    mutating func erase(_ handle: RecordHandle) {
        let record = head(handle)
        assert(!record.isErased, "a record is erased twice")
        record.markErased()
        segments[segment(of: handle)].live -= record.footprint
        liveBytes -= record.footprint
        assert(segments[segment(of: handle)].live >= 0 && liveBytes >= 0, "live bytes are miscounted")
    }

    /// Frees a segment without live records; the one being filled starts over.
    mutating func reclaim(_ slot: Int) {
        guard segments[slot].live == 0, segments[slot].base != nil else { return }
        guard slot != current else {
            segments[slot].used = 0
            return
        }
        segments[slot].base?.deallocate()
        segments[slot] = Segment()
        freeSlots.append(slot)
        segmentCount -= 1
        assert(segmentCount >= 0 && liveBytes <= allocatedBytes, "segments are miscounted")
    }

    /// Bytes of erased records in a segment.
    func deadBytes(_ slot: Int) -> Int { segments[slot].used - segments[slot].live }

    /// The first record of a segment; nil when it holds none.
    func first(in slot: Int) -> RecordHandle? {
        guard segments[slot].base != nil, segments[slot].used > 0 else { return nil }
        return RecordHandle(rawValue: UInt32((slot * Self.segmentBytes) >> 2))
    }

    /// The record behind `handle` in its segment, erased or not; nil when it was the last.
    func next(after handle: RecordHandle) -> RecordHandle? {
        let offset = Int(handle.rawValue) << 2
        let slot = offset / Self.segmentBytes
        let following = offset % Self.segmentBytes + head(handle).footprint
        assert(following <= segments[slot].used, "a record past the end of its segment")
        guard following < segments[slot].used else { return nil }
        return RecordHandle(rawValue: UInt32((slot * Self.segmentBytes + following) >> 2))
    }

    private mutating func openSegment() {
        let memory = UnsafeMutableRawPointer.allocate(byteCount: Self.segmentBytes, alignment: 16)
        segmentCount += 1
        if let slot = freeSlots.popLast() {
            assert(segments[slot].base == nil && segments[slot].live == 0, "a free segment is in use")
            segments[slot] = Segment(base: memory)
            current = slot
        } else {
            segments.append(Segment(base: memory))
            current = segments.count - 1
            assert(segmentCount + freeSlots.count == segments.count, "segments are miscounted")
        }
    }
}
