// RO:WHAT  Hello: the 9 bytes that both sides of a session send first.
// RO:WHY   A wrong peer is refused at its first wrong byte, not when a time-out says so.
// RO:SECURITY  reads a peer's bytes: typed errors only.
// RO:TEST  Tests/DhtLoopTests/Oap/HelloTests.swift

/// "OAP1", version `u8`, capabilities `u32` big-endian (docs/PROTOCOL.md, "Session").
public struct Hello: Equatable, Sendable {
    public static let byteCount = 9
    /// The one version there is.
    public static let version: UInt8 = 1
    /// Capability bit 0, which both sides must set.
    public static let gossipV1: UInt32 = 1
    /// What this side sends.
    public static let ours = Hello(caps: gossipV1)

    private static let magic: StaticString = "OAP1"
    private static let versionOffset = 4
    private static let capsOffset = 5

    /// Capability bits; those without a meaning are ignored.
    public var caps: UInt32

    public init(caps: UInt32) { self.caps = caps }

    /// Writes `byteCount` bytes at `pointer`, which needs no alignment.
    public func store(to pointer: UnsafeMutableRawPointer) {
        pointer.copyMemory(from: Self.magic.utf8Start, byteCount: Self.versionOffset)
        pointer.storeBytes(of: Self.version, toByteOffset: Self.versionOffset, as: UInt8.self)
        pointer.storeBytes(of: caps.bigEndian, toByteOffset: Self.capsOffset, as: UInt32.self)
    }

    /// The HELLO that `bytes` begin with; nil when they are a good beginning but not all of it.
    public static func parse(_ bytes: UnsafeRawBufferPointer) throws(OapError) -> Hello? {
        guard let base = bytes.baseAddress else { return nil }
        guard sameBytes(base, magic.utf8Start, count: min(bytes.count, versionOffset)) else {
            throw .badMagic
        }
        if bytes.count > versionOffset, bytes[versionOffset] != version { throw .badVersion }
        guard bytes.count >= byteCount else { return nil }
        let caps = UInt32(bigEndian: base.loadUnaligned(fromByteOffset: capsOffset, as: UInt32.self))
        guard caps & gossipV1 != 0 else { throw .missingGossip }
        return Hello(caps: caps)
    }
}
