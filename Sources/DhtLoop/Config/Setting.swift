// RO:WHAT  What a setting is: its names, what it accepts, where its value came from.
// RO:WHY   Settings are a table read by one resolver, so that each has the same rules and the same errors.
// RO:TEST  Tests/DhtLoopTests/Config/ConfigTests.swift

/// One bound of an integer's range.
enum Bound: Sendable {
    case number(Int)
    /// The value another setting got.
    case setting(String)
    /// The smaller of both.
    case leastOf(Int, String)
}

/// What a setting's text has to be.
enum SettingKind: Sendable {
    /// A whole number, clamped into `least...most`.
    case integer(least: Bound, most: Bound)
    /// 0 for off, or a whole number that is clamped into the range.
    case integerOrOff(ClosedRange<Int>)
    /// One of some words; `aliases` are other spellings of them.
    case choice([String], aliases: [String: String] = [:])
    /// 1/true/yes/on or 0/false/no/off.
    case toggle
    /// `host:port`; port 0 asks the kernel for one.
    case listenAddress
    /// `host:port` as others dial it; port 1...65535.
    case endpoint
    /// Comma-separated endpoints or peer names, at most `limit` of them; `none` is the empty list.
    case endpoints(limit: Int)
    /// 64 hexadecimal digits.
    case nodeID
    /// Anything, such as a path.
    case text
}

/// A setting as the table declares it.
struct SettingSpec: Sendable {
    /// The environment variable, and the setting's name everywhere.
    let name: String
    /// The flag that overrides it, without its dashes.
    let flag: String
    /// Variables in circulation that are honoured, in this order, when `name` is unset.
    var fallbacks: [String] = []
    let kind: SettingKind
    /// The value when nobody gives one.
    let initial: Initial
    /// What it is for, as the beginning of a sentence for people.
    let meaning: String
    /// SIGHUP changes it while the node runs.
    var isLive = false

    /// A default.
    enum Initial: Sendable {
        case number(Int)
        case text(String)
        /// The value another setting got.
        case setting(String)
        case nothing
    }
}

extension SettingSpec {
    /// What `--help` says: meaning, variable, default, and the range of a number.
    var help: String {
        var notes = [name]
        switch initial {
        case .number(let number): notes.append("default \(number)")
        case .text(let text): notes.append("default \(text)")
        case .setting(let other): notes.append("default that of \(other)")
        case .nothing: break
        }
        if case .integer(let least, let most) = kind { notes.append("from \(least) to \(most)") }
        if case .integerOrOff(let range) = kind {
            notes.append("0 for off, or from \(range.lowerBound) to \(range.upperBound)")
        }
        if case .choice(let words, _) = kind { notes.append("one of \(words.joined(separator: ", "))") }
        return "\(meaning). (\(notes.joined(separator: "; ")))"
    }
}

extension Bound: CustomStringConvertible {
    var description: String {
        switch self {
        case .number(.max): "no limit"
        case .number(let number): "\(number)"
        case .setting(let name): name
        case .leastOf(let number, let name): "\(number) or \(name)"
        }
    }
}

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
