// RO:WHAT  ProvideBody: the JSON of POST /dht/provide, and what can be wrong with it.
// RO:WHY   Callers of the original tell 400 from 415 and 422; each fault says how to mend it.
// RO:SECURITY  reads what any client sent; unknown fields are refused, so that a misspelt ttl is not lost.
// RO:TEST  Tests/DhtLoopTests/Admin/ProvideRouteTests.swift

/// A content id as text.
enum ContentId {
    static let shape = "b3: and 64 lowercase hexadecimal digits"
    private static let prefix = "b3:"

    /// The key of `b3:<64 lowercase hex>`; nil for other text.
    static func key(_ text: String) -> Key? {
        guard text.hasPrefix(prefix) else { return nil }
        let digits = text.dropFirst(prefix.count)
        guard digits.utf8.count == 2 * NodeID.byteCount else { return nil }
        guard digits.utf8.allSatisfy({ $0 < UInt8(ascii: "A") || $0 > UInt8(ascii: "F") }) else { return nil }
        return Key(hex: String(digits))
    }

    static func text(_ key: Key) -> String { prefix + key.description }
}

/// Where a provider is reached.
enum NodeUri {
    static let maxBytes = 255

    /// Whether `text` is `<scheme>://<id>` without white space or control characters.
    static func isValid(_ text: String) -> Bool {
        let bytes = text.utf8
        guard bytes.count <= maxBytes, bytes.allSatisfy({ $0 > 0x20 && $0 != 0x7F }) else { return false }
        guard let colon = bytes.firstIndex(of: UInt8(ascii: ":")), colon > bytes.startIndex else {
            return false
        }
        let rest = bytes[colon...]
        return rest.starts(with: "://".utf8) && rest.count > 3
    }
}

/// The body of a provide, as clients send it.
public func provideBody(cid: String, node: String, ttlSeconds: UInt32?) -> [UInt8] {
    var json = JsonWriter()
    json.beginObject()
    json.field("cid", cid)
    json.field("node", node)
    if let ttlSeconds { json.field("ttl_secs", ttlSeconds) }
    json.endObject()
    return [UInt8](json.bytes)
}

/// What is wrong with a body.
enum ProvideFault: Error, Equatable {
    /// Not `application/json`.
    case mediaType
    case syntax
    /// A field is missing, unknown, or of the wrong kind.
    case field(String, expected: String)
    case nodeUri
}

extension ProvideRequest {
    private static let fields = ["cid", "node", "ttl_secs"]

    /// Reads a request's body.
    init(_ body: UnsafeRawBufferPointer, contentType: String?) throws(ProvideFault) {
        let mediaType = contentType?.prefix { $0 != ";" }.lowercased().filter { $0 != " " }
        guard mediaType == MediaType.json else { throw .mediaType }
        guard let json = JsonValue(body) else { throw .syntax }
        guard case .object(let members) = json else { throw .field("body", expected: "an object") }
        for member in members where !Self.fields.contains(member.name) {
            throw .field(member.name, expected: "one of cid, node, ttl_secs")
        }
        guard let key = json["cid"]?.text.flatMap({ ContentId.key($0) }) else {
            throw .field("cid", expected: ContentId.shape)
        }
        guard let node = json["node"]?.text else { throw .field("node", expected: "a text") }
        let ttlSeconds = try Self.ttl(json["ttl_secs"])
        guard NodeUri.isValid(node) else { throw .nodeUri }
        (self.key, self.node, self.ttlSeconds) = (key, node, ttlSeconds)
    }

    /// A huge life is taken: the answer says which one is used instead.
    private static func ttl(_ value: JsonValue?) throws(ProvideFault) -> UInt64? {
        switch value {
        case nil, .null: return nil
        case .number(let number) where number >= 0 && number.rounded() == number:
            return number < 0x1p63 ? UInt64(number) : UInt64(Int64.max)
        default: throw .field("ttl_secs", expected: "a whole number of seconds")
        }
    }
}
