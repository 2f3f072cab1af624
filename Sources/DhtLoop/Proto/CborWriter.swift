// RO:WHAT  CBOR items appended to a ByteBuffer, heads by libcbor's streaming encoder.
// RO:WHY   libcbor picks the shortest head; strings are one copy behind it.
// RO:TEST  Tests/DhtLoopTests/Proto/EnvelopeTests.swift

import CCbor

extension ByteBuffer {
    /// Bytes of the longest CBOR head.
    private static var headBytes: Int { 9 }

    mutating func appendUInt(_ value: UInt64) {
        commit(cbor_encode_uint(value, room(Self.headBytes), Self.headBytes))
    }

    mutating func appendBool(_ value: Bool) { commit(cbor_encode_bool(value, room(1), 1)) }

    mutating func appendMapHead(_ pairs: Int) {
        commit(cbor_encode_map_start(pairs, room(Self.headBytes), Self.headBytes))
    }

    mutating func appendArrayHead(_ items: Int) {
        commit(cbor_encode_array_start(items, room(Self.headBytes), Self.headBytes))
    }

    mutating func appendBytes(_ bytes: UnsafeRawBufferPointer) {
        commit(cbor_encode_bytestring_start(bytes.count, room(Self.headBytes), Self.headBytes))
        append(bytes)
    }

    mutating func appendText(_ text: UnsafeRawBufferPointer) {
        commit(cbor_encode_string_start(text.count, room(Self.headBytes), Self.headBytes))
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

    private mutating func room(_ bytes: Int) -> UnsafeMutablePointer<UInt8> {
        reserve(bytes).assumingMemoryBound(to: UInt8.self)
    }
}
