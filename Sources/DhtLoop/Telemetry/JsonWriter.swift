// RO:WHAT  JsonWriter: JSON text into a buffer, one call a token.
// RO:WHY   Answers and log lines are small and flat; an encoder with a tree behind it would bring Foundation.
// RO:INVARIANTS  commas are the writer's business; the caller balances begin and end.
// RO:TEST  Tests/DhtLoopTests/Telemetry/JsonWriterTests.swift

/// Writes JSON (RFC 8259), compact, keys in the order of the calls.
struct JsonWriter: ~Copyable {
    /// What was written so far.
    private(set) var buffer: ByteBuffer
    private var needsComma = false

    /// `capacity` is in bytes.
    init(capacity: Int = 256) { buffer = ByteBuffer(capacity: capacity) }

    var bytes: UnsafeRawBufferPointer { buffer.bytes }

    /// Starts over and keeps the memory.
    mutating func clear() {
        buffer.clear()
        needsComma = false
    }

    mutating func beginObject() { open("{") }
    mutating func endObject() { close("}") }
    mutating func beginArray() { open("[") }
    mutating func endArray() { close("]") }

    /// A member's name; its value is the next call.
    mutating func key(_ name: String) {
        separate()
        quote(name)
        append(":")
        needsComma = false
    }

    mutating func value(_ text: String) {
        separate()
        quote(text)
        needsComma = true
    }

    mutating func value(_ number: some BinaryInteger) { bare(String(number)) }

    mutating func value(_ flag: Bool) { bare(flag ? "true" : "false") }

    /// JSON has no infinity and no NaN: they become null.
    mutating func value(_ number: Double) { bare(number.isFinite ? number.description : "null") }

    mutating func null() { bare("null") }

    /// Ends the text with a newline.
    mutating func newline() { append("\n") }

    /// Text that is no JSON, for the callers that also write plain lines.
    mutating func raw(_ text: String) { append(text) }

    private mutating func open(_ bracket: StaticString) {
        separate()
        append(bracket)
        needsComma = false
    }

    private mutating func close(_ bracket: StaticString) {
        append(bracket)
        needsComma = true
    }

    private mutating func separate() { if needsComma { append(",") } }

    private mutating func bare(_ token: String) {
        separate()
        append(token)
        needsComma = true
    }

    private mutating func append(_ text: StaticString) {
        buffer.append(UnsafeRawBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }

    private mutating func append(_ text: String) { buffer.append(utf8: text) }

    /// Writes `text` in quotes; what needs no escape is copied in runs.
    private mutating func quote(_ text: String) {
        append("\"")
        var text = text
        text.withUTF8 { utf8 in
            var run = 0
            for (index, byte) in utf8.enumerated() where Self.needsEscape(byte) {
                buffer.append(UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(utf8)[run..<index]))
                escape(byte)
                run = index + 1
            }
            buffer.append(UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(utf8)[run...]))
        }
        append("\"")
    }

    private static func needsEscape(_ byte: UInt8) -> Bool {
        byte < 0x20 || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\")
    }

    private mutating func escape(_ byte: UInt8) {
        switch byte {
        case UInt8(ascii: "\""): append("\\\"")
        case UInt8(ascii: "\\"): append("\\\\")
        case UInt8(ascii: "\n"): append("\\n")
        case UInt8(ascii: "\r"): append("\\r")
        case UInt8(ascii: "\t"): append("\\t")
        default:
            append("\\u00")
            append(Hex.string([byte]))
        }
    }
}

extension JsonWriter {
    mutating func field(_ name: String, _ text: String) {
        key(name)
        value(text)
    }

    mutating func field(_ name: String, _ number: some BinaryInteger) {
        key(name)
        value(number)
    }

    mutating func field(_ name: String, _ flag: Bool) {
        key(name)
        value(flag)
    }

    mutating func field(_ name: String, _ number: Double) {
        key(name)
        value(number)
    }

    /// A field for each number, in this order.
    mutating func fields(_ numbers: KeyValuePairs<String, some BinaryInteger>) {
        for (name, number) in numbers { field(name, number) }
    }

    mutating func field(_ name: String, _ texts: [String]) {
        key(name)
        beginArray()
        for text in texts { value(text) }
        endArray()
    }

    mutating func field(_ name: String, _ numbers: [some BinaryInteger]) {
        key(name)
        beginArray()
        for number in numbers { value(number) }
        endArray()
    }

    mutating func field(_ name: String, _ numbers: [Double]) {
        key(name)
        beginArray()
        for number in numbers { value(number) }
        endArray()
    }
}

extension ByteBuffer {
    /// Appends the UTF-8 of `text`.
    mutating func append(utf8 text: String) {
        var text = text
        text.withUTF8 { append(UnsafeRawBufferPointer($0)) }
    }
}
