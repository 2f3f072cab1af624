// RO:WHAT  JsonValue: JSON text as a value.
// RO:WHY   The command line reads a node's answers, and bodies of requests are JSON; Foundation stays out.
// RO:SECURITY  text comes from anybody: nesting is bounded, and nothing here traps.
// RO:TEST  Tests/DhtLoopTests/Telemetry/JsonValueTests.swift

/// A JSON value (RFC 8259).
public enum JsonValue: Equatable, Sendable {
    case null
    case bool(Bool)
    case number(Double)
    case string(String)
    case array([JsonValue])
    /// Members in the order they came; names are unique.
    case object([(name: String, value: JsonValue)])

    /// Levels of nesting that are followed.
    public static let maxDepth = 32

    /// Parses one value with nothing but white space around it; nil for anything else, names that repeat included.
    public init?(_ text: UnsafeRawBufferPointer) {
        var parser = JsonParser(text)
        guard let value = parser.parse() else { return nil }
        self = value
    }

    /// Parses UTF-8 text.
    public init?(_ text: [UInt8]) {
        guard let value = text.withUnsafeBytes({ JsonValue($0) }) else { return nil }
        self = value
    }

    /// The member of an object; nil when there is none, or this is no object.
    public subscript(_ name: String) -> JsonValue? {
        guard case .object(let members) = self else { return nil }
        return members.first { $0.name == name }?.value
    }

    /// The text of a string.
    public var text: String? {
        guard case .string(let text) = self else { return nil }
        return text
    }

    /// The items of an array.
    public var items: [JsonValue]? {
        guard case .array(let items) = self else { return nil }
        return items
    }

    /// A number that is whole and fits.
    public var integer: Int? {
        guard case .number(let number) = self else { return nil }
        return Int(exactly: number)
    }

    public static func == (a: JsonValue, b: JsonValue) -> Bool {
        switch (a, b) {
        case (.null, .null): true
        case (.bool(let a), .bool(let b)): a == b
        case (.number(let a), .number(let b)): a == b
        case (.string(let a), .string(let b)): a == b
        case (.array(let a), .array(let b)): a == b
        case (.object(let a), .object(let b)):
            a.elementsEqual(b) { $0.name == $1.name && $0.value == $1.value }
        default: false
        }
    }
}

/// A recursive-descent parser over borrowed bytes. Every step returns nil at the first thing that is wrong.
private struct JsonParser {
    private let text: UnsafeRawBufferPointer
    private var index = 0

    init(_ text: UnsafeRawBufferPointer) { self.text = text }

    mutating func parse() -> JsonValue? {
        guard let value = value(depth: 0) else { return nil }
        skipSpace()
        return index == text.count ? value : nil
    }

    private var next: UInt8? { index < text.count ? text[index] : nil }

    private mutating func skipSpace() {
        while let byte = next, byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 { index += 1 }
    }

    private mutating func take(_ character: Unicode.Scalar) -> Bool {
        guard next == UInt8(ascii: character) else { return false }
        index += 1
        return true
    }

    private mutating func value(depth: Int) -> JsonValue? {
        guard depth < JsonValue.maxDepth else { return nil }
        skipSpace()
        switch next {
        case UInt8(ascii: "{"): return object(depth: depth)
        case UInt8(ascii: "["): return array(depth: depth)
        case UInt8(ascii: "\""): return string().map { .string($0) }
        case UInt8(ascii: "t"): return word("true", .bool(true))
        case UInt8(ascii: "f"): return word("false", .bool(false))
        case UInt8(ascii: "n"): return word("null", .null)
        default: return number()
        }
    }

    private mutating func word(_ word: StaticString, _ value: JsonValue) -> JsonValue? {
        let count = word.utf8CodeUnitCount
        guard text.count - index >= count, let start = text.baseAddress else { return nil }
        guard sameBytes(start + index, word.utf8Start, count: count) else { return nil }
        index += count
        return value
    }

    private mutating func array(depth: Int) -> JsonValue? {
        guard take("[") else { return nil }
        var items: [JsonValue] = []
        skipSpace()
        if take("]") { return .array(items) }
        while true {
            guard let item = value(depth: depth + 1) else { return nil }
            items.append(item)
            skipSpace()
            if take("]") { return .array(items) }
            guard take(",") else { return nil }
        }
    }

    private mutating func object(depth: Int) -> JsonValue? {
        guard take("{") else { return nil }
        var members: [(name: String, value: JsonValue)] = []
        var names: Set<String> = []
        skipSpace()
        if take("}") { return .object(members) }
        while true {
            skipSpace()
            guard let name = string(), names.insert(name).inserted else { return nil }
            skipSpace()
            guard take(":"), let member = value(depth: depth + 1) else { return nil }
            members.append((name, member))
            skipSpace()
            if take("}") { return .object(members) }
            guard take(",") else { return nil }
        }
    }

    /// `-? (0 | [1-9][0-9]*) (. [0-9]+)? ([eE] [+-]? [0-9]+)?`
    private mutating func number() -> JsonValue? {
        let start = index
        _ = take("-")
        let leadingZero = next == UInt8(ascii: "0")
        guard let whole = digits(), !(leadingZero && whole > 1) else { return nil }
        if take("."), digits() == nil { return nil }
        if take("e") || take("E") {
            if !take("+") { _ = take("-") }
            guard digits() != nil else { return nil }
        }
        return Double(String(decoding: text[start..<index], as: UTF8.self)).map { .number($0) }
    }

    /// How many digits were there; nil for none.
    private mutating func digits() -> Int? {
        let start = index
        while let byte = next, byte >= UInt8(ascii: "0"), byte <= UInt8(ascii: "9") { index += 1 }
        return index > start ? index - start : nil
    }

    private mutating func string() -> String? {
        guard take("\"") else { return nil }
        var utf8: [UInt8] = []
        while let byte = next {
            index += 1
            switch byte {
            case UInt8(ascii: "\""): return String(validating: utf8, as: UTF8.self)
            case UInt8(ascii: "\\"):
                guard escape(into: &utf8) else { return nil }
            case 0..<0x20: return nil
            default: utf8.append(byte)
            }
        }
        return nil
    }

    private mutating func escape(into utf8: inout [UInt8]) -> Bool {
        guard let byte = next else { return false }
        index += 1
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): utf8.append(byte)
        case UInt8(ascii: "b"): utf8.append(0x08)
        case UInt8(ascii: "f"): utf8.append(0x0C)
        case UInt8(ascii: "n"): utf8.append(0x0A)
        case UInt8(ascii: "r"): utf8.append(0x0D)
        case UInt8(ascii: "t"): utf8.append(0x09)
        case UInt8(ascii: "u"):
            guard let scalar = unicodeEscape() else { return false }
            utf8 += Array(String(Character(scalar)).utf8)
        default: return false
        }
        return true
    }

    /// A \u escape, or two that are a surrogate pair; a surrogate alone is none.
    private mutating func unicodeEscape() -> Unicode.Scalar? {
        guard let high = hexWord() else { return nil }
        guard high & 0xFC00 == 0xD800 else { return Unicode.Scalar(high) }
        guard take("\\"), take("u"), let low = hexWord(), low & 0xFC00 == 0xDC00 else { return nil }
        return Unicode.Scalar(0x10000 + (high & 0x3FF) << 10 + (low & 0x3FF))
    }

    private mutating func hexWord() -> UInt32? {
        guard text.count - index >= 4 else { return nil }
        let digits = Hex.bytes(String(decoding: text[index..<index + 4], as: UTF8.self))
        guard let digits else { return nil }
        index += 4
        return UInt32(digits[0]) << 8 | UInt32(digits[1])
    }
}
