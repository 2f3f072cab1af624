// RO:WHAT  Config: how one svc-dht node is set up, from flags, RON_DHT_* variables and files.
// RO:WHY   The daemon reads plain typed values; every rule about names, ranges and fallbacks is in the declarations.
// RO:INVARIANTS  pure: flags, environment and the text of files come in as arguments.
// RO:TEST  Tests/DhtLoopTests/Config/ConfigTests.swift

/// Configuration of a node: `config.alpha` is the value in force of `NodeSettings.alpha`, clamped already.
@dynamicMemberLookup
public struct Config: Sendable {
    /// Overlay endpoints to attach to, `host:port`, in the order to try them, with logical peer ids replaced by their
    /// endpoints. Empty: wait to be found.
    public let bootstrap: [String]
    /// Every setting with its value and where that came from, in the order of the declarations.
    public let settings: [EffectiveSetting]
    /// One line for each clamp that applied.
    public let warnings: [String]
    private let values: SettingValues

    /// - Parameters:
    ///   - flags: values by variable name (`"RON_DHT_K": "8"`), as given on the command line; they win.
    ///   - environment: the process environment.
    ///   - readFile: content of the configuration file, and of the peers file when a bootstrap entry is a logical id.
    public init(
        flags: [String: String] = [:], environment: [String: String],
        readFile: (String) -> String? = { _ in nil }
    ) throws(ConfigError) {
        let file = try Self.file(flags: flags, environment: environment, readFile: readFile)
        let reader = try SettingReader(
            NodeSettings.declarations, flags: flags, environment: environment, file: file)
        bootstrap = try Self.bootstrap(reader, readFile: readFile)
        (settings, warnings, values) = (reader.effective, reader.warnings, reader.values)
    }

    /// The value of a setting.
    public subscript<Value>(dynamicMember setting: KeyPath<NodeSettings, Setting<Value>>) -> Value {
        values[NodeSettings.all[keyPath: setting]]
    }

    /// Level and form of log lines.
    public var log: LogConfig { LogConfig(level: self.logLevel, format: self.logFormat) }

    private static func file(
        flags: [String: String], environment: [String: String], readFile: (String) -> String?
    ) throws(ConfigError) -> ConfigFile {
        // The file cannot name another one: this setting alone is looked for in flags and environment only.
        let setting = NodeSettings.all.configFile
        let reader = try SettingReader([setting], flags: flags, environment: environment)
        guard let path = reader.values[setting] else { return ConfigFile() }
        let text = try content(of: path, namedBy: setting, readFile)
        return try ConfigFile(text, path: path, known: known(apartFrom: setting.name))
    }

    /// The variables that a configuration file may set.
    private static func known(apartFrom name: String) -> Set<String> {
        Set(NodeSettings.facts.filter { $0.name != name }.flatMap { [$0.name] + $0.fallbacks })
    }

    /// The bootstrap list with logical peer ids replaced by their endpoints.
    ///
    /// A node that carries its own switch and names nobody is the first of its network: the default entry,
    /// which would be a switch on this host, is left out.
    private static func bootstrap(
        _ reader: SettingReader, readFile: (String) -> String?
    ) throws(ConfigError) -> [String] {
        let (declared, values) = (NodeSettings.all, reader.values)
        if values[declared.embedOverlay] != nil, reader.source(of: declared.bootstrap) == .default {
            return []
        }
        let entries = values[declared.bootstrap]
        guard entries.contains(where: { !$0.contains(":") }) else { return entries }
        var peers = PeersFile("")
        if let path = values[declared.peersFile] {
            peers = PeersFile(try content(of: path, namedBy: declared.peersFile, readFile))
        }
        var endpoints: [String] = []
        for entry in entries {
            guard let endpoint = entry.contains(":") ? entry : peers.endpoint(of: entry) else {
                throw ConfigError(
                    name: declared.bootstrap.name, value: entry,
                    accepts: "host:port, or a peer listed in \(declared.peersFile.name)")
            }
            endpoints.append(endpoint)
        }
        return endpoints
    }

    private static func content(
        of path: String, namedBy setting: Setting<String?>, _ readFile: (String) -> String?
    ) throws(ConfigError) -> String {
        guard let text = readFile(path) else {
            throw ConfigError(name: setting.name, value: path, accepts: "a file that can be read")
        }
        return text
    }
}
