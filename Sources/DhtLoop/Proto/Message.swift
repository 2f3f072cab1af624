// RO:WHAT  The messages of the wire as values that borrow from the frame they came in.
// RO:WHY   Decoding must not allocate: ids are copied into registers, texts and values stay in the frame.
// RO:INVARIANTS  a ByteSlice points into the payload that was decoded, and only that.

/// A node as a message names it: its id and the overlay endpoint that reaches it.
public struct ContactView: Equatable, Sendable {
    public var id: NodeID
    public var at: ByteSlice
}

/// One provider of a content id: its node URI and the seconds its record has left.
public struct ProviderView: Equatable, Sendable {
    public var node: ByteSlice
    public var ttlSeconds: UInt64
}

/// A stored value as a message carries it.
public struct RecordView: Equatable, Sendable {
    public var key: Key
    /// Version; the higher one wins.
    public var seq: UInt64
    /// Seconds left to live when it was sent.
    public var ttlSeconds: UInt64
    public var value: ByteSlice
    /// The record was deleted: a version without a value, which outlives the replicas it replaces.
    public var isTombstone = false
}

/// One record of a `PutMany` that was not taken.
public struct RefusalView: Equatable, Sendable {
    /// Its place in the request, from 0; below `Limits.recordsPerMessage`, and perhaps past the request's end.
    public var index: Int
    /// Why, as in `Stored`.
    public var code: ByteSlice
    /// With the code "stale", the version that is there; else 0.
    public var seq: UInt64
}

/// A decoded message (docs/PROTOCOL.md, "Messages"). What comes in lists lies in the decoder's scratch.
public enum MessageView: Equatable, Sendable {
    case ping
    case pong
    /// `recursion`: steps that it may be passed on, 0...`Limits.recursion`.
    case findNode(target: NodeID, recursion: UInt8)
    /// `isMoreToCome`: another answer to the same request follows.
    case nodes(isMoreToCome: Bool)
    /// `wantsNodes`: with a record, the contacts closest to the key are asked for too.
    case get(key: Key, wantsNodes: Bool, recursion: UInt8)
    case found(RecordView)
    case put(RecordView)
    /// `seq`: with the code "stale", the version that is there; else 0.
    case stored(ok: Bool, code: ByteSlice, ttlSeconds: UInt64, seq: UInt64)
    /// 1...`Limits.recordsPerMessage` records.
    case putMany
    /// `count`: the records that were taken, as the sender says; the others are the decoder's `refusals`.
    case storedMany(count: UInt64)
    case provide(cid: Key, node: ByteSlice, ttlSeconds: UInt64)
    case findProviders(cid: Key, limit: UInt64)
    case providers
    case busy(retryMs: UInt64)
    case error(kind: ByteSlice, detail: ByteSlice)
    case unreachable(node: NodeID)
    /// A message name this version does not know.
    case unsupported(name: ByteSlice)
    /// The head was good, so the sender can be told, but the message was not.
    case malformed(WireError)
}

/// A decoded envelope.
public struct EnvelopeView: Equatable, Sendable {
    /// Zero: any node.
    public var dst: NodeID
    /// Zero: a switch.
    public var src: NodeID
    /// The sender's endpoint; empty for a client.
    public var at: ByteSlice
    public var net: UInt64
    /// The RPC's id, repeated by its reply.
    public var rpc: UInt64
    public var message: MessageView
}
