// RO:WHAT  LocalPort: a node inside the switch's own process.  LocalInbox: frames that wait for it.
// RO:WHY   The node is called from the loop, never from inside its own call to the switch: answers that the
//          switch has at once wait for the end of the turn.

/// Receives the frames for a node that shares the switch's process.
open class LocalPort {
    public init() {}

    /// A payload for the node. It is valid until the call returns; answer with `OverlaySwitch.reply(to:)`.
    open func deliver(_ payload: UnsafeRawBufferPointer, from link: SwitchLink, nowUs: UInt64) {}
}

/// Payloads end to end, each behind its length.
struct LocalInbox: ~Copyable {
    /// Past this a payload is dropped; the node may lose frames like any other.
    private static let maxBytes = 4 << 20
    private static let keptBytes = 64 << 10
    private static let lengthBytes = MemoryLayout<UInt32>.size

    private var bytes = ByteBuffer(capacity: 1)

    var isEmpty: Bool { bytes.count == 0 }

    /// Copies `payload`; false when there is no room.
    mutating func append(_ payload: UnsafeRawBufferPointer) -> Bool {
        guard bytes.count + Self.lengthBytes + payload.count <= Self.maxBytes else { return false }
        withUnsafeBytes(of: UInt32(payload.count)) { bytes.append($0) }
        bytes.append(payload)
        return true
    }

    /// The payload at `offset`, which moves past it; nil at the end.
    func next(_ offset: inout Int) -> UnsafeRawBufferPointer? {
        guard offset < bytes.count else { return nil }
        let count = Int((bytes.base + offset).loadUnaligned(as: UInt32.self))
        let start = offset + Self.lengthBytes
        offset = start + count
        return UnsafeRawBufferPointer(start: bytes.base + start, count: count)
    }

    mutating func clear() { bytes.release(keeping: Self.keptBytes) }
}
