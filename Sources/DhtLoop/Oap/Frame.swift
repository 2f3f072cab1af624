// RO:WHAT  FrameHead: the 5 bytes before a frame's payload.
// RO:WHY   Length and kind are judged as soon as they are there, before anything waits for the payload.
// RO:SECURITY  reads a peer's bytes: typed errors only; the announced length never sizes an allocation.
// RO:TEST  Tests/DhtLoopTests/Oap/FrameTests.swift

/// What a frame is for. Raw values are the wire's.
public enum FrameKind: UInt8, Sendable {
    case data = 0x01
    /// Read and ignored; we send empty ones as heartbeats.
    case ctrl = 0x02
}

/// Length `u32` big-endian of (kind + payload), 1...`Limits.frameBytes`, then kind `u8`
/// (docs/PROTOCOL.md, "Session").
public struct FrameHead: Equatable, Sendable {
    public static let byteCount = 5
    /// Longest payload.
    public static let maxPayload = Limits.frameBytes - 1

    private static let lengthBytes = 4

    public var kind: FrameKind
    /// Bytes of payload, 0...`maxPayload`.
    public var payloadCount: Int

    /// Bytes of the whole frame.
    public var frameCount: Int { Self.byteCount + payloadCount }

    @inline(__always)
    public init(kind: FrameKind, payloadCount: Int) {
        (self.kind, self.payloadCount) = (kind, payloadCount)
    }

    /// Writes `byteCount` bytes at `pointer`, which needs no alignment.
    @inline(__always)
    public func store(to pointer: UnsafeMutableRawPointer) {
        let length = UInt32(truncatingIfNeeded: payloadCount + 1)
        pointer.storeBytes(of: length.bigEndian, as: UInt32.self)
        pointer.storeBytes(of: kind.rawValue, toByteOffset: Self.lengthBytes, as: UInt8.self)
    }

    /// The head that `bytes` begin with; nil when they are a good beginning but not all of it.
    /// The payload may be still to come: compare `bytes.count` with `frameCount`.
    @inline(__always)
    public static func parse(_ bytes: UnsafeRawBufferPointer) throws(OapError) -> FrameHead? {
        guard bytes.count >= lengthBytes, let base = bytes.baseAddress else { return nil }
        let length = UInt32(bigEndian: base.loadUnaligned(as: UInt32.self))
        guard length != 0 else { throw .zeroLength }
        guard length <= UInt32(Limits.frameBytes) else { throw .tooLong }
        guard bytes.count >= byteCount else { return nil }
        guard let kind = FrameKind(rawValue: bytes[lengthBytes]) else { throw .unknownKind }
        return FrameHead(kind: kind, payloadCount: Int(length) - 1)
    }
}
