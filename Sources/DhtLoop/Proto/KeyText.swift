// RO:WHAT  KeyText: what people write for a key.
// RO:WHY   The command line, HTTP and the tests read keys by one rule (docs/PROTOCOL.md, "Key space").
// RO:TEST  Tests/DhtLoopTests/Proto/KeyTextTests.swift

/// Keys as text: `b3:<64 hex>` and `<64 hex>` are the key itself, anything else is hashed with SHA-256.
public enum KeyText {
    private static let prefix = "b3:"
    private static let hexDigits = 2 * NodeID.byteCount

    /// The key that `text` names; every text names one, of any bytes and any length.
    public static func key(_ text: UnsafeRawBufferPointer) -> Key {
        literal(text) ?? Sha256.digest(text).withUnsafeBytes { Key(loading: $0.baseAddress!) }
    }

    /// The key that `text` names.
    public static func key(_ text: String) -> Key {
        var text = text
        return text.withUTF8 { key(UnsafeRawBufferPointer($0)) }
    }

    /// The key that `text` spells out, nil when it would have to be hashed.
    private static func literal(_ text: UnsafeRawBufferPointer) -> Key? {
        let isPrefixed = text.count == hexDigits + prefix.utf8.count && text.starts(with: prefix.utf8)
        guard isPrefixed || text.count == hexDigits else { return nil }
        return Key(hex: String(decoding: text.suffix(hexDigits), as: UTF8.self))
    }
}
