// RO:WHAT  NodeID: a point of the 256-bit key space, held as four big-endian words.
// RO:WHY   Words compare and XOR in registers; a byte array would cost a loop and an allocation.
// RO:INVARIANTS  word 0 holds bytes 0...7 of the wire form, most significant first.
// RO:TEST  Tests/DhtLoopTests/Proto/NodeIDTests.swift

/// A node id or a record key: 32 bytes, XOR metric (Kademlia paper, section 2.1).
///
/// Ordering is that of the 256-bit big-endian number, which is the order of the bytes on the wire.
public struct NodeID: Hashable, Sendable {
    /// Bytes of the wire form.
    public static let byteCount = 32
    /// All zero: "any node" as a destination, "a switch" as a source.
    public static let zero = NodeID(0, 0, 0, 0)

    @usableFromInline var w0: UInt64
    @usableFromInline var w1: UInt64
    @usableFromInline var w2: UInt64
    @usableFromInline var w3: UInt64

    @inlinable
    public init(_ w0: UInt64, _ w1: UInt64, _ w2: UInt64, _ w3: UInt64) {
        (self.w0, self.w1, self.w2, self.w3) = (w0, w1, w2, w3)
    }

    /// Reads 32 bytes at `pointer`, which needs no alignment.
    @inlinable
    public init(loading pointer: UnsafeRawPointer) {
        w0 = UInt64(bigEndian: pointer.loadUnaligned(as: UInt64.self))
        w1 = UInt64(bigEndian: pointer.loadUnaligned(fromByteOffset: 8, as: UInt64.self))
        w2 = UInt64(bigEndian: pointer.loadUnaligned(fromByteOffset: 16, as: UInt64.self))
        w3 = UInt64(bigEndian: pointer.loadUnaligned(fromByteOffset: 24, as: UInt64.self))
    }

    /// A uniformly random id.
    public static func random(using generator: inout some RandomNumberGenerator) -> NodeID {
        NodeID(generator.next(), generator.next(), generator.next(), generator.next())
    }

    /// Writes the 32 bytes of the wire form at `pointer`, which needs no alignment.
    @inlinable
    public func store(to pointer: UnsafeMutableRawPointer) {
        pointer.storeBytes(of: w0.bigEndian, as: UInt64.self)
        pointer.storeBytes(of: w1.bigEndian, toByteOffset: 8, as: UInt64.self)
        pointer.storeBytes(of: w2.bigEndian, toByteOffset: 16, as: UInt64.self)
        pointer.storeBytes(of: w3.bigEndian, toByteOffset: 24, as: UInt64.self)
    }

    /// True for the all-zero id.
    @inlinable public var isZero: Bool { w0 | w1 | w2 | w3 == 0 }

    /// The XOR distance as a 256-bit number, comparable with `<`.
    @inlinable
    public func distance(to other: NodeID) -> NodeID {
        NodeID(w0 ^ other.w0, w1 ^ other.w1, w2 ^ other.w2, w3 ^ other.w3)
    }

    /// The number as a share of the key space, 0 up to but not including 1, or 1 after rounding.
    public var shareOfSpace: Double { (Double(w0) + Double(w1) * 0x1p-64 + Double(w2) * 0x1p-128) * 0x1p-64 }

    /// Zero bits before the first set bit: 0...256. Of a distance: the length of the shared prefix.
    @inlinable public var leadingZeroBitCount: Int {
        if w0 != 0 { return w0.leadingZeroBitCount }
        if w1 != 0 { return 64 + w1.leadingZeroBitCount }
        if w2 != 0 { return 128 + w2.leadingZeroBitCount }
        return 192 + w3.leadingZeroBitCount
    }

    /// Bit `index`, counted from the most significant; `index` is 0...255.
    @inlinable
    public func bit(_ index: Int) -> Bool {
        let word =
            switch index >> 6 {
            case 0: w0
            case 1: w1
            case 2: w2
            default: w3
            }
        return word >> UInt64(63 - (index & 63)) & 1 == 1
    }

    /// This id with bit `index` (0...255 from the most significant) inverted.
    public func flippingBit(_ index: Int) -> NodeID {
        var flipped = self
        let mask: UInt64 = 1 << UInt64(63 - (index & 63))
        switch index >> 6 {
        case 0: flipped.w0 ^= mask
        case 1: flipped.w1 ^= mask
        case 2: flipped.w2 ^= mask
        default: flipped.w3 ^= mask
        }
        return flipped
    }

    /// An id that shares exactly the first `prefix` bits (0...255) with this one, random after that.
    public func random(sharingPrefix prefix: Int, using generator: inout some RandomNumberGenerator) -> NodeID
    {
        var result = flippingBit(prefix)
        let noise = NodeID.random(using: &generator)
        for word in (prefix >> 6)...3 {
            let first = word == prefix >> 6 ? (prefix & 63) + 1 : 0
            let mask = first >= 64 ? 0 : UInt64.max >> UInt64(first)
            switch word {
            case 0: result.w0 ^= noise.w0 & mask
            case 1: result.w1 ^= noise.w1 & mask
            case 2: result.w2 ^= noise.w2 & mask
            default: result.w3 ^= noise.w3 & mask
            }
        }
        return result
    }
}

/// A record key. Keys and node ids share one space, so that "closest to a key" has a meaning.
public typealias Key = NodeID

extension NodeID: Comparable {
    @inlinable
    public static func < (a: NodeID, b: NodeID) -> Bool {
        if a.w0 != b.w0 { return a.w0 < b.w0 }
        if a.w1 != b.w1 { return a.w1 < b.w1 }
        if a.w2 != b.w2 { return a.w2 < b.w2 }
        return a.w3 < b.w3
    }
}

extension NodeID: CustomStringConvertible {
    /// 64 lowercase hexadecimal digits.
    public var description: String {
        withUnsafeTemporaryAllocation(byteCount: Self.byteCount, alignment: 8) { bytes in
            store(to: bytes.baseAddress!)
            return Hex.string(UnsafeRawBufferPointer(bytes))
        }
    }

    /// Parses exactly 64 hexadecimal digits of either case; nil for anything else.
    public init?(hex: some StringProtocol) {
        guard let bytes = Hex.bytes(hex), bytes.count == Self.byteCount else { return nil }
        self = bytes.withUnsafeBytes { NodeID(loading: $0.baseAddress!) }
    }
}

// MARK: - As a row of 256 bits

extension NodeID {
    @inlinable
    static func & (a: NodeID, b: NodeID) -> NodeID {
        NodeID(a.w0 & b.w0, a.w1 & b.w1, a.w2 & b.w2, a.w3 & b.w3)
    }

    @inlinable
    static prefix func ~ (a: NodeID) -> NodeID { NodeID(~a.w0, ~a.w1, ~a.w2, ~a.w3) }

    /// Zero bits after the last set bit: 0...256.
    @inlinable var trailingZeroBitCount: Int {
        if w3 != 0 { return w3.trailingZeroBitCount }
        if w2 != 0 { return 64 + w2.trailingZeroBitCount }
        if w1 != 0 { return 128 + w1.trailingZeroBitCount }
        return 192 + w0.trailingZeroBitCount
    }

    /// The 64 bits that begin at bit `first` (0...256); zeros past the end.
    @inlinable @inline(__always)
    func word(fromBit first: Int) -> UInt64 {
        let shift = UInt64(first & 63)
        let high: UInt64
        let low: UInt64
        switch first >> 6 {
        case 0: (high, low) = (w0, w1)
        case 1: (high, low) = (w1, w2)
        case 2: (high, low) = (w2, w3)
        case 3: (high, low) = (w3, 0)
        default: (high, low) = (0, 0)
        }
        return shift == 0 ? high : high << shift | low >> (64 - shift)
    }
}
