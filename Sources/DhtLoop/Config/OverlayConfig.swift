// RO:WHAT  OverlayConfig: how the switch is set up as a process of its own.
// RO:WHY   The daemon reads plain typed values; every rule about names and ranges is in the declarations.
// RO:INVARIANTS  pure: flags and environment come in as arguments.
// RO:TEST  Tests/DhtLoopTests/Config/ConfigTests.swift

/// Configuration of the switch: `config.handshakeMs` is the value in force of `OverlaySettings.handshakeMs`.
@dynamicMemberLookup
public struct OverlayConfig: Sendable {
    /// Every setting with its value and where that came from, in the order of the declarations.
    public let settings: [EffectiveSetting]
    /// One line for each clamp that applied.
    public let warnings: [String]
    private let values: SettingValues

    /// - Parameters:
    ///   - flags: values by variable name, as given on the command line; they win.
    ///   - environment: the process environment.
    public init(
        flags: [String: String] = [:], environment: [String: String]
    ) throws(ConfigError) {
        let reader = try SettingReader(OverlaySettings.declarations, flags: flags, environment: environment)
        (settings, warnings, values) = (reader.effective, reader.warnings, reader.values)
    }

    /// The value of a setting.
    public subscript<Value>(dynamicMember setting: KeyPath<OverlaySettings, Setting<Value>>) -> Value {
        values[OverlaySettings.all[keyPath: setting]]
    }

    /// Level and form of log lines.
    public var log: LogConfig { LogConfig(level: self.logLevel, format: self.logFormat) }
}
