// RO:WHAT  EffectiveSetting: a setting with the value in force, where that came from; and ConfigError.
// RO:WHY   Operators are told what applies and why, in the words they gave it in.
// RO:TEST  Tests/DhtLoopTests/Config/ConfigTests.swift

import Logging

/// Where a value came from.
public enum SettingSource: Equatable, Sendable {
    case flag(String)
    case environment
    /// The configuration file.
    case file
    case fallback(String)
    case `default`
}

extension SettingSource: CustomStringConvertible {
    /// As `svc-dht config` shows it: `flag --k`, `env`, `file`, `fallback DHT_K`, `default`.
    public var description: String {
        switch self {
        case .flag(let name): "flag --\(name)"
        case .environment: "env"
        case .file: "file"
        case .fallback(let name): "fallback \(name)"
        case .default: "default"
        }
    }
}

/// A setting with the value in force.
public struct EffectiveSetting: Equatable, Sendable {
    /// Name of the environment variable.
    public let name: String
    /// The value as text; empty when there is none.
    public let value: String
    public let source: SettingSource
    /// What was asked for, when a clamp changed it.
    public let clampedFrom: String?
}

/// A value that does not parse. Ends the process with exit code 2.
public struct ConfigError: Error, Equatable, Sendable {
    /// The variable or flag as the user wrote it.
    public let name: String
    public let value: String
    /// What would have been accepted.
    public let accepts: String

    public init(name: String, value: String, accepts: String) {
        (self.name, self.value, self.accepts) = (name, value, accepts)
    }
}

extension ConfigError: CustomStringConvertible {
    public var description: String { "\(name): \"\(value)\" is not \(accepts)" }
}

extension [EffectiveSetting] {
    /// The configuration in force as fields of one log line: each value with where it came from.
    public var logFields: Logger.Metadata {
        var fields: Logger.Metadata = [:]
        for setting in self { fields[setting.name] = .string("\(setting.value) (\(setting.source))") }
        return fields
    }
}
