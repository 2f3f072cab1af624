// RO:WHAT  The hottest requests, known by their bytes.
// RO:WHY   Ping is constant, and FindNode and Get are but for an id at their end: two or three compares do what
//          up to eight decoded items would. Any other shape goes to the real decoder.
// RO:TEST  Tests/DhtLoopTests/Proto/UsualRequestTests.swift, which holds the constants against libcbor

/// Ping, FindNode and Get as every node of ours writes them.
enum UsualRequest {
    /// `a1 68 "FindNode" a1 66 "target" 58 20`, as the words a little-endian load yields.
    private static let findNode: (UInt64, UInt64, UInt32) =
        (0x6F4E_646E_6946_68A1, 0x6772_6174_66A1_6564, 0x2058_7465)
    private static let findNodeBytes = 20
    /// `a1 63 "Get" a1 63 "key" 58 20`.
    private static let get: (UInt64, UInt32) = (0x6B63_A174_6547_63A1, 0x2058_7965)
    private static let getBytes = 12
    /// `a1 64 "Ping" a0`, as two words that share a byte.
    private static let ping: (UInt32, UInt32) = (0x6950_64A1, 0xA067_6E69)
    private static let pingBytes = 7

    /// The request that `message` is, to its last byte; nil when it is another, or in another shape.
    @inline(__always)
    static func match(_ message: UnsafeRawBufferPointer) -> MessageView? {
        guard let base = message.baseAddress else { return nil }
        if message.count == findNodeBytes + NodeID.byteCount {
            guard word(base, 0) == findNode.0, word(base, 8) == findNode.1, half(base, 16) == findNode.2
            else {
                return nil
            }
            return .findNode(target: NodeID(loading: base + findNodeBytes), recursion: 0)
        }
        if message.count == getBytes + NodeID.byteCount {
            guard word(base, 0) == get.0, half(base, 8) == get.1 else { return nil }
            return .get(key: NodeID(loading: base + getBytes), wantsNodes: false, recursion: 0)
        }
        if message.count == pingBytes {
            return half(base, 0) == ping.0 && half(base, pingBytes - 4) == ping.1 ? .ping : nil
        }
        return nil
    }

    private static func word(_ base: UnsafeRawPointer, _ offset: Int) -> UInt64 {
        UInt64(littleEndian: base.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
    }

    private static func half(_ base: UnsafeRawPointer, _ offset: Int) -> UInt32 {
        UInt32(littleEndian: base.loadUnaligned(fromByteOffset: offset, as: UInt32.self))
    }
}
