// RO:WHAT  ConfigSource: where a node's configuration is read from, as often as it is asked.
// RO:WHY   SIGHUP reads the files again under the same flags and environment, and tells what became of it.
// RO:TEST  Tests/DhtLoopTests/Config/ConfigFileTests.swift

import Logging

/// Flags, environment, and the files they name.
public struct ConfigSource: Sendable {
    /// Values by variable name, as given on the command line.
    public let flags: [String: String]
    public let environment: [String: String]

    public init(flags: [String: String], environment: [String: String]) {
        (self.flags, self.environment) = (flags, environment)
    }

    /// The configuration as it is now.
    public func read() throws(ConfigError) -> Config {
        try Config(flags: flags, environment: environment, readFile: { FileContent.text($0) })
    }
}

/// A setting that two readings of the configuration differ in.
struct ConfigChange: Equatable {
    let name: String
    let before: String
    let after: String
    /// It takes effect while the node runs; another waits for a restart.
    let isLive: Bool

    /// What differs, in the order of the declarations.
    static func between(_ before: Config, _ after: Config) -> [ConfigChange] {
        zip(NodeSettings.facts, zip(before.settings, after.settings)).compactMap { setting, values in
            let (old, new) = values
            guard old.value != new.value else { return nil }
            return ConfigChange(
                name: setting.name, before: old.value, after: new.value, isLive: setting.isLive)
        }
    }

    /// The change as fields of one log line.
    var logFields: Logger.Metadata {
        ["setting": .string(name), "before": .string(before), "after": .string(after)]
    }
}
