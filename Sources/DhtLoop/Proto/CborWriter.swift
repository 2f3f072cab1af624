// RO:WHAT  CBOR items appended to a ByteBuffer, heads by libcbor's streaming encoder.
// RO:WHY   libcbor picks the shortest head; strings are one copy behind it.
// RO:TEST  Tests/DhtLoopTests/Proto/EnvelopeTests.swift

import CCbor

extension ByteBuffer {
    /// Bytes of the longest CBOR head.
    private static var headBytes: Int { 9 }

    mutating func appendUInt(_ value: UInt64) {
        commitHead(cbor_encode_uint(value, room(Self.headBytes), Self.headBytes))
    }

    mutating func appendBool(_ value: Bool) { commitHead(cbor_encode_bool(value, room(1), 1)) }

    mutating func appendMapHead(_ pairs: Int) {
        commitHead(cbor_encode_map_start(pairs, room(Self.headBytes), Self.headBytes))
    }

    mutating func appendArrayHead(_ items: Int) {
        commitHead(cbor_encode_array_start(items, room(Self.headBytes), Self.headBytes))
    }

    mutating func appendBytes(_ bytes: UnsafeRawBufferPointer) {
        commitHead(cbor_encode_bytestring_start(bytes.count, room(Self.headBytes), Self.headBytes))
        append(bytes)
    }

    mutating func appendText(_ text: UnsafeRawBufferPointer) {
        commitHead(cbor_encode_string_start(text.count, room(Self.headBytes), Self.headBytes))
        append(text)
    }

    mutating func appendText(_ text: StaticString) {
        appendText(UnsafeRawBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }

    /// An id as a 32-byte string.
    mutating func appendID(_ id: NodeID) {
        let start = reserve(Self.headBytes + NodeID.byteCount)
        let head = cbor_encode_bytestring_start(
            NodeID.byteCount, start.assumingMemoryBound(to: UInt8.self), Self.headBytes)
        id.store(to: start + head)
        commit(head + NodeID.byteCount)
    }

    /// Counts a head in that libcbor wrote; it writes none where there is no room.
    private mutating func commitHead(_ bytes: Int) {
        assert(bytes > 0 && bytes <= Self.headBytes)
        commit(bytes)
    }

    private mutating func room(_ bytes: Int) -> UnsafeMutablePointer<UInt8> {
        reserve(bytes).assumingMemoryBound(to: UInt8.self)
    }
}
