// RO:WHAT  NodeOptions: the options of `svc-dht run`, one for each variable.
// RO:WHY   Values stay text: Config alone knows what they may be, so flags and environment get the same errors.
// RO:TEST  Tests/DhtLoopTests/Integration/CommandLineTests.swift

import ArgumentParser
import DhtLoop

struct NodeOptions: ParsableArguments {
    @Option(help: .setting("RON_DHT_BOOTSTRAP"))
    var bootstrap: String?
    @Option(help: .setting("RON_DHT_PEERS_FILE"))
    var peersFile: String?
    @Option(help: .setting("RON_DHT_EMBED_OVERLAY"))
    var embedOverlay: String?
    @Option(help: .setting("RON_DHT_ADVERTISE"))
    var advertise: String?
    @Option(help: .setting("RON_DHT_NODE_ID"))
    var nodeId: String?
    @Option(help: .setting("RON_DHT_NET"))
    var net: String?
    @Option(help: .setting("RON_DHT_FAST_OPEN"))
    var fastOpen: String?
    @Option(help: .setting("RON_DHT_K"))
    var k: String?
    @Option(help: .setting("RON_DHT_ALPHA"))
    var alpha: String?
    @Option(help: .setting("RON_DHT_BETA"))
    var beta: String?
    @Option(help: .setting("RON_DHT_RECURSION"))
    var recursion: String?
    @Option(help: .setting("RON_DHT_DIVERSITY"))
    var diversity: String?
    @Option(help: .setting("RON_DHT_TIMEOUT_MS"))
    var timeoutMs: String?
    @Option(help: .setting("RON_DHT_DEADLINE_MS"))
    var deadlineMs: String?
    @Option(help: .setting("RON_DHT_REPLICA"))
    var replica: String?
    @Option(help: .setting("RON_DHT_TTL_SECS"))
    var ttlSecs: String?
    @Option(help: .setting("RON_DHT_REPUBLISH_SECS"))
    var republishSecs: String?
    @Option(help: .setting("RON_DHT_MAX_VALUE"))
    var maxValue: String?
    @Option(help: .setting("RON_DHT_MEM_MAX"))
    var memMax: String?
    @Flag(help: .setting("RON_AMNESIA"))
    var amnesia = false
    @Option(help: .setting("RON_DHT_PEER_RPS"))
    var peerRps: String?
    @Option(help: .setting("RON_DHT_GLOBAL_RPS"))
    var globalRps: String?
    @Option(help: .setting("RON_DHT_TX_WATERMARK"))
    var txWatermark: String?
    @Option(help: .setting("RON_DHT_READY_PEERS"))
    var readyPeers: String?
    @Option(help: .setting("RON_DHT_READY_ENTRIES"))
    var readyEntries: String?
    @Option(help: .setting("RON_DHT_CANARY_SECS"))
    var canarySecs: String?
    @Option(help: .setting("RON_DHT_CONFIG_FILE"))
    var configFile: String?
    @Option(help: .setting("RON_DHT_ADMIN_ADDR"))
    var adminAddr: String?
    @Option(help: .setting("RON_DHT_ADMIN_TOKEN_FILE"))
    var adminTokenFile: String?
    @Option(help: .setting("RON_DHT_DRAIN_MS"))
    var drainMs: String?
    @Option(help: .setting("RON_DHT_LOG"))
    var log: String?
    @Option(help: .setting("RON_DHT_LOG_FORMAT"))
    var logFormat: String?

    /// The configuration's source: these options over the environment.
    var source: ConfigSource { ConfigSource(flags: settings, environment: ProcessEnvironment.variables()) }

    /// What was given, by the name of its variable.
    private var settings: [String: String] {
        let given: [String: String?] = [
            "RON_DHT_BOOTSTRAP": bootstrap, "RON_DHT_PEERS_FILE": peersFile,
            "RON_DHT_EMBED_OVERLAY": embedOverlay, "RON_DHT_ADVERTISE": advertise,
            "RON_DHT_NODE_ID": nodeId, "RON_DHT_NET": net, "RON_DHT_FAST_OPEN": fastOpen, "RON_DHT_K": k,
            "RON_DHT_ALPHA": alpha,
            "RON_DHT_BETA": beta, "RON_DHT_RECURSION": recursion,
            "RON_DHT_DIVERSITY": diversity, "RON_DHT_TIMEOUT_MS": timeoutMs,
            "RON_DHT_DEADLINE_MS": deadlineMs,
            "RON_DHT_REPLICA": replica, "RON_DHT_TTL_SECS": ttlSecs,
            "RON_DHT_REPUBLISH_SECS": republishSecs, "RON_DHT_MAX_VALUE": maxValue,
            "RON_DHT_MEM_MAX": memMax, "RON_AMNESIA": amnesia ? "1" : nil,
            "RON_DHT_PEER_RPS": peerRps, "RON_DHT_GLOBAL_RPS": globalRps,
            "RON_DHT_TX_WATERMARK": txWatermark, "RON_DHT_READY_PEERS": readyPeers,
            "RON_DHT_READY_ENTRIES": readyEntries, "RON_DHT_CANARY_SECS": canarySecs,
            "RON_DHT_ADMIN_ADDR": adminAddr, "RON_DHT_DRAIN_MS": drainMs, "RON_DHT_CONFIG_FILE": configFile,
            "RON_DHT_ADMIN_TOKEN_FILE": adminTokenFile, "RON_DHT_LOG": log, "RON_DHT_LOG_FORMAT": logFormat,
        ]
        return given.compactMapValues { $0 }
    }
}

extension ArgumentHelp {
    /// What the table of settings says of one.
    fileprivate static func setting(_ name: String) -> ArgumentHelp { ArgumentHelp(Config.help(name)) }
}
