// RO:WHAT  What the envelope, each message, a record and a refusal hold: keys, which must be there, how they are read.
// RO:WHY   docs/PROTOCOL.md as a table: one loop reads every map of the wire by it (WireMap).
// RO:INVARIANTS  keys stand in the wire document's order; no map has two of a kind of value that go to one place.
// RO:TEST  Tests/DhtLoopTests/Proto/WireMapTests.swift, Tests/DhtLoopTests/Proto/EnvelopeTests.swift

/// How a value in a message is read, and which of `BodyValues` it becomes, or which of `MessageLists`.
enum BodyField: Sendable {
    case id, text, detail, bytes, flag, number, seq, ttl, limit
    /// Steps; more than may be asked for are as many as may be.
    case recursion
    /// A number of records, 0...`Limits.recordsPerMessage`.
    case count
    case record
    case contacts, providers, records, refusals
}

/// What was read of a map; what is missing has its default.
struct BodyValues {
    var id = NodeID.zero
    var text = BorrowedBytes.empty
    var detail = BorrowedBytes.empty
    var bytes = BorrowedBytes.empty
    var flag = false
    var number: UInt64 = 0
    var seq: UInt64 = 0
    var ttlSeconds: UInt64 = 0
    var limit = UInt64(Limits.contactsPerMessage)
    var recursion: UInt8 = 0
    var record = RecordView(key: .zero, seq: 0, ttlSeconds: 0, value: .empty)
}

/// One message.
struct MessageDescription: Sendable {
    let name: StaticString
    let body: WireMap<BodyField>
    /// The message with those values.
    let view: @Sendable (BodyValues) -> MessageView

    private init(
        _ name: StaticString, _ fields: [WireField<BodyField>],
        _ view: @escaping @Sendable (BodyValues) -> MessageView
    ) {
        self.name = name
        body = WireMap(fields)
        self.view = view
    }

    /// The message of that name; nil for one that this version does not know.
    static func find(_ name: BorrowedBytes) -> MessageDescription? {
        for index in all.indices where name.spells(all[index].name) { return all[index] }
        return nil
    }

    /// All messages, those that come most often first.
    static let all: [MessageDescription] = [
        MessageDescription("FindNode", [.must("target", .id), .may("recurse", .recursion)]) {
            .findNode(target: $0.id, recursion: $0.recursion)
        },
        MessageDescription("Get", [.must("key", .id), .may("nodes", .flag), .may("recurse", .recursion)]) {
            .get(key: $0.id, wantsNodes: $0.flag, recursion: $0.recursion)
        },
        MessageDescription("Nodes", [.may("more", .flag), .must("nodes", .contacts)]) {
            .nodes(isMoreToCome: $0.flag)
        },
        MessageDescription("Found", [.must("record", .record), .may("nodes", .contacts)]) {
            .found($0.record)
        },
        MessageDescription("Put", [.must("record", .record)]) { .put($0.record) },
        MessageDescription(
            "Stored", [.must("ok", .flag), .may("code", .text), .may("ttl", .ttl), .may("seq", .seq)]
        ) {
            .stored(ok: $0.flag, code: $0.text, ttlSeconds: $0.ttlSeconds, seq: $0.seq)
        },
        MessageDescription("Ping", []) { _ in .ping },
        MessageDescription("Pong", []) { _ in .pong },
        MessageDescription("PutMany", [.must("records", .records)]) { _ in .putMany },
        MessageDescription("StoredMany", [.must("stored", .count), .may("refused", .refusals)]) {
            .storedMany(count: $0.number)
        },
        MessageDescription("Unreachable", [.must("node", .id)]) { .unreachable(node: $0.id) },
        MessageDescription("Provide", [.must("cid", .id), .must("node", .text), .must("ttl", .ttl)]) {
            .provide(cid: $0.id, node: $0.text, ttlSeconds: $0.ttlSeconds)
        },
        MessageDescription("FindProviders", [.must("cid", .id), .may("limit", .limit)]) {
            .findProviders(cid: $0.id, limit: $0.limit)
        },
        MessageDescription("Providers", [.must("providers", .providers), .may("nodes", .contacts)]) { _ in
            .providers
        },
        MessageDescription("Busy", [.must("retry_ms", .number)]) { .busy(retryMs: $0.number) },
        MessageDescription("Error", [.must("kind", .text), .may("detail", .detail)]) {
            .error(kind: $0.text, detail: $0.detail)
        },
    ]

    /// A record.
    static let record = WireMap<BodyField>([
        .must("key", .id), .must("seq", .seq), .must("ttl", .ttl), .must("value", .bytes),
        .may("dead", .flag),
    ])

    /// A refusal of a `StoredMany`; its index is the number.
    static let refusal = WireMap<BodyField>([
        .must("index", .number), .must("code", .text), .may("seq", .seq),
    ])
}

/// What lies under a key of the envelope.
enum EnvelopeField: Sendable {
    case version, dst, src, at, net, rpc, message

    static let all = WireMap<EnvelopeField>([
        .must("v", .version), .must("dst", .dst), .must("src", .src), .must("at", .at), .must("net", .net),
        .must("id", .rpc), .must("msg", .message),
    ])
}
