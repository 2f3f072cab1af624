// RO:WHAT  A cursor over CBOR bytes, on libcbor's streaming decoder.
// RO:WHY   The item tree costs a malloc an item; the streaming decoder calls back with each head, and the
//          callbacks here only note it down in a token on the stack.
// RO:SECURITY  reads a peer's bytes: every failure is a typed error, nothing traps, nesting is bounded.
// RO:TEST  Tests/DhtLoopTests/Proto/CborReaderTests.swift, Fuzz/

import CCbor

/// One CBOR head as libcbor reported it.
struct CborToken {
    enum Kind: UInt8 {
        case none, uint, negative, bytes, text, array, map, tag, float, simple, bool, indefinite
    }

    var kind = Kind.none
    /// The number, the length in bytes, or the count of items or pairs.
    var value: UInt64 = 0
}

/// Bytes of a payload that was decoded, borrowed from it: valid for as long as the payload's own bytes are.
///
/// Only a reader makes them, once it has found that they lie in its payload.
public struct BorrowedBytes: Equatable {
    private let start: UnsafeRawPointer
    public let count: Int

    /// `count` bytes from `start` must lie in one payload.
    @inline(__always)
    fileprivate init(start: UnsafeRawPointer, count: Int) { (self.start, self.count) = (start, count) }

    /// Zero bytes, of no payload.
    public static var empty: Self { BorrowedBytes(start: UnsafeRawPointer(bitPattern: 1)!, count: 0) }

    /// The bytes themselves.
    public var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: start, count: count) }

    /// Whether both are the same bytes, wherever they lie.
    public static func == (a: Self, b: Self) -> Bool {
        a.count == b.count && sameBytes(a.start, b.start, count: a.count)
    }

    /// Whether the bytes spell `literal`.
    @inline(__always)
    func spells(_ literal: StaticString) -> Bool {
        count == literal.utf8CodeUnitCount && sameBytes(start, literal.utf8Start, count: count)
    }
}

/// Reads items in order. Offsets are from the first byte of the payload.
struct CborReader {
    private let base: UnsafeRawPointer
    private let end: Int
    private let callbacks: UnsafePointer<cbor_callbacks>
    private(set) var offset: Int

    init(_ bytes: UnsafeRawBufferPointer, offset: Int = 0) {
        base = bytes.baseAddress ?? UnsafeRawPointer(bitPattern: 1)!
        end = bytes.count
        callbacks = cborCallbacks
        self.offset = min(offset, bytes.count)
    }

    var isAtEnd: Bool { offset == end }

    /// Decodes the next head; the content of a string is part of it.
    mutating func next() throws(WireError) -> CborToken {
        assert(offset >= 0 && offset <= end)
        var token = CborToken()
        let result = withUnsafeMutablePointer(to: &token) { context in
            cbor_stream_decode(
                (base + offset).assumingMemoryBound(to: UInt8.self), end - offset, callbacks, context)
        }
        switch result.status {
        case CBOR_DECODER_FINISHED: offset += Int(result.read)
        case CBOR_DECODER_NEDATA: throw .truncated
        default: throw .malformed
        }
        assert(result.read > 0 && offset <= end, "what was read lies in the payload")
        guard token.kind != .indefinite else { throw .indefinite }
        return token
    }

    mutating func uint() throws(WireError) -> UInt64 {
        let token = try next()
        guard token.kind == .uint else { throw .wrongType }
        return token.value
    }

    mutating func bool() throws(WireError) -> Bool {
        let token = try next()
        guard token.kind == .bool else { throw .wrongType }
        return token.value != 0
    }

    mutating func bytes() throws(WireError) -> BorrowedBytes { try string(.bytes) }

    /// A text of at most `Limits.textBytes`.
    mutating func text() throws(WireError) -> BorrowedBytes {
        let slice = try string(.text)
        guard slice.count <= Limits.textBytes else { throw .textTooLong }
        return slice
    }

    mutating func nodeID() throws(WireError) -> NodeID {
        let slice = try string(.bytes)
        guard slice.count == NodeID.byteCount else { throw .badKeyLength }
        return NodeID(loading: base + (offset - NodeID.byteCount))
    }

    /// The number of pairs of a map. A count that cannot fit the bytes left is an error before any of it is read.
    mutating func mapHead() throws(WireError) -> Int { try collection(.map, bytesPerItem: 2) }

    /// The number of items of an array.
    mutating func arrayHead() throws(WireError) -> Int { try collection(.array, bytesPerItem: 1) }

    /// Passes over one item with all it holds.
    mutating func skip(depth: Int = 0) throws(WireError) {
        guard depth < Limits.cborDepth else { throw .tooDeep }
        let token = try next()
        let items: UInt64
        switch token.kind {
        case .array: items = token.value
        case .map: items = token.value > .max / 2 ? .max : token.value * 2
        case .tag: items = 1
        default: items = 0
        }
        guard items <= UInt64(end - offset) else { throw .truncated }
        for _ in 0..<items { try skip(depth: depth + 1) }
    }

    /// A contact in the shape every node of ours writes: nil, and nothing passed, when the bytes have another.
    @inline(__always)
    mutating func usualContact() throws(WireError) -> ContactView? {
        let headBytes = ContactHead.byteCount + NodeID.byteCount
        guard end - offset > headBytes else { return nil }
        let word = UInt32(littleEndian: (base + offset).loadUnaligned(as: UInt32.self))
        guard word & 0xFF_FFFF == ContactHead.word else { return nil }
        let id = NodeID(loading: base + offset + ContactHead.byteCount)
        offset += headBytes
        return ContactView(id: id, at: try text())
    }

    /// The 32 bytes at the cursor, which passes them; nil when there are fewer.
    @inline(__always)
    mutating func takeID() -> NodeID? {
        guard end - offset >= NodeID.byteCount else { return nil }
        offset += NodeID.byteCount
        return NodeID(loading: base + offset - NodeID.byteCount)
    }

    /// The bytes not read yet.
    var rest: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: base + offset, count: end - offset) }

    /// Whether the bytes at the cursor are exactly `literal`; if so the cursor passes them.
    @inline(__always)
    mutating func take(_ literal: StaticString) -> Bool {
        let count = literal.utf8CodeUnitCount
        guard end - offset >= count, sameBytes(base + offset, literal.utf8Start, count: count) else {
            return false
        }
        offset += count
        return true
    }

    @inline(__always)
    private mutating func string(_ kind: CborToken.Kind) throws(WireError) -> BorrowedBytes {
        let start = offset
        let token = try next()
        guard token.kind == kind else { throw .wrongType }
        // libcbor has passed the content already; that what is lent lies in the payload is not left to its word.
        let passed = UInt64(truncatingIfNeeded: offset &- start)
        guard token.value < passed else { throw .truncated }
        let count = Int(truncatingIfNeeded: token.value)
        return BorrowedBytes(start: base + (offset &- count), count: count)
    }

    private mutating func collection(
        _ kind: CborToken.Kind, bytesPerItem: UInt64
    ) throws(WireError) -> Int {
        let token = try next()
        guard token.kind == kind else { throw .wrongType }
        guard token.value <= UInt64(end - offset) / bytesPerItem else { throw .truncated }
        return Int(token.value)
    }
}

/// libcbor's table of callbacks. Made once, read only afterwards, so it may be shared between threads of tests.
nonisolated(unsafe) private let cborCallbacks: UnsafePointer<cbor_callbacks> = {
    let table = UnsafeMutablePointer<cbor_callbacks>.allocate(capacity: 1)
    table.initialize(to: cbor_empty_callbacks)
    installNumberCallbacks(&table.pointee)
    installStringCallbacks(&table.pointee)
    installCollectionCallbacks(&table.pointee)
    return UnsafePointer(table)
}()

@inline(__always)
private func note(_ context: UnsafeMutableRawPointer?, _ kind: CborToken.Kind, _ value: UInt64 = 0) {
    guard let token = context?.assumingMemoryBound(to: CborToken.self) else { return }
    token.pointee.kind = kind
    token.pointee.value = value
}

/// A `size_t` comes in as an `Int`: what a peer announces as 2^63 or more arrives negative.
@inline(__always)
private func announced(_ count: Int) -> UInt64 { UInt64(UInt(bitPattern: count)) }

private func installNumberCallbacks(_ table: inout cbor_callbacks) {
    table.uint8 = { note($0, .uint, UInt64($1)) }
    table.uint16 = { note($0, .uint, UInt64($1)) }
    table.uint32 = { note($0, .uint, UInt64($1)) }
    table.uint64 = { note($0, .uint, $1) }
    table.negint8 = { note($0, .negative, UInt64($1)) }
    table.negint16 = { note($0, .negative, UInt64($1)) }
    table.negint32 = { note($0, .negative, UInt64($1)) }
    table.negint64 = { note($0, .negative, $1) }
    table.float2 = { context, _ in note(context, .float) }
    table.float4 = { context, _ in note(context, .float) }
    table.float8 = { context, _ in note(context, .float) }
    table.boolean = { note($0, .bool, $1 ? 1 : 0) }
    table.null = { note($0, .simple) }
    table.undefined = { note($0, .simple) }
}

private func installStringCallbacks(_ table: inout cbor_callbacks) {
    table.byte_string = { context, _, length in note(context, .bytes, announced(length)) }
    table.string = { context, _, length in note(context, .text, announced(length)) }
    table.byte_string_start = { note($0, .indefinite) }
    table.string_start = { note($0, .indefinite) }
}

private func installCollectionCallbacks(_ table: inout cbor_callbacks) {
    table.array_start = { note($0, .array, announced($1)) }
    table.map_start = { note($0, .map, announced($1)) }
    table.tag = { note($0, .tag, $1) }
    table.indef_array_start = { note($0, .indefinite) }
    table.indef_map_start = { note($0, .indefinite) }
    table.indef_break = { note($0, .indefinite) }
}
