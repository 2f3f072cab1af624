// RO:WHAT  The constant head of an envelope: where dst and src lie, and what is around them.
// RO:WHY   A switch forwards a frame after comparing 16 constant bytes, without decoding CBOR.
// RO:INVARIANTS  a7 "v" 1 "dst" bstr32 "src" bstr32 "at" ...: dst at byte 10, src at byte 48.

/// The head that every node of ours writes (docs/PROTOCOL.md, "Envelope").
public enum EnvelopeHead {
    /// First byte of `dst`.
    public static let dstOffset = 10
    /// First byte of `src`.
    public static let srcOffset = 48
    /// First byte of the key "at".
    static let atKeyOffset = 80
    /// A map of 7, then "v": 1, then the key "dst" and the head of a 32-byte string.
    static let beforeDst: [UInt8] = [
        0xA7, 0x61, 0x76, 0x01, 0x63, 0x64, 0x73, 0x74, 0x58, 0x20,
    ]
    /// The key "src" and the head of a 32-byte string.
    static let beforeSrc: [UInt8] = [0x63, 0x73, 0x72, 0x63, 0x58, 0x20]

    // The same bytes as the words a little-endian load yields.
    private static let word0: UInt64 = 0x7473_6463_0176_61A7
    private static let half1: UInt16 = 0x2058
    private static let srcWord: UInt32 = 0x6372_7363
    private static let srcHalf: UInt16 = 0x2058

    /// Whether `payload` begins with the constant head, so that `dst` and `src` may be read at their offsets.
    @inline(__always)
    public static func hasConstantShape(_ payload: UnsafeRawBufferPointer) -> Bool {
        guard payload.count > atKeyOffset, let base = payload.baseAddress else { return false }
        return UInt64(littleEndian: base.loadUnaligned(as: UInt64.self)) == word0
            && UInt16(littleEndian: base.loadUnaligned(fromByteOffset: 8, as: UInt16.self)) == half1
            && UInt32(littleEndian: base.loadUnaligned(fromByteOffset: 42, as: UInt32.self)) == srcWord
            && UInt16(littleEndian: base.loadUnaligned(fromByteOffset: 46, as: UInt16.self)) == srcHalf
    }

    /// `dst`, `src` and the RPC id's place are all a switch needs of an envelope.
    public struct Address: Equatable, Sendable {
        public var dst: NodeID
        public var src: NodeID
    }

    /// Where `payload` goes and who says it sent it; nil when it is no envelope.
    ///
    /// The constant head costs a few compares; any other shape is really decoded, into `lists`.
    @inline(__always)
    public static func address(
        of payload: UnsafeRawBufferPointer, lists: inout MessageLists
    ) -> Address? {
        if hasConstantShape(payload), let base = payload.baseAddress {
            return Address(dst: NodeID(loading: base + dstOffset), src: NodeID(loading: base + srcOffset))
        }
        guard let view = try? EnvelopeDecoder.decode(payload, into: &lists) else { return nil }
        return Address(dst: view.dst, src: view.src)
    }
}
