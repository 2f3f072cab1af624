// RO:WHAT  Setting: one setting as it is declared, and what is said of it.
// RO:WHY   Parser, command line, help and documents all read the declaration, so that they cannot differ.
// RO:INVARIANTS  a setting is reached by the property that declares it, never by the text of its name.
// RO:TEST  Tests/DhtLoopTests/Config/SettingTests.swift

/// A declaration: names, meaning, what is accepted, and the value when nobody gives one.
///
/// It is told from others by its identity: each is made once, by the list that it belongs to.
public final class Setting<Value: Sendable>: Sendable {
    /// The environment variable, and the setting's name everywhere.
    public let name: String
    /// Variables in circulation that are honoured, in this order, when `name` is unset.
    let fallbacks: [String]
    /// The beginning of a sentence for people.
    let meaning: String
    let syntax: SettingSyntax<Value>
    /// SIGHUP changes it while the node runs.
    let isLive: Bool
    private let start: Start

    private enum Start: Sendable {
        case value(Value)
        case sameAs(KeyPath<NodeSettings, Setting<Value>> & Sendable)
    }

    /// A setting with a default of its own.
    init(
        _ name: String, _ meaning: String, _ syntax: SettingSyntax<Value>, initial: Value,
        fallbacks: [String] = [], isLive: Bool = false
    ) {
        (self.name, self.meaning, self.syntax, self.isLive) = (name, meaning, syntax, isLive)
        self.fallbacks = Self.fallbacks(of: name, fallbacks)
        start = .value(initial)
    }

    /// A setting of the node whose default is the value that another one, declared above it, got.
    init(
        _ name: String, _ meaning: String, _ syntax: SettingSyntax<Value>,
        initialOf other: KeyPath<NodeSettings, Setting<Value>> & Sendable, isLive: Bool = false
    ) {
        (self.name, self.meaning, self.syntax, self.isLive) = (name, meaning, syntax, isLive)
        fallbacks = Self.fallbacks(of: name, [])
        start = .sameAs(other)
    }

    /// The value when nobody gives one, to this or to any other setting.
    public var initial: Value {
        switch start {
        case .value(let value): value
        case .sameAs(let other): NodeSettings.all[keyPath: other].initial
        }
    }

    /// The value when nobody gives this one. A default that another setting's value rules out moves with it.
    func initial(after earlier: SettingValues) -> Value {
        switch start {
        case .value(let value): syntax.fit(value, earlier)
        case .sameAs(let other): syntax.fit(earlier[NodeSettings.all[keyPath: other]], earlier)
        }
    }

    /// The option's name without its dashes: `ttl-secs` for `RON_DHT_TTL_SECS`.
    var flag: String {
        let prefix = ["RON_DHT_", "RON_OVERLAY_", "SVC_OVERLAY_", "RON_"].first { name.hasPrefix($0) } ?? ""
        return String(name.dropFirst(prefix.count).lowercased().map { $0 == "_" ? "-" : $0 })
    }

    /// `SVC_DHT_<X>`, which the original's documents use, is the last fallback of `RON_DHT_<X>`.
    private static func fallbacks(of name: String, _ others: [String]) -> [String] {
        guard name.hasPrefix("RON_DHT_") else { return others }
        return others + ["SVC_DHT_" + name.dropFirst("RON_DHT_".count)]
    }
}

/// A setting whatever the type of its value.
protocol DeclaredSetting: Sendable {
    var facts: SettingFacts { get }

    /// Has the reader find out the value.
    func read(with reader: inout SettingReader) throws(ConfigError)
}

extension Setting: DeclaredSetting {
    var facts: SettingFacts {
        let initialText: String? =
            switch start {
            case .value(let value): syntax.write(value)
            case .sameAs(let other): "that of \(NodeSettings.all[keyPath: other].name)"
            }
        return SettingFacts(
            name: name, flag: flag, fallbacks: fallbacks, meaning: meaning, accepts: syntax.accepts(),
            initial: initialText?.isEmpty == false ? initialText : nil, isLive: isLive,
            isSwitch: Value.self == Bool.self)
    }

    func read(with reader: inout SettingReader) throws(ConfigError) { try reader.read(self) }
}

/// What is said of a setting.
public struct SettingFacts: Sendable {
    /// The environment variable.
    public let name: String
    /// The option, without its dashes.
    public let flag: String
    /// Other variables that are honoured, the first one first, when `name` is unset.
    public let fallbacks: [String]
    /// The beginning of a sentence for people.
    public let meaning: String
    /// The range of a number, the words of a choice, or the shape of a text.
    public let accepts: String
    /// The default; nil where there is none.
    public let initial: String?
    /// SIGHUP changes it while the node runs.
    public let isLive: Bool
    /// The option takes no value: to give it is to say 1.
    public let isSwitch: Bool

    /// What `--help` says: meaning, variable, default, what is accepted, and whether it changes live.
    public var help: String {
        var notes = [name]
        if let initial { notes.append("default \(initial)") }
        notes.append(accepts)
        if isLive { notes.append("SIGHUP changes it") }
        return "\(meaning). (\(notes.joined(separator: "; ")))"
    }
}

/// The settings of a program: a type whose stored properties are their declarations.
///
/// Their order is that of tables and help. One whose range or default hangs on another stands below it.
public protocol SettingList: Sendable {
    static var all: Self { get }
}

extension SettingList {
    /// The declarations, in their order. A property is declared by being there: nothing else lists it.
    static var declarations: [any DeclaredSetting] {
        Mirror(reflecting: all).children.compactMap { $0.value as? any DeclaredSetting }
    }

    /// What is said of each, in their order.
    public static var facts: [SettingFacts] { declarations.map(\.facts) }
}
