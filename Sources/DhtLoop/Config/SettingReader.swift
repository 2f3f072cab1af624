// RO:WHAT  SettingReader: declarations plus flags, environment and file give the values in force.
// RO:WHY   Order of precedence, clamping and error texts are the same for every setting.
// RO:INVARIANTS  pure: flags, environment and file come in as dictionaries.
// RO:TEST  Tests/DhtLoopTests/Config/ConfigTests.swift

/// The value that each setting of a list got.
struct SettingValues: Sendable {
    private var values: [ObjectIdentifier: any Sendable] = [:]

    /// A setting that was read. To ask for another is a mistake in the order of declarations.
    fileprivate(set) subscript<Value>(setting: Setting<Value>) -> Value {
        get {
            guard let value = values[ObjectIdentifier(setting)], let value = value as? Value else {
                preconditionFailure("\(setting.name) is asked for before it was read")
            }
            return value
        }
        set { values[ObjectIdentifier(setting)] = newValue }
    }
}

/// Reads settings in the order of their declarations. Flags win over the environment, that over the file; the name of
/// a setting wins over its fallbacks, and those over the default.
struct SettingReader {
    private(set) var values = SettingValues()
    private(set) var effective: [EffectiveSetting] = []
    /// One line for each clamp that applied.
    private(set) var warnings: [String] = []
    private let flags: [String: String]
    /// Where a variable is looked for, the first place first.
    private let places: [(values: [String: String], source: SettingSource)]

    /// - Parameters:
    ///   - flags: values by setting name, as given on the command line.
    ///   - environment: an empty value counts as unset, as in a unit file or a compose file.
    init(
        _ declarations: [any DeclaredSetting], flags: [String: String], environment: [String: String],
        file: ConfigFile = ConfigFile()
    ) throws(ConfigError) {
        self.flags = flags
        places = [(environment, .environment), (file.values, .file)]
        for setting in declarations { try setting.read(with: &self) }
    }

    /// Where the value of a setting came from.
    func source<Value>(of setting: Setting<Value>) -> SettingSource { find(setting)?.source ?? .default }

    /// Finds out the value of one setting; those that it hangs on have been read.
    mutating func read<Value>(_ setting: Setting<Value>) throws(ConfigError) {
        guard let given = find(setting) else {
            return record(setting, setting.initial(after: values), source: .default, clampedFrom: nil)
        }
        switch setting.syntax.read(given.text, values) {
        case .value(let value): record(setting, value, source: given.source, clampedFrom: nil)
        case .clamped(let value):
            record(setting, value, source: given.source, clampedFrom: given.text)
            warnings.append(
                "\(given.writtenAs)=\(given.text) is out of range, using \(setting.syntax.write(value))")
        case .refused(let accepts, let item):
            throw ConfigError(name: given.writtenAs, value: item ?? given.text, accepts: accepts)
        }
    }

    private mutating func record<Value>(
        _ setting: Setting<Value>, _ value: Value, source: SettingSource, clampedFrom: String?
    ) {
        values[setting] = value
        effective.append(
            EffectiveSetting(
                name: setting.name, value: setting.syntax.write(value), source: source,
                clampedFrom: clampedFrom))
    }

    private struct Given {
        let text: String
        let source: SettingSource
        /// The name to use in an error.
        let writtenAs: String
    }

    private func find<Value>(_ setting: Setting<Value>) -> Given? {
        if let text = flags[setting.name] {
            return Given(text: text.trimmed, source: .flag(setting.flag), writtenAs: "--\(setting.flag)")
        }
        for name in [setting.name] + setting.fallbacks {
            for place in places {
                guard let text = place.values[name]?.trimmed, !text.isEmpty else { continue }
                let source: SettingSource = name == setting.name ? place.source : .fallback(name)
                return Given(text: text, source: source, writtenAs: name)
            }
        }
        return nil
    }
}

extension String {
    /// Without the white space around it.
    var trimmed: String {
        let isSpace = { (character: Character) in character.isWhitespace }
        let start = drop(while: isSpace)
        return String(start.reversed().drop(while: isSpace).reversed())
    }
}
