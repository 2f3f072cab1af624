// RO:WHAT  The messages of the wire as values that borrow from the frame they came in.
// RO:WHY   Decoding must not allocate: ids are copied into registers, texts and values stay in the frame.
// RO:INVARIANTS  a view is valid for as long as the payload it was decoded from; it points into that, and only that.

/// A node as a message names it: its id and the overlay endpoint that reaches it.
public struct ContactView: Equatable {
    public var id: NodeID
    public var at: BorrowedBytes
}

/// One provider of a content id: its node URI and the seconds its record has left.
public struct ProviderView: Equatable {
    public var node: BorrowedBytes
    public var ttlSeconds: UInt64
}

/// A stored value as a message carries it.
public struct RecordView: Equatable {
    public var key: Key
    /// Version; the higher one wins.
    public var seq: UInt64
    /// Seconds left to live when it was sent.
    public var ttlSeconds: UInt64
    public var value: BorrowedBytes
    /// The record was deleted: a version without a value, which outlives the replicas it replaces.
    public var isTombstone = false
}

/// One record of a `PutMany` that was not taken.
public struct RefusalView: Equatable {
    /// Its place in the request, from 0; below `Limits.recordsPerMessage`, and perhaps past the request's end.
    public var index: Int
    /// Why, as in `Stored`.
    public var code: BorrowedBytes
    /// With the code "stale", the version that is there; else 0.
    public var seq: UInt64
}

/// A decoded message (docs/PROTOCOL.md, "Messages"). Its lists lie in the `MessageLists` that it was decoded into.
public enum MessageView: Equatable {
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
    case stored(ok: Bool, code: BorrowedBytes, ttlSeconds: UInt64, seq: UInt64)
    /// 1...`Limits.recordsPerMessage` records.
    case putMany
    /// `count`: the records that were taken, as the sender says; the others are in `MessageLists.refusals`.
    case storedMany(count: UInt64)
    case provide(cid: Key, node: BorrowedBytes, ttlSeconds: UInt64)
    case findProviders(cid: Key, limit: UInt64)
    case providers
    case busy(retryMs: UInt64)
    case error(kind: BorrowedBytes, detail: BorrowedBytes)
    case unreachable(node: NodeID)
    /// A message name this version does not know.
    case unsupported(name: BorrowedBytes)
    /// The head was good, so the sender can be told, but the message was not.
    case malformed(WireError)
}

/// The lists of one message, and memory that is used again for the next one's. Whoever decodes owns them.
public struct MessageLists: ~Copyable {
    /// Contacts of a `nodes`, `found` or `providers`; at most `Limits.contactsPerMessage`.
    public internal(set) var contacts: [ContactView] = []
    /// Providers of a `providers`; at most `Limits.contactsPerMessage`.
    public internal(set) var providers: [ProviderView] = []
    /// Records of a `putMany`, 1...`Limits.recordsPerMessage`. Like `refusals`, no memory before the first.
    public internal(set) var records: [RecordView] = []
    /// Refusals of a `storedMany`, ascending by `index`; at most `Limits.recordsPerMessage`.
    public internal(set) var refusals: [RefusalView] = []

    public init() {
        contacts.reserveCapacity(Limits.contactsPerMessage)
        providers.reserveCapacity(Limits.contactsPerMessage)
    }

    /// Forgets the content and keeps the memory.
    mutating func clear() {
        assert(max(contacts.count, providers.count) <= Limits.contactsPerMessage)
        assert(max(records.count, refusals.count) <= Limits.recordsPerMessage)
        // Most messages fill none of these, and emptying an empty array is not free.
        if !contacts.isEmpty { contacts.removeAll(keepingCapacity: true) }
        if !providers.isEmpty { providers.removeAll(keepingCapacity: true) }
        if !records.isEmpty { records.removeAll(keepingCapacity: true) }
        if !refusals.isEmpty { refusals.removeAll(keepingCapacity: true) }
    }
}

/// A decoded envelope.
public struct EnvelopeView: Equatable {
    /// Zero: any node.
    public var dst: NodeID
    /// Zero: a switch.
    public var src: NodeID
    /// The sender's endpoint; empty for a client.
    public var at: BorrowedBytes
    public var net: UInt64
    /// The RPC's id, repeated by its reply.
    public var rpc: UInt64
    public var message: MessageView
}
