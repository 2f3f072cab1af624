// RO:WHAT  NodeSettings: every setting of svc-dht, declared once.
// RO:WHY   Variable, option, default, range and meaning stand here and nowhere else. Help, manual, completions, the
//          table in docs/OPERATIONS.md, the parser and the defaults of `NodeConfig` and of the simulator follow.
// RO:INVARIANTS  each default lies in its range; what hangs on another setting stands below it.
// RO:TEST  Tests/DhtLoopTests/Config/SettingTests.swift

import Logging

/// The settings of a node. Units are in the names.
public struct NodeSettings: SettingList {
    public static let all = NodeSettings()

    /// Rates are at most this, in requests a second: what `Pace` can tell apart.
    static let mostRequestsPerSecond = 10_000_000

    /// A week: records of publishers that went away must not outlive it.
    static let mostTtlSeconds = 604_800

    private init() {}

    // MARK: The network

    public let bootstrap = Setting(
        "RON_DHT_BOOTSTRAP", "Overlay endpoints to attach to, separated by commas", .endpoints(limit: 64),
        initial: [OverlaySettings.all.listenAddress.initial], fallbacks: ["RON_DHT_SEEDS", "DHT_SEEDS"],
        isLive: true)

    public let peersFile = Setting(
        "RON_DHT_PEERS_FILE",
        "File of \"<peer id> <host:port>\" lines for logical ids in the bootstrap list", .path, initial: nil,
        isLive: true)

    public let embedOverlay = Setting(
        "RON_DHT_EMBED_OVERLAY", "Run a switch inside the node, listening here", .optional(.listenAddress),
        initial: nil)

    public let advertise = Setting(
        "RON_DHT_ADVERTISE", "Endpoint that others are told to reach this node by", .optional(.endpoint),
        initial: nil)

    public let nodeID = Setting(
        "RON_DHT_NODE_ID", "Fixed node id; random without it", .optional(.nodeID), initial: nil)

    public let network = Setting(
        "RON_DHT_NET", "Network id; nodes of other networks are not heard", .integer(0...Int.max), initial: 0)

    public let fastOpen = Setting.fastOpen("RON_DHT_FAST_OPEN")

    // MARK: Lookups

    public let k = Setting(
        "RON_DHT_K", "Bucket size, and nodes that a lookup converges on",
        .integer(1...Limits.contactsPerMessage), initial: 20, fallbacks: ["DHT_K"])

    public let alpha = Setting(
        "RON_DHT_ALPHA", "Lookup parallelism", .integer(1...16, atMost: \NodeSettings.k), initial: 3,
        fallbacks: ["DHT_ALPHA"])

    public let beta = Setting(
        "RON_DHT_BETA", "Extra queries when a peer is slower than usual",
        .integer(0...Int.max, atMost: \NodeSettings.alpha), initial: 1, fallbacks: ["DHT_BETA"])

    public let recursion = Setting(
        "RON_DHT_RECURSION",
        "Steps that a lookup's first requests may be passed on over sessions that are open",
        .integer(0...Int(Limits.recursion)), initial: 2)

    /// Five of a bucket of twenty: whoever rents one network is a minority wherever a lookup goes.
    public let diversity = Setting(
        "RON_DHT_DIVERSITY", "Percent of a bucket and of the table that one /24 or /48 may hold; 100: any",
        .integer(0...100), initial: 25)

    public let timeoutMs = Setting(
        "RON_DHT_TIMEOUT_MS", "Upper bound of one RPC, in milliseconds", .integer(100...30_000),
        initial: 2000)

    public let deadlineMs = Setting(
        "RON_DHT_DEADLINE_MS", "Upper bound of a whole put or get, in milliseconds",
        .integer(100...120_000), initial: 5000, fallbacks: ["DHT_DEADLINE_MS"])

    // MARK: Records

    public let replica = Setting(
        "RON_DHT_REPLICA", "Nodes that store a record", .integer(1...Int.max, atMost: \NodeSettings.k),
        initial: 3)

    public let ttlSeconds = Setting(
        "RON_DHT_TTL_SECS", "Life of a record, in seconds", .integer(1...mostTtlSeconds), initial: 86_400)

    public let republishSeconds = Setting(
        "RON_DHT_REPUBLISH_SECS", "Time between refreshes by the publisher, in seconds",
        .integer(1...mostTtlSeconds), initial: 43_200)

    public let maxValueBytes = Setting(
        "RON_DHT_MAX_VALUE", "Largest value taken, in bytes", .integer(1...Limits.valueBytes),
        initial: 65_536)

    public let memoryBytes = Setting(
        "RON_DHT_MEM_MAX", "Budget of stored records, in bytes", .integer(16 << 20...Int.max),
        initial: 256 << 20)

    public let amnesia = Setting(
        "RON_AMNESIA", "Keep everything in memory, write nothing to disk", .toggle, initial: false)

    // MARK: Rates

    /// A lookup asks one peer a few things; this is a thousand of those a second.
    public let peerRps = Setting(
        "RON_DHT_PEER_RPS", "Requests a second answered for one peer; 0: no limit",
        .integer(0...mostRequestsPerSecond), initial: 20_000, isLive: true)

    /// Ten peers at their full rate: a quarter of a core where frames come in batches.
    public let globalRps = Setting(
        "RON_DHT_GLOBAL_RPS", "Requests a second answered for all peers together; 0: no limit",
        .integer(0...mostRequestsPerSecond), initial: 200_000, isLive: true)

    // MARK: Readiness

    public let txWatermark = Setting.txWatermark("RON_DHT_TX_WATERMARK", isLive: true)

    public let readyPeers = Setting(
        "RON_DHT_READY_PEERS", "Sessions that make the node ready", .integer(0...64), initial: 1,
        isLive: true)

    public let readyEntries = Setting(
        "RON_DHT_READY_ENTRIES", "Routing table entries that make the node ready",
        .integer(0...Int.max, atMost: \NodeSettings.k), initialOf: \NodeSettings.k, isLive: true)

    public let canarySeconds = Setting(
        "RON_DHT_CANARY_SECS",
        "Seconds between two values put and read back to see whether the network works",
        .integerOrOff(5...3600), initial: 0, isLive: true)

    // MARK: The process

    public let configFile = Setting(
        "RON_DHT_CONFIG_FILE", "File of NAME=VALUE lines, read again on SIGHUP; flags and environment win",
        .path, initial: nil)

    public let adminAddress = Setting(
        "RON_DHT_ADMIN_ADDR", "Where admin HTTP listens", .listenAddress, initial: "127.0.0.1:5301",
        fallbacks: ["RON_DHT_ADDR", "DHT_ADMIN_BIND"])

    public let adminTokenFile = Setting(
        "RON_DHT_ADMIN_TOKEN_FILE",
        "File with the bearer token that writes need when admin HTTP is not on loopback", .path, initial: nil)

    public let drainMs = Setting(
        "RON_DHT_DRAIN_MS", "Time to finish running calls on SIGTERM, in milliseconds", .integer(0...60_000),
        initial: 5000, isLive: true)

    public let logLevel = Setting.logLevel("RON_DHT_LOG", isLive: true)

    public let logFormat = Setting.logFormat("RON_DHT_LOG_FORMAT")
}
