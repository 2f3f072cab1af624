// RO:WHAT  LogConfig: what is logged, and in which form; and a configuration as a line of the log or as JSON.
// RO:WHY   Operators read their configuration where the daemon says what it does.

import Logging

/// Level and form of log lines.
public struct LogConfig: Equatable, Sendable {
    /// The least level that is logged.
    public let level: Logger.Level
    public let format: LogFormat

    static let levels = Logger.Level.allCases.map(\.rawValue)
    static let formats = LogFormat.allCases.map(\.rawValue)

    /// Both words are as the table of settings accepts them.
    init(level: String, format: String) {
        self.level = Logger.Level(rawValue: level) ?? .info
        self.format = LogFormat(rawValue: format) ?? .json
    }
}

extension [EffectiveSetting] {
    /// A JSON array with a newline: name, value, source, and what was clamped.
    public var json: [UInt8] {
        var json = JsonWriter(capacity: 4096)
        json.beginArray()
        for setting in self {
            json.beginObject()
            json.field("name", setting.name)
            json.field("value", setting.value)
            json.field("source", setting.source.description)
            if let asked = setting.clampedFrom { json.field("clamped_from", asked) }
            json.endObject()
        }
        json.endArray()
        json.newline()
        return [UInt8](json.bytes)
    }

    /// The configuration in force as fields of one log line: each value with where it came from.
    public var logFields: Logger.Metadata {
        var fields: Logger.Metadata = [:]
        for setting in self { fields[setting.name] = .string("\(setting.value) (\(setting.source))") }
        return fields
    }
}

extension ConfigChange {
    /// The change as fields of one log line.
    var logFields: Logger.Metadata {
        ["setting": .string(name), "before": .string(before), "after": .string(after)]
    }
}
