// RO:WHAT  An envelope as a value that owns all its parts, to be compared, encoded and generated in tests.
// RO:WHY   A view points into its frame; two of them say nothing about each other's bytes.
@testable import DhtLoop

struct EnvelopeImage: Equatable {
    typealias Text = [UInt8]

    struct Contact: Equatable {
        var id: NodeID
        var at: Text
    }

    struct Provider: Equatable {
        var node: Text
        var ttl: UInt64
    }

    struct Record: Equatable {
        var key: Key
        var seq: UInt64
        var ttl: UInt64
        var value: [UInt8]
        var isTombstone = false
    }

    struct Refusal: Equatable {
        var index: Int
        var code: Text
        var seq: UInt64 = 0
    }

    enum Body: Equatable {
        case ping, pong
        case findNode(target: NodeID, recursion: UInt8 = 0)
        case nodes([Contact], isMoreToCome: Bool = false)
        case get(key: Key, wantsNodes: Bool, recursion: UInt8 = 0)
        case found(Record, nodes: [Contact])
        case put(Record)
        case stored(ok: Bool, code: Text, ttl: UInt64, seq: UInt64)
        case putMany([Record])
        case storedMany(stored: UInt64, refused: [Refusal])
        case provide(cid: Key, node: Text, ttl: UInt64)
        case findProviders(cid: Key, limit: UInt64)
        case providers([Provider], nodes: [Contact])
        case busy(retryMs: UInt64)
        case error(kind: Text, detail: Text)
        case unreachable(node: NodeID)
        case unsupported(name: Text)
    }

    var dst: NodeID
    var src: NodeID
    var at: Text
    var net: UInt64
    var rpc: UInt64
    var body: Body
}

// MARK: - Decoding

extension EnvelopeImage {
    /// Decodes and copies every part out of the frame; a malformed message throws like a bad head.
    init(decoding bytes: [UInt8]) throws(WireError) {
        self = try bytes.span.bytes.withUnsafeBytes { (frame) throws(WireError) in
            var lists = MessageLists()
            let view = try EnvelopeDecoder.decode(frame, into: &lists)
            return EnvelopeImage(
                dst: view.dst, src: view.src, at: Text(view.at.bytes), net: view.net,
                rpc: view.rpc,
                body: try Body(view.message, Lists(of: lists)))
        }
    }
}

/// The lists of a message, copied.
private struct Lists {
    let contacts: [EnvelopeImage.Contact]
    let providers: [EnvelopeImage.Provider]
    let records: [EnvelopeImage.Record]
    let refusals: [EnvelopeImage.Refusal]

    init(of lists: borrowing MessageLists) {
        contacts = lists.contacts.map { .init(id: $0.id, at: Array($0.at.bytes)) }
        providers = lists.providers.map {
            .init(node: Array($0.node.bytes), ttl: $0.ttlSeconds)
        }
        records = lists.records.map { .init($0) }
        refusals = lists.refusals.map {
            .init(index: $0.index, code: Array($0.code.bytes), seq: $0.seq)
        }
    }
}

extension EnvelopeImage.Record {
    fileprivate init(_ view: RecordView) {
        self.init(
            key: view.key, seq: view.seq, ttl: view.ttlSeconds, value: Array(view.value.bytes),
            isTombstone: view.isTombstone)
    }
}

extension EnvelopeImage.Body {
    fileprivate init(_ message: MessageView, _ lists: Lists) throws(WireError) {
        func copy(_ slice: BorrowedBytes) -> [UInt8] { Array(slice.bytes) }
        switch message {
        case .ping: self = .ping
        case .pong: self = .pong
        case .findNode(let target, let recursion): self = .findNode(target: target, recursion: recursion)
        case .nodes(let more): self = .nodes(lists.contacts, isMoreToCome: more)
        case .get(let key, let wantsNodes, let recursion):
            self = .get(key: key, wantsNodes: wantsNodes, recursion: recursion)
        case .found(let record): self = .found(.init(record), nodes: lists.contacts)
        case .put(let record): self = .put(.init(record))
        case .stored(let ok, let code, let ttl, let seq):
            self = .stored(ok: ok, code: copy(code), ttl: ttl, seq: seq)
        case .putMany: self = .putMany(lists.records)
        case .storedMany(let count): self = .storedMany(stored: count, refused: lists.refusals)
        case .provide(let cid, let node, let ttl): self = .provide(cid: cid, node: copy(node), ttl: ttl)
        case .findProviders(let cid, let limit): self = .findProviders(cid: cid, limit: limit)
        case .providers: self = .providers(lists.providers, nodes: lists.contacts)
        case .busy(let retryMs): self = .busy(retryMs: retryMs)
        case .error(let kind, let detail): self = .error(kind: copy(kind), detail: copy(detail))
        case .unreachable(let node): self = .unreachable(node: node)
        case .unsupported(let name): self = .unsupported(name: copy(name))
        case .malformed(let error): throw error
        }
    }
}

// MARK: - Encoding

extension EnvelopeImage {
    /// The bytes of our encoder; nil for what it cannot write: an unknown message, or a `code` or `kind`
    /// that no node of ours sends.
    func encoded() -> [UInt8]? {
        var buffer = ByteBuffer()
        at.withUnsafeBytes { EnvelopeEncoder(src: src, at: $0, net: net).begin(&buffer, dst: dst, rpc: rpc) }
        guard appendBody(to: &buffer) else { return nil }
        return Array(buffer.bytes)
    }

    private func appendBody(to buffer: inout ByteBuffer) -> Bool {
        switch body {
        case .ping: buffer.appendPing()
        case .pong: buffer.appendPong()
        case .findNode(let target, let recursion):
            buffer.appendFindNode(target: target, recursion: recursion)
        case .nodes(let nodes, let isMoreToCome):
            buffer.beginNodes(count: nodes.count, isMoreToCome: isMoreToCome)
            append(nodes, to: &buffer)
        case .get(let key, wantsNodes: true, recursion: 0): buffer.appendGetWithNodes(key: key)
        case .get(let key, wantsNodes: false, let recursion): buffer.appendGet(key: key, recursion: recursion)
        case .get: return false
        case .found(let record, let nodes):
            record.value.withUnsafeBytes {
                buffer.beginFound(
                    key: record.key, seq: record.seq, ttlSeconds: record.ttl, value: $0,
                    isTombstone: record.isTombstone, contacts: nodes.count
                )
            }
            append(nodes, to: &buffer)
        case .put(let record):
            record.value.withUnsafeBytes {
                buffer.appendPut(
                    key: record.key, seq: record.seq, ttlSeconds: record.ttl, value: $0,
                    isTombstone: record.isTombstone)
            }
        case .putMany(let records):
            buffer.beginPutMany(count: records.count)
            for record in records {
                record.value.withUnsafeBytes {
                    buffer.appendRecord(
                        key: record.key, seq: record.seq, ttlSeconds: record.ttl, value: $0,
                        isTombstone: record.isTombstone)
                }
            }
        case .storedMany(let stored, let refused): return append(stored, refused, to: &buffer)
        case .findProviders(let cid, let limit):
            guard let limit = Int(exactly: limit) else { return false }
            buffer.appendFindProviders(cid: cid, limit: limit)
        case .provide(let cid, let node, let ttl):
            node.withUnsafeBytes { buffer.appendProvide(cid: cid, node: $0, ttlSeconds: ttl) }
        case .providers(let providers, let nodes):
            buffer.beginProviders(count: providers.count)
            for provider in providers {
                provider.node.withUnsafeBytes { buffer.appendProvider(node: $0, ttlSeconds: provider.ttl) }
            }
            buffer.beginProviderNodes(count: nodes.count)
            append(nodes, to: &buffer)
        case .busy(let retryMs): buffer.appendBusy(retryMs: retryMs)
        case .unreachable(let node): buffer.appendUnreachable(node: node)
        case .stored(let ok, let code, let ttl, let seq):
            guard let code = Self.word(code) else { return false }
            let isStale = !ok && ttl == 0 && code.description == "stale"
            guard isStale || seq == 0 else { return false }
            if isStale {
                buffer.appendStale(seq: seq)
            } else {
                buffer.appendStored(ok: ok, code: code, ttlSeconds: ttl)
            }
        case .error(let kind, let detail):
            guard let kind = Self.word(kind), let detail = Self.word(detail) else { return false }
            buffer.appendError(kind: kind, detail: detail)
        case .unsupported: return false
        }
        return true
    }

    private func append(_ stored: UInt64, _ refused: [Refusal], to buffer: inout ByteBuffer) -> Bool {
        buffer.beginStoredMany(stored: Int(stored), refused: refused.count)
        for refusal in refused {
            guard let code = Self.word(refusal.code) else { return false }
            guard refusal.isStale || refusal.seq == 0 else { return false }
            buffer.appendRefusal(
                index: refusal.index, code: code, seq: refusal.isStale ? refusal.seq : nil)
        }
        return true
    }

    private func append(_ nodes: [Contact], to buffer: inout ByteBuffer) {
        for node in nodes {
            var at = ByteBuffer()
            node.at.withUnsafeBytes { at.appendText($0) }
            buffer.appendContact(node.id, at: at.bytes)
        }
    }

    /// Words of ours: the encoder takes them only as literals.
    private static let words: [StaticString] = [
        "stale",
        "", "too_large", "full", "timeout", "unsupported", "malformed", "bad_key_length",
    ]

    private static func word(_ text: Text) -> StaticString? {
        words.first { Text(UnsafeBufferPointer(start: $0.utf8Start, count: $0.utf8CodeUnitCount)) == text }
    }
}

extension EnvelopeImage.Refusal {
    /// Such a one says which version is there.
    fileprivate var isStale: Bool { code == Array("stale".utf8) }
}

// MARK: - Generating

extension EnvelopeImage {
    /// Any envelope our encoder can write; lengths favour the places where a CBOR head grows.
    static func random(using generator: inout some RandomNumberGenerator) -> EnvelopeImage {
        EnvelopeImage(
            dst: .random(using: &generator), src: .random(using: &generator), at: text(&generator),
            net: number(&generator), rpc: number(&generator), body: body(&generator))
    }

    private static func recursion(_ generator: inout some RandomNumberGenerator) -> UInt8 {
        .random(in: 0...Limits.recursion, using: &generator)
    }

    private static func body(_ generator: inout some RandomNumberGenerator) -> Body {
        let id = NodeID.random(using: &generator)
        switch Int.random(in: 0..<16, using: &generator) {
        case 0: return .ping
        case 1: return .pong
        case 2: return .findNode(target: id, recursion: recursion(&generator))
        case 3: return .nodes(contacts(&generator), isMoreToCome: .random(using: &generator))
        case 4:
            let wantsNodes = Bool.random(using: &generator)
            return .get(
                key: id, wantsNodes: wantsNodes, recursion: wantsNodes ? 0 : recursion(&generator))
        case 5: return .found(record(id, &generator), nodes: contacts(&generator))
        case 6: return .put(record(id, &generator))
        case 7:
            return .stored(
                ok: .random(using: &generator), code: word(&generator), ttl: number(&generator), seq: 0)
        case 8: return .provide(cid: id, node: text(&generator), ttl: number(&generator))
        case 9: return .findProviders(cid: id, limit: number(&generator) >> 1)
        case 10: return .providers(providers(&generator), nodes: contacts(&generator))
        case 11: return .busy(retryMs: number(&generator))
        case 12: return .error(kind: word(&generator), detail: word(&generator))
        case 13: return .putMany(batch(&generator))
        case 14: return storedMany(&generator)
        default: return .unreachable(node: id)
        }
    }

    private static func batch(_ generator: inout some RandomNumberGenerator) -> [Record] {
        let count = [1, 2, 23, 24, Limits.recordsPerMessage].randomElement(using: &generator)!
        return (0..<count).map { _ in
            let key = NodeID.random(using: &generator)
            guard Int.random(in: 0..<8, using: &generator) > 0 else {
                return Record(
                    key: key, seq: number(&generator), ttl: number(&generator), value: [], isTombstone: true)
            }
            let value = (0..<Int.random(in: 0...300, using: &generator)).map { UInt8(truncatingIfNeeded: $0) }
            return Record(key: key, seq: number(&generator), ttl: number(&generator), value: value)
        }
    }

    /// Of as many records as fit a message, any may have been refused.
    private static func storedMany(_ generator: inout some RandomNumberGenerator) -> Body {
        let chance = Int.random(in: 0...4, using: &generator)
        let refused = (0..<Limits.recordsPerMessage).compactMap { index -> Refusal? in
            guard Int.random(in: 0..<4, using: &generator) < chance else { return nil }
            var refusal = Refusal(index: index, code: word(&generator))
            if refusal.isStale { refusal.seq = number(&generator) }
            return refusal
        }
        return .storedMany(stored: UInt64(Limits.recordsPerMessage - refused.count), refused: refused)
    }

    /// Of every width alike: a uniform number is nearly always a wide one.
    private static func number(_ generator: inout some RandomNumberGenerator) -> UInt64 {
        generator.next() >> UInt64.random(in: 0..<64, using: &generator)
    }

    private static func text(_ generator: inout some RandomNumberGenerator) -> Text {
        let count = [0, 1, 23, 24, 255, Int.random(in: 0...255, using: &generator)].randomElement(
            using: &generator)!
        return (0..<count).map { _ in UInt8.random(in: 0x20...0x7E, using: &generator) }
    }

    private static func word(_ generator: inout some RandomNumberGenerator) -> Text {
        let word = words.randomElement(using: &generator)!
        return Text(UnsafeBufferPointer(start: word.utf8Start, count: word.utf8CodeUnitCount))
    }

    private static func contacts(_ generator: inout some RandomNumberGenerator) -> [Contact] {
        let count = [0, 1, 20, Limits.contactsPerMessage].randomElement(using: &generator)!
        return (0..<count).map { _ in Contact(id: .random(using: &generator), at: text(&generator)) }
    }

    private static func providers(_ generator: inout some RandomNumberGenerator) -> [Provider] {
        let count = [0, 1, 20, Limits.contactsPerMessage].randomElement(using: &generator)!
        return (0..<count).map { _ in Provider(node: text(&generator), ttl: number(&generator)) }
    }

    private static func record(_ key: Key, _ generator: inout some RandomNumberGenerator) -> Record {
        let count = [0, 1, 23, 24, 255, 256, 65535, 65536].randomElement(using: &generator)!
        let value = (0..<count).map { _ in UInt8.random(in: 0...255, using: &generator) }
        return Record(key: key, seq: number(&generator), ttl: number(&generator), value: value)
    }
}

// MARK: - Comparing with a golden vector

extension EnvelopeImage {
    /// This envelope in the form the golden vectors give.
    func expected() -> ExpectedEnvelope {
        let (message, fields) = body.image
        return ExpectedEnvelope(
            dst: dst.description, src: src.description, at: String(decoding: at, as: UTF8.self), net: net,
            id: rpc,
            message: message, body: fields)
    }
}

extension EnvelopeImage.Body {
    /// The message's name and its body; bytes as hex. An unknown message has no body that we know.
    fileprivate var image: (String, Json) {
        switch self {
        case .ping: ("Ping", .object([:]))
        case .pong: ("Pong", .object([:]))
        case .findNode(let target, let recursion):
            ("FindNode", Self.object(["target": .id(target)], recursion: recursion))
        case .nodes(let nodes, let isMoreToCome):
            ("Nodes", Self.object(["nodes": .contacts(nodes)], ["more": isMoreToCome]))
        case .get(let key, let wantsNodes, let recursion):
            ("Get", Self.object(["key": .id(key)], ["nodes": wantsNodes], recursion: recursion))
        case .found(let record, let nodes):
            ("Found", .object(["record": .record(record), "nodes": .contacts(nodes)]))
        case .put(let record): ("Put", .object(["record": .record(record)]))
        case .stored(let ok, let code, let ttl, let seq):
            (
                "Stored",
                .object(
                    ["ok": .bool(ok), "code": .utf8(code), "ttl": .number(ttl)].merging(
                        seq == 0 ? [:] : ["seq": .number(seq)]
                    ) { $1 })
            )
        case .putMany(let records): ("PutMany", .object(["records": .list(records.map { .record($0) })]))
        case .storedMany(let stored, let refused):
            (
                "StoredMany",
                .object(["stored": .number(stored), "refused": .list(refused.map { .refusal($0) })])
            )
        case .provide(let cid, let node, let ttl):
            ("Provide", .object(["cid": .id(cid), "node": .utf8(node), "ttl": .number(ttl)]))
        case .findProviders(let cid, let limit):
            ("FindProviders", .object(["cid": .id(cid), "limit": .number(limit)]))
        case .providers(let providers, let nodes):
            (
                "Providers",
                .object([
                    "providers": .list(providers.map { .list([.utf8($0.node), .number($0.ttl)]) }),
                    "nodes": .contacts(nodes),
                ])
            )
        case .busy(let retryMs): ("Busy", .object(["retry_ms": .number(retryMs)]))
        case .error(let kind, let detail): ("Error", .object(["kind": .utf8(kind), "detail": .utf8(detail)]))
        case .unreachable(let node): ("Unreachable", .object(["node": .id(node)]))
        case .unsupported(let name): (String(decoding: name, as: UTF8.self), .null)
        }
    }

    /// An object in which flags that are false, and no recursion, are not written.
    private static func object(
        _ fields: [String: Json], _ flags: [String: Bool] = [:], recursion: UInt8 = 0
    ) -> Json {
        var fields = fields
        for (name, isSet) in flags where isSet { fields[name] = .bool(true) }
        if recursion > 0 { fields["recurse"] = .number(UInt64(recursion)) }
        return .object(fields)
    }
}

extension Json {
    fileprivate static func id(_ id: NodeID) -> Json { .text(id.description) }

    fileprivate static func utf8(_ text: [UInt8]) -> Json { .text(String(decoding: text, as: UTF8.self)) }

    fileprivate static func contacts(_ nodes: [EnvelopeImage.Contact]) -> Json {
        .list(nodes.map { .list([.id($0.id), .utf8($0.at)]) })
    }

    fileprivate static func record(_ record: EnvelopeImage.Record) -> Json {
        .object(
            [
                "key": .id(record.key), "seq": .number(record.seq), "ttl": .number(record.ttl),
                "value": .text(Hex.string(record.value)),
            ].merging(record.isTombstone ? ["dead": .bool(true)] : [:]) { $1 })
    }

    fileprivate static func refusal(_ refusal: EnvelopeImage.Refusal) -> Json {
        .object(
            ["index": .number(UInt64(refusal.index)), "code": .utf8(refusal.code)]
                .merging(refusal.isStale ? ["seq": .number(refusal.seq)] : [:]) { $1 })
    }
}
