// RO:WHAT  SettingResolver: a table of settings plus flags, environment and file gives the values in force.
// RO:WHY   Order of precedence, clamping and error texts are the same for every setting.
// RO:INVARIANTS  pure: flags, environment and file come in as dictionaries.
// RO:TEST  Tests/DhtLoopTests/Config/ConfigTests.swift

/// Resolves settings in table order. Flags win over the environment, that over the file; the name of a setting wins
/// over its fallbacks, and those over the default.
struct SettingResolver {
    private(set) var effective: [EffectiveSetting] = []
    /// One line for each clamp that applied.
    private(set) var warnings: [String] = []
    private var numbers: [String: Int] = [:]
    private var texts: [String: String] = [:]

    /// - Parameters:
    ///   - flags: values by setting name, as given on the command line.
    ///   - environment: an empty value counts as unset, as in a unit file or a compose file.
    init(
        _ table: [SettingSpec], flags: [String: String], environment: [String: String],
        file: ConfigFile = ConfigFile()
    ) throws(ConfigError) {
        for spec in table {
            let given = Self.find(spec, flags: flags, environment: environment, file: file)
            switch given {
            case .some(let given): try take(spec, given)
            case .none: takeInitial(spec)
            }
        }
    }

    /// The number a setting got; the table says that it is one.
    func number(_ name: String) -> Int { numbers[name] ?? 0 }

    /// The text a setting got; empty when it has none.
    func text(_ name: String) -> String { texts[name] ?? "" }

    /// Where a setting's value came from.
    func source(_ name: String) -> SettingSource {
        effective.first { $0.name == name }?.source ?? .default
    }

    /// The items of a list setting.
    func list(_ name: String) -> [String] { Self.items(text(name)) }

    private struct Given {
        let text: String
        let source: SettingSource
        /// The name to use in an error.
        let writtenAs: String
    }

    private static func find(
        _ spec: SettingSpec, flags: [String: String], environment: [String: String], file: ConfigFile
    ) -> Given? {
        if let text = flags[spec.name] {
            return Given(text: trim(text), source: .flag(spec.flag), writtenAs: "--\(spec.flag)")
        }
        let places: [(values: [String: String], source: SettingSource)] = [
            (environment, .environment), (file.values, .file),
        ]
        for name in [spec.name] + spec.fallbacks {
            for place in places {
                guard let text = place.values[name].map(trim), !text.isEmpty else { continue }
                let source: SettingSource = name == spec.name ? place.source : .fallback(name)
                return Given(text: text, source: source, writtenAs: name)
            }
        }
        return nil
    }

    private mutating func takeInitial(_ spec: SettingSpec) {
        var value = ""
        switch spec.initial {
        case .number(let number): value = String(number)
        case .text(let text): value = text
        case .setting(let other): value = texts[other] ?? ""
        case .nothing: break
        }
        // A default that another setting's value rules out moves with it, and nobody needs a warning for that.
        if case .integer(let least, let most) = spec.kind, let number = Int(value) {
            value = String(min(max(number, resolve(least)), resolve(most)))
        }
        record(spec, value, source: .default, clampedFrom: nil)
    }

    private mutating func take(_ spec: SettingSpec, _ given: Given) throws(ConfigError) {
        let accepted: String
        var clamped = false
        switch spec.kind {
        case .integer(let least, let most):
            let number = try integer(given, least: resolve(least), most: resolve(most), &clamped)
            accepted = String(number)
        case .integerOrOff(let range):
            accepted = String(try integerOrOff(given, range, &clamped))
        case .choice(let words, let aliases): accepted = try choice(given, words, aliases)
        case .toggle: accepted = try toggle(given)
        case .listenAddress: accepted = try address(given, leastPort: 0)
        case .endpoint: accepted = try address(given, leastPort: 1)
        case .endpoints(let limit): accepted = try endpoints(given, limit: limit, &clamped)
        case .nodeID: accepted = try nodeID(given)
        case .text: accepted = given.text
        }
        if clamped { warnings.append("\(given.writtenAs)=\(given.text) is out of range, using \(accepted)") }
        record(spec, accepted, source: given.source, clampedFrom: clamped ? given.text : nil)
    }

    private mutating func record(
        _ spec: SettingSpec, _ value: String, source: SettingSource, clampedFrom: String?
    ) {
        texts[spec.name] = value
        numbers[spec.name] = Int(value)
        effective.append(
            EffectiveSetting(name: spec.name, value: value, source: source, clampedFrom: clampedFrom))
    }

    private func resolve(_ bound: Bound) -> Int {
        switch bound {
        case .number(let number): number
        case .setting(let name): number(name)
        case .leastOf(let limit, let name): min(limit, number(name))
        }
    }
}

// The kinds, one function each.
extension SettingResolver {
    private func refuse(_ given: Given, _ accepts: String) -> ConfigError {
        ConfigError(name: given.writtenAs, value: given.text, accepts: accepts)
    }

    private func integer(
        _ given: Given, least: Int, most: Int, _ clamped: inout Bool
    ) throws(ConfigError) -> Int {
        guard let number = Self.saturatingInteger(given.text) else {
            let range = most == .max ? "of \(least) or more" : "from \(least) to \(most)"
            throw refuse(given, "a whole number \(range)")
        }
        clamped = Int(given.text) == nil || number < least || number > most
        return min(max(number, least), most)
    }

    private func integerOrOff(
        _ given: Given, _ range: ClosedRange<Int>, _ clamped: inout Bool
    ) throws(ConfigError) -> Int {
        guard let number = Self.saturatingInteger(given.text) else {
            throw refuse(given, "0, or a whole number from \(range.lowerBound) to \(range.upperBound)")
        }
        let accepted = number <= 0 ? 0 : min(max(number, range.lowerBound), range.upperBound)
        clamped = accepted != number
        return accepted
    }

    private func choice(
        _ given: Given, _ words: [String], _ aliases: [String: String]
    ) throws(ConfigError) -> String {
        let word = given.text.lowercased()
        let canonical = aliases[word] ?? word
        guard words.contains(canonical) else {
            throw refuse(given, "one of " + words.joined(separator: ", "))
        }
        return canonical
    }

    private func toggle(_ given: Given) throws(ConfigError) -> String {
        switch given.text.lowercased() {
        case "1", "true", "yes", "on": "1"
        case "0", "false", "no", "off": "0"
        default: throw refuse(given, "1, true, yes, on, 0, false, no or off")
        }
    }

    private func address(_ given: Given, leastPort: Int) throws(ConfigError) -> String {
        guard HostPort.isValid(given.text, leastPort: leastPort) else {
            throw refuse(given, "host:port or [v6]:port with a port from \(leastPort) to 65535")
        }
        return given.text
    }

    private func endpoints(
        _ given: Given, limit: Int, _ clamped: inout Bool
    ) throws(ConfigError) -> String {
        let items = Self.items(given.text)
        for item in items where item.contains(":") && !HostPort.isValid(item, leastPort: 1) {
            throw ConfigError(
                name: given.writtenAs, value: item,
                accepts: "host:port, [v6]:port or the name of a peer in the peers file")
        }
        clamped = items.count > limit
        return items.prefix(limit).joined(separator: ",")
    }

    private func nodeID(_ given: Given) throws(ConfigError) -> String {
        guard let id = NodeID(hex: given.text), !id.isZero else {
            throw refuse(given, "64 hexadecimal digits, not all zero")
        }
        return id.description
    }
}

extension SettingResolver {
    private static func items(_ text: String) -> [String] {
        if text == "none" { return [] }
        return text.split(separator: ",").map { trim(String($0)) }.filter { !$0.isEmpty }
    }

    /// Parses a decimal integer of any length; what does not fit an `Int` becomes its nearest end.
    private static func saturatingInteger(_ text: String) -> Int? {
        if let number = Int(text) { return number }
        let negative = text.hasPrefix("-")
        let digits = negative || text.hasPrefix("+") ? text.dropFirst() : text[...]
        guard !digits.isEmpty, digits.utf8.allSatisfy({ $0 >= 0x30 && $0 <= 0x39 }) else { return nil }
        return negative ? .min : .max
    }

    static func trim(_ text: String) -> String {
        let isSpace = { (character: Character) in character.isWhitespace }
        let start = text.drop(while: isSpace)
        return String(start.reversed().drop(while: isSpace).reversed())
    }
}
