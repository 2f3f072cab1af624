// RO:WHAT  LogRecord: one event as a value, and its line as JSON or as text.
// RO:WHY   The fields and their order are a contract with whoever reads the logs.
// RO:INVARIANTS  one event is one line of at most `maxLineBytes`, newline included.
// RO:SECURITY  a peer's text cannot break a line or forge a field: both forms escape it.
// RO:TEST  Tests/DhtLoopTests/Telemetry/LogTests.swift

import Logging

/// One event. The message of the log call is the event's name.
struct LogRecord {
    /// Microseconds since 1970.
    var wallUs: UInt64
    var level: Logger.Level
    var service: String
    var event: String
    var metadata: Logger.Metadata
    /// Further times the same happened since the line before.
    var repeated: UInt64 = 0

    /// What a pipe takes whole or not at all (PIPE_BUF), so that lines never tear.
    static let maxLineBytes = 4096
    /// Fields with a fixed place, in this order; others follow by name.
    private static let orderedFields = ["peer", "op", "key", "hops", "ttl", "ms", "cause"]
    private static let maxValueBytes = 512

    /// Writes the line into `writer`, which is cleared first.
    func write(_ format: LogFormat, into writer: inout JsonWriter) {
        render(format, fields: fields, into: &writer)
        if writer.bytes.count > Self.maxLineBytes {
            render(format, fields: [("truncated", .bool(true))], into: &writer)
        }
    }

    private enum Value {
        case text(String)
        case integer(Int64)
        case number(Double)
        case bool(Bool)
    }

    private func render(_ format: LogFormat, fields: [(String, Value)], into writer: inout JsonWriter) {
        writer.clear()
        switch format {
        case .json: renderJson(fields, &writer)
        case .text: renderText(fields, &writer)
        }
    }

    private func renderJson(_ fields: [(String, Value)], _ writer: inout JsonWriter) {
        writer.beginObject()
        writer.field("ts", Timestamp.text(wallUs: wallUs))
        writer.field("level", level.rawValue)
        writer.field("service", service)
        writer.field("event", Self.clip(event))
        for (name, value) in fields {
            switch value {
            case .text(let text): writer.field(name, text)
            case .integer(let number): writer.field(name, number)
            case .number(let number): writer.field(name, number)
            case .bool(let flag): writer.field(name, flag)
            }
        }
        writer.endObject()
        writer.newline()
    }

    private func renderText(_ fields: [(String, Value)], _ writer: inout JsonWriter) {
        let level = level.rawValue.uppercased()
        let padded = level + String(repeating: " ", count: max(0, 8 - level.count))
        writer.raw("\(Timestamp.text(wallUs: wallUs)) \(padded) \(service) \(Self.word(Self.clip(event)))")
        for (name, value) in fields {
            switch value {
            case .text(let text): writer.raw(" \(name)=\(Self.word(text))")
            case .integer(let number): writer.raw(" \(name)=\(number)")
            case .number(let number): writer.raw(" \(name)=\(number)")
            case .bool(let flag): writer.raw(" \(name)=\(flag)")
            }
        }
        writer.newline()
    }

    private var fields: [(String, Value)] {
        var result: [(String, Value)] = []
        for name in Self.orderedFields { metadata[name].map { result.append((name, Self.value($0))) } }
        let others = metadata.keys.filter { !Self.orderedFields.contains($0) }.sorted()
        for name in others { metadata[name].map { result.append((name, Self.value($0))) } }
        if repeated > 0 { result.append(("repeated", .integer(Int64(clamping: repeated)))) }
        return result
    }

    /// Numbers stay numbers, so that a program need not parse them out of strings.
    private static func value(_ value: Logger.MetadataValue) -> Value {
        guard case .stringConvertible(let convertible) = value else { return .text(clip(value.description)) }
        switch convertible {
        case let flag as Bool: return .bool(flag)
        case let number as Double: return .number(number)
        case let number as any BinaryInteger: return .integer(Int64(clamping: number))
        default: return .text(clip(convertible.description))
        }
    }

    private static func clip(_ text: String) -> String {
        guard text.utf8.count > maxValueBytes else { return text }
        return String(decoding: text.utf8.prefix(maxValueBytes), as: UTF8.self) + "…"
    }

    /// `text` as one word: as it is, or as a JSON string when that would be ambiguous.
    private static func word(_ text: String) -> String {
        let isPlain = text.utf8.allSatisfy {
            $0 > 0x20 && $0 != 0x7F && $0 != UInt8(ascii: "\"") && $0 != UInt8(ascii: "=")
        }
        if isPlain, !text.isEmpty { return text }
        var quoted = JsonWriter(capacity: text.utf8.count + 16)
        quoted.value(text)
        return String(decoding: quoted.bytes, as: UTF8.self)
    }
}
