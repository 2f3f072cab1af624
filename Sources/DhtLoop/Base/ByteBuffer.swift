// RO:WHAT  ByteBuffer: a growable run of raw bytes with one owner.
// RO:WHY   Encoders write through a raw pointer; an Array would check uniqueness and bounds per store.
// RO:INVARIANTS  count <= capacity; capacity never shrinks but by `release()`.

/// Growable bytes, reused from frame to frame: clearing keeps the memory.
public struct ByteBuffer: ~Copyable {
    /// First byte. Valid until the next call that may grow the buffer.
    public private(set) var base: UnsafeMutableRawPointer
    /// Bytes written so far.
    public private(set) var count = 0
    /// Bytes allocated.
    public private(set) var capacity: Int

    /// `capacity` is in bytes, 1 or more.
    public init(capacity: Int = 256) {
        self.capacity = max(1, capacity)
        base = .allocate(byteCount: self.capacity, alignment: 16)
    }

    deinit { base.deallocate() }

    /// What was written, borrowed until the next mutation.
    public var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: base, count: count) }

    /// Forgets the content and keeps the memory.
    public mutating func clear() { count = 0 }

    /// Drops everything past the first `length` bytes; `length` is 0...count.
    public mutating func truncate(to length: Int) {
        precondition(length >= 0 && length <= count, "a buffer can only be cut shorter")
        count = length
    }

    /// Makes room for `extra` more bytes and returns where they begin. Follow with `commit`.
    @inline(__always)
    public mutating func reserve(_ extra: Int) -> UnsafeMutableRawPointer {
        if capacity - count < extra { grow(by: extra) }
        assert(extra >= 0 && capacity - count >= extra, "a buffer without the room asked for")
        return base + count
    }

    /// Counts `written` bytes, stored through `reserve`'s pointer, as content.
    @inline(__always)
    public mutating func commit(_ written: Int) {
        assert(written >= 0 && written <= capacity - count)
        count += written
    }

    /// Appends a copy of `bytes`.
    @inline(__always)
    public mutating func append(_ bytes: UnsafeRawBufferPointer) {
        guard let source = bytes.baseAddress, bytes.count > 0 else { return }
        reserve(bytes.count).copyMemory(from: source, byteCount: bytes.count)
        count += bytes.count
    }

    /// Appends one byte.
    @inline(__always)
    public mutating func append(_ byte: UInt8) {
        reserve(1).storeBytes(of: byte, as: UInt8.self)
        count += 1
    }

    /// Gives back memory beyond `limit` bytes; the content is dropped.
    public mutating func release(keeping limit: Int) {
        count = 0
        guard capacity > limit else { return }
        base.deallocate()
        capacity = max(1, limit)
        base = .allocate(byteCount: capacity, alignment: 16)
    }

    @inline(never)
    private mutating func grow(by extra: Int) {
        let wanted = max(count + extra, capacity * 2)
        let bigger = UnsafeMutableRawPointer.allocate(byteCount: wanted, alignment: 16)
        assert(wanted > capacity, "a buffer grows by nothing")
        bigger.copyMemory(from: base, byteCount: count)
        base.deallocate()
        base = bigger
        capacity = wanted
    }
}

/// A part of a buffer: where it begins and how long it is. Carries no pointer, so the buffer may grow meanwhile.
public struct ByteSlice: Equatable, Sendable {
    public var offset: UInt32
    public var count: UInt32

    @inlinable
    public init(offset: Int, count: Int) {
        self.offset = UInt32(truncatingIfNeeded: offset)
        self.count = UInt32(truncatingIfNeeded: count)
    }

    /// Zero bytes.
    public static let empty = ByteSlice(offset: 0, count: 0)

    /// The bytes themselves, out of the buffer the slice was cut from, which must reach as far as it did then.
    @inlinable
    public func bytes(in buffer: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
        let end = Int(offset) + Int(count)
        precondition(end <= buffer.count, "a slice past the end of its buffer")
        return UnsafeRawBufferPointer(rebasing: buffer[Int(offset)..<end])
    }
}
