// RO:WHAT  The settings of svc-dht and of svc-overlay, as tables.
// RO:WHY   One row a setting: what is not here is not configurable, and `svc-dht config` prints these rows.
// RO:INVARIANTS  a row whose range or default names another setting stands below that one.

extension Config {
    /// What `--help` says of a setting.
    public static func help(_ name: String) -> String { table.first { $0.name == name }?.help ?? "" }

    static let table: [SettingSpec] =
        (networkRows + lookupRows + recordRows + rateRows + readinessRows + processRows).map(
            \.withServiceFallback)

    private static let networkRows = [
        SettingSpec(
            name: "RON_DHT_BOOTSTRAP", flag: "bootstrap", fallbacks: ["RON_DHT_SEEDS", "DHT_SEEDS"],
            kind: .endpoints(limit: Tuning.bootstrapEntries), initial: .text(Tuning.bootstrap),
            meaning: "Overlay endpoints to attach to, separated by commas", isLive: true),
        SettingSpec(
            name: "RON_DHT_PEERS_FILE", flag: "peers-file", kind: .text, initial: .nothing,
            meaning: "File of \"<peer id> <host:port>\" lines for logical ids in the bootstrap list",
            isLive: true),
        SettingSpec(
            name: "RON_DHT_EMBED_OVERLAY", flag: "embed-overlay", kind: .listenAddress, initial: .nothing,
            meaning: "Run a switch inside the node, listening here"),
        SettingSpec(
            name: "RON_DHT_ADVERTISE", flag: "advertise", kind: .endpoint, initial: .nothing,
            meaning: "Endpoint that others are told to reach this node by"),
        SettingSpec(
            name: "RON_DHT_NODE_ID", flag: "node-id", kind: .nodeID, initial: .nothing,
            meaning: "Fixed node id, 64 hexadecimal digits; random without it"),
        SettingSpec(
            name: "RON_DHT_NET", flag: "net", kind: .integer(least: .number(0), most: .number(.max)),
            initial: .number(Tuning.network), meaning: "Network id; nodes of other networks are not heard"),
        .fastOpen(name: "RON_DHT_FAST_OPEN"),
    ]

    private static let lookupRows = [
        SettingSpec(
            name: "RON_DHT_K", flag: "k", fallbacks: ["DHT_K"], kind: .within(Tuning.kRange),
            initial: .number(Tuning.k), meaning: "Bucket size, and nodes that a lookup converges on"),
        SettingSpec(
            name: "RON_DHT_ALPHA", flag: "alpha", fallbacks: ["DHT_ALPHA"],
            kind: .integer(least: .number(1), most: .leastOf(Tuning.alphaMax, "RON_DHT_K")),
            initial: .number(Tuning.alpha), meaning: "Lookup parallelism"),
        SettingSpec(
            name: "RON_DHT_BETA", flag: "beta", fallbacks: ["DHT_BETA"],
            kind: .integer(least: .number(0), most: .setting("RON_DHT_ALPHA")),
            initial: .number(Tuning.beta), meaning: "Extra queries when a peer is slower than usual"),
        SettingSpec(
            name: "RON_DHT_RECURSION", flag: "recursion", kind: .within(Tuning.recursionRange),
            initial: .number(Tuning.recursion),
            meaning: "Steps that a lookup's first requests may be passed on over sessions that are open"),
        SettingSpec(
            name: "RON_DHT_DIVERSITY", flag: "diversity", kind: .within(Tuning.diversityRange),
            initial: .number(Tuning.diversity),
            meaning: "Percent of a bucket and of the table that one /24 or /48 may hold; 100: any"),
        SettingSpec(
            name: "RON_DHT_TIMEOUT_MS", flag: "timeout-ms", kind: .within(Tuning.timeoutMsRange),
            initial: .number(Tuning.timeoutMs), meaning: "Upper bound of one RPC, in milliseconds"),
        SettingSpec(
            name: "RON_DHT_DEADLINE_MS", flag: "deadline-ms", fallbacks: ["DHT_DEADLINE_MS"],
            kind: .within(Tuning.deadlineMsRange), initial: .number(Tuning.deadlineMs),
            meaning: "Upper bound of a whole put or get, in milliseconds"),
    ]

    private static let recordRows = [
        SettingSpec(
            name: "RON_DHT_REPLICA", flag: "replica",
            kind: .integer(least: .number(1), most: .setting("RON_DHT_K")),
            initial: .number(Tuning.replica), meaning: "Nodes that store a record"),
        SettingSpec(
            name: "RON_DHT_TTL_SECS", flag: "ttl-secs", kind: .within(Tuning.ttlSecondsRange),
            initial: .number(Tuning.ttlSeconds), meaning: "Life of a record, in seconds"),
        SettingSpec(
            name: "RON_DHT_REPUBLISH_SECS", flag: "republish-secs", kind: .within(Tuning.ttlSecondsRange),
            initial: .number(Tuning.republishSeconds),
            meaning: "Time between refreshes by the publisher, in seconds"),
        SettingSpec(
            name: "RON_DHT_MAX_VALUE", flag: "max-value", kind: .within(Tuning.maxValueBytesRange),
            initial: .number(Tuning.maxValueBytes), meaning: "Largest value taken, in bytes"),
        SettingSpec(
            name: "RON_DHT_MEM_MAX", flag: "mem-max", kind: .within(Tuning.memoryBytesRange),
            initial: .number(Tuning.memoryBytes), meaning: "Budget of stored records, in bytes"),
        SettingSpec(
            name: "RON_AMNESIA", flag: "amnesia", kind: .toggle, initial: .text("0"),
            meaning: "Keep everything in memory, write nothing to disk"),
    ]

    private static let rateRows = [
        SettingSpec(
            name: "RON_DHT_PEER_RPS", flag: "peer-rps", kind: .within(Tuning.ratesRange),
            initial: .number(Tuning.peerRps), meaning: "Requests a second answered for one peer; 0: no limit",
            isLive: true),
        SettingSpec(
            name: "RON_DHT_GLOBAL_RPS", flag: "global-rps", kind: .within(Tuning.ratesRange),
            initial: .number(Tuning.globalRps),
            meaning: "Requests a second answered for all peers together; 0: no limit", isLive: true),
    ]

    private static let readinessRows = [
        SettingSpec(
            name: "RON_DHT_TX_WATERMARK", flag: "tx-watermark", kind: .within(Tuning.txWatermarkRange),
            initial: .number(Tuning.txWatermark), meaning: "Send queue depth, of 128, above which not ready",
            isLive: true),
        SettingSpec(
            name: "RON_DHT_READY_PEERS", flag: "ready-peers", kind: .within(Tuning.readyPeersRange),
            initial: .number(Tuning.readyPeers), meaning: "Sessions that make the node ready", isLive: true),
        SettingSpec(
            name: "RON_DHT_READY_ENTRIES", flag: "ready-entries",
            kind: .integer(least: .number(0), most: .setting("RON_DHT_K")),
            initial: .setting("RON_DHT_K"), meaning: "Routing table entries that make the node ready",
            isLive: true),
        SettingSpec(
            name: "RON_DHT_CANARY_SECS", flag: "canary-secs", kind: .integerOrOff(Tuning.canarySecondsRange),
            initial: .number(Tuning.canarySeconds),
            meaning: "Seconds between two values put and read back to see whether the network works",
            isLive: true),
    ]

    private static let processRows = [
        SettingSpec(
            name: "RON_DHT_CONFIG_FILE", flag: "config-file", kind: .text, initial: .nothing,
            meaning: "File of NAME=VALUE lines, read again on SIGHUP; flags and environment win"),
        SettingSpec(
            name: "RON_DHT_ADMIN_ADDR", flag: "admin-addr", fallbacks: ["RON_DHT_ADDR", "DHT_ADMIN_BIND"],
            kind: .listenAddress, initial: .text(Tuning.adminAddress), meaning: "Where admin HTTP listens"),
        SettingSpec(
            name: "RON_DHT_ADMIN_TOKEN_FILE", flag: "admin-token-file", kind: .text, initial: .nothing,
            meaning: "File with the bearer token that writes need when admin HTTP is not on loopback"),
        SettingSpec(
            name: "RON_DHT_DRAIN_MS", flag: "drain-ms", kind: .within(Tuning.drainMsRange),
            initial: .number(Tuning.drainMs),
            meaning: "Time to finish running calls on SIGTERM, in milliseconds", isLive: true),
        .logLevel(name: "RON_DHT_LOG"),
        .logFormat(name: "RON_DHT_LOG_FORMAT"),
    ]
}

extension OverlayConfig {
    /// What `--help` says of a setting.
    public static func help(_ name: String) -> String { table.first { $0.name == name }?.help ?? "" }

    static let table = [
        SettingSpec(
            name: "SVC_OVERLAY_LISTEN_ADDR", flag: "listen-addr", kind: .listenAddress,
            initial: .text(Tuning.overlayListen), meaning: "Where overlay sessions are accepted"),
        SettingSpec(
            name: "SVC_OVERLAY_HTTP_ADDR", flag: "http-addr", kind: .listenAddress,
            initial: .text(Tuning.overlayAdmin), meaning: "Where admin HTTP listens"),
        SettingSpec(
            name: "SVC_OVERLAY_MAX_CONNS", flag: "max-conns", kind: .within(Tuning.overlayConnectionsRange),
            initial: .number(Tuning.overlayConnections), meaning: "Sessions held at most"),
        SettingSpec(
            name: "RON_OVERLAY_TX_WATERMARK", flag: "tx-watermark", kind: .within(Tuning.txWatermarkRange),
            initial: .number(Tuning.txWatermark), meaning: "Send queue depth, of 128, above which not ready"),
        SettingSpec(
            name: "RON_OVERLAY_HANDSHAKE_MS", flag: "handshake-ms", kind: .within(Tuning.handshakeMsRange),
            initial: .number(Tuning.handshakeMs), meaning: "Time a connection has to say HELLO"),
        .fastOpen(name: "RON_OVERLAY_FAST_OPEN"),
        .logLevel(name: "SVC_OVERLAY_LOG"),
        .logFormat(name: "SVC_OVERLAY_LOG_FORMAT"),
    ]
}

extension SettingSpec {
    /// This row with `SVC_DHT_<X>`, which the original's documents use, as its last fallback.
    fileprivate var withServiceFallback: SettingSpec {
        guard name.hasPrefix("RON_DHT_") else { return self }
        var spec = self
        spec.fallbacks.append("SVC_DHT_" + name.dropFirst("RON_DHT_".count))
        return spec
    }

    fileprivate static func fastOpen(name: String) -> SettingSpec {
        SettingSpec(
            name: name, flag: "fast-open", kind: .choice(FastOpen.allCases.map(\.rawValue)),
            initial: .text(Tuning.fastOpen.rawValue),
            meaning: "First frames travel with the SYN; always only where nobody can forge addresses")
    }

    fileprivate static func logLevel(name: String) -> SettingSpec {
        SettingSpec(
            name: name, flag: "log", kind: .choice(LogConfig.levels, aliases: ["warn": "warning"]),
            initial: .text(Tuning.logLevel), meaning: "Least level that is logged", isLive: true)
    }

    fileprivate static func logFormat(name: String) -> SettingSpec {
        SettingSpec(
            name: name, flag: "log-format", kind: .choice(LogConfig.formats),
            initial: .text(Tuning.logFormat), meaning: "Log lines as json or text")
    }
}

extension SettingKind {
    fileprivate static func within(_ range: ClosedRange<Int>) -> SettingKind {
        .integer(least: .number(range.lowerBound), most: .number(range.upperBound))
    }
}
