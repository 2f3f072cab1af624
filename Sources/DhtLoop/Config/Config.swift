// RO:WHAT  Config: how one svc-dht node is set up, from flags and RON_DHT_* variables.
// RO:WHY   The daemon reads plain typed fields; every rule about names, ranges and fallbacks is in the table.
// RO:INVARIANTS  pure: flags, environment and the text of files come in as arguments.
// RO:TEST  Tests/DhtLoopTests/Config/ConfigTests.swift

/// Configuration of a node. Numbers are clamped already; `warnings` says which.
public struct Config: Sendable {
    /// Overlay endpoints to attach to, `host:port`, in the order to try them. Empty: wait to be found.
    public let bootstrap: [String]
    /// Where the embedded switch listens; nil for none.
    public let embedOverlay: String?
    /// Bucket size, and how many closest nodes a lookup converges on.
    public let k: Int
    /// Lookup parallelism.
    public let alpha: Int
    /// Extra queries allowed when a peer is slow.
    public let beta: Int
    /// Percent of a bucket and of the table that one network may hold.
    public let recursion: Int
    public let diversity: Int
    /// Upper bound of one RPC.
    public let timeoutMs: Int
    /// Upper bound of a whole put or get.
    public let deadlineMs: Int
    /// Replicas of a record.
    public let replica: Int
    /// Life of a record whose publisher names none.
    public let ttlSeconds: Int
    /// Time between two refreshes by a record's publisher.
    public let republishSeconds: Int
    /// Largest value taken, in bytes.
    public let maxValueBytes: Int
    /// Byte budget of stored records.
    public let memoryBytes: Int
    /// Requests a second that are answered: of one peer, and of all together; 0 is no limit.
    public let peerRps: Int
    public let globalRps: Int
    /// TX queue depth, of 128, above which `queues_ok` is false.
    public let txWatermark: Int
    /// Sessions and routing table entries that make a node ready.
    public let readyPeers: Int
    public let readyEntries: Int
    /// Time between two canaries; 0 for none.
    public let canarySeconds: Int
    /// Where admin HTTP listens; port 0 asks the kernel for one.
    public let adminAddress: String
    /// The endpoint others are told; nil for the home overlay as dialled.
    public let advertise: String?
    /// Fixed id; nil for a random one.
    public let nodeID: NodeID?
    /// Network id; frames of others are dropped.
    public let network: UInt64
    /// Whether the first frames of a session travel with its SYN.
    public let fastOpen: FastOpen
    /// Time to finish running calls after SIGTERM.
    public let drainMs: Int
    /// File that holds the token which writes need where admin HTTP is not on loopback; nil for none.
    public let adminTokenFile: String?
    /// Nothing may be written to disk.
    public let amnesia: Bool
    public let log: LogConfig

    /// Every setting with its value and where that came from, in table order.
    public let settings: [EffectiveSetting]
    /// One line for each clamp that applied.
    public let warnings: [String]

    /// - Parameters:
    ///   - flags: values by variable name (`"RON_DHT_K": "8"`), as given on the command line; they win.
    ///   - environment: the process environment.
    ///   - readFile: content of the configuration file, and of the peers file when a bootstrap entry is a logical id.
    public init(
        flags: [String: String] = [:], environment: [String: String],
        readFile: (String) -> String? = { _ in nil }
    ) throws(ConfigError) {
        let file = try Self.file(flags: flags, environment: environment, readFile: readFile)
        let from = try SettingResolver(Self.table, flags: flags, environment: environment, file: file)
        embedOverlay = from.optional("RON_DHT_EMBED_OVERLAY")
        bootstrap = try Self.bootstrap(from, embedded: embedOverlay != nil, readFile: readFile)
        k = from.number("RON_DHT_K")
        alpha = from.number("RON_DHT_ALPHA")
        beta = from.number("RON_DHT_BETA")
        recursion = from.number("RON_DHT_RECURSION")
        diversity = from.number("RON_DHT_DIVERSITY")
        timeoutMs = from.number("RON_DHT_TIMEOUT_MS")
        deadlineMs = from.number("RON_DHT_DEADLINE_MS")
        replica = from.number("RON_DHT_REPLICA")
        ttlSeconds = from.number("RON_DHT_TTL_SECS")
        republishSeconds = from.number("RON_DHT_REPUBLISH_SECS")
        maxValueBytes = from.number("RON_DHT_MAX_VALUE")
        memoryBytes = from.number("RON_DHT_MEM_MAX")
        peerRps = from.number("RON_DHT_PEER_RPS")
        globalRps = from.number("RON_DHT_GLOBAL_RPS")
        txWatermark = from.number("RON_DHT_TX_WATERMARK")
        readyPeers = from.number("RON_DHT_READY_PEERS")
        readyEntries = from.number("RON_DHT_READY_ENTRIES")
        canarySeconds = from.number("RON_DHT_CANARY_SECS")
        adminAddress = from.text("RON_DHT_ADMIN_ADDR")
        advertise = from.optional("RON_DHT_ADVERTISE")
        nodeID = NodeID(hex: from.text("RON_DHT_NODE_ID"))
        network = UInt64(from.number("RON_DHT_NET"))
        fastOpen = from.fastOpen("RON_DHT_FAST_OPEN")
        drainMs = from.number("RON_DHT_DRAIN_MS")
        adminTokenFile = from.optional("RON_DHT_ADMIN_TOKEN_FILE")
        amnesia = from.text("RON_AMNESIA") == "1"
        log = LogConfig(level: from.text("RON_DHT_LOG"), format: from.text("RON_DHT_LOG_FORMAT"))
        settings = from.effective
        warnings = from.warnings
    }

    private static func file(
        flags: [String: String], environment: [String: String], readFile: (String) -> String?
    ) throws(ConfigError) -> ConfigFile {
        // The file cannot name another one: this setting alone is looked for in flags and environment only.
        let own = table.filter { $0.name == "RON_DHT_CONFIG_FILE" }
        let path = try SettingResolver(own, flags: flags, environment: environment).text(
            "RON_DHT_CONFIG_FILE")
        guard !path.isEmpty else { return ConfigFile() }
        guard let text = readFile(path) else {
            throw ConfigError(name: "RON_DHT_CONFIG_FILE", value: path, accepts: "a file that can be read")
        }
        let known = Set(table.flatMap { [$0.name] + $0.fallbacks }).subtracting(
            own.flatMap { [$0.name] + $0.fallbacks })
        return try ConfigFile(text, path: path, known: known)
    }

    /// The bootstrap list with logical peer ids replaced by their endpoints.
    ///
    /// A node that carries its own switch and names nobody is the first of its network: the default entry,
    /// which would be a switch on this host, is left out.
    private static func bootstrap(
        _ from: SettingResolver, embedded: Bool, readFile: (String) -> String?
    ) throws(ConfigError) -> [String] {
        if embedded, from.source("RON_DHT_BOOTSTRAP") == .default { return [] }
        let entries = from.list("RON_DHT_BOOTSTRAP")
        guard entries.contains(where: { !$0.contains(":") }) else { return entries }
        let peers = try peersFile(from, readFile)
        var endpoints: [String] = []
        for entry in entries {
            guard let endpoint = entry.contains(":") ? entry : peers.endpoint(of: entry) else {
                throw ConfigError(
                    name: "RON_DHT_BOOTSTRAP", value: entry,
                    accepts: "host:port, or a peer listed in RON_DHT_PEERS_FILE")
            }
            endpoints.append(endpoint)
        }
        return endpoints
    }
}

extension Config {
    /// The peers file; empty where none is named.
    private static func peersFile(
        _ from: SettingResolver, _ readFile: (String) -> String?
    ) throws(ConfigError) -> PeersFile {
        let path = from.text("RON_DHT_PEERS_FILE")
        guard !path.isEmpty else { return PeersFile("") }
        guard let text = readFile(path) else {
            throw ConfigError(name: "RON_DHT_PEERS_FILE", value: path, accepts: "a file that can be read")
        }
        return PeersFile(text)
    }
}

/// Configuration of the switch as a process of its own.
public struct OverlayConfig: Sendable {
    /// Where overlay sessions are accepted; port 0 asks the kernel for one.
    public let listenAddress: String
    /// Where admin HTTP listens; port 0 asks the kernel for one.
    public let adminAddress: String
    /// Sessions held at most.
    public let maxConnections: Int
    /// TX queue depth, of 128, above which `queues_ok` is false.
    public let txWatermark: Int
    /// Time a connection has to say HELLO.
    public let handshakeMs: Int
    /// Whether the first frames of a session may come with its SYN.
    public let fastOpen: FastOpen
    public let log: LogConfig

    /// Every setting with its value and where that came from, in table order.
    public let settings: [EffectiveSetting]
    /// One line for each clamp that applied.
    public let warnings: [String]

    /// - Parameters:
    ///   - flags: values by variable name, as given on the command line; they win.
    ///   - environment: the process environment.
    public init(
        flags: [String: String] = [:], environment: [String: String]
    ) throws(ConfigError) {
        let from = try SettingResolver(Self.table, flags: flags, environment: environment)
        listenAddress = from.text("SVC_OVERLAY_LISTEN_ADDR")
        adminAddress = from.text("SVC_OVERLAY_HTTP_ADDR")
        maxConnections = from.number("SVC_OVERLAY_MAX_CONNS")
        txWatermark = from.number("RON_OVERLAY_TX_WATERMARK")
        handshakeMs = from.number("RON_OVERLAY_HANDSHAKE_MS")
        fastOpen = from.fastOpen("RON_OVERLAY_FAST_OPEN")
        log = LogConfig(level: from.text("SVC_OVERLAY_LOG"), format: from.text("SVC_OVERLAY_LOG_FORMAT"))
        settings = from.effective
        warnings = from.warnings
    }
}

extension SettingResolver {
    /// The text of a setting, nil when it has none.
    fileprivate func optional(_ name: String) -> String? {
        let value = text(name)
        return value.isEmpty ? nil : value
    }

    /// The choice of a setting whose row admits those words only.
    fileprivate func fastOpen(_ name: String) -> FastOpen {
        FastOpen(rawValue: text(name)) ?? Tuning.fastOpen
    }
}
