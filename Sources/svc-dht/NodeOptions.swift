// RO:WHAT  NodeOptions: the options of `svc-dht run`, one for each variable.
// RO:WHY   Values stay text: Config alone knows what they may be, so flags and environment get the same errors.
// RO:CONFIG  RON_DHT_*
// RO:TEST  Tests/DhtLoopTests/Integration/CommandLineTests.swift

import ArgumentParser

struct NodeOptions: ParsableArguments {
    @Option(help: "Overlay endpoints to attach to, separated by commas; none for none. (RON_DHT_BOOTSTRAP)")
    var bootstrap: String?
    @Option(help: "File of \"<peer id> <host:port>\" lines. (RON_DHT_PEERS_FILE)")
    var peersFile: String?
    @Option(help: "Run a switch inside the node, listening on HOST:PORT. (RON_DHT_EMBED_OVERLAY)")
    var embedOverlay: String?
    @Option(help: "Endpoint that others are told to reach this node by. (RON_DHT_ADVERTISE)")
    var advertise: String?
    @Option(help: "Fixed node id, 64 hexadecimal digits. (RON_DHT_NODE_ID)")
    var nodeId: String?
    @Option(help: "Network id. (RON_DHT_NET)")
    var net: String?
    @Option(help: "Bucket size, and nodes that a lookup converges on. (RON_DHT_K)")
    var k: String?
    @Option(help: "Lookup parallelism. (RON_DHT_ALPHA)")
    var alpha: String?
    @Option(help: "Extra queries when a peer is slower than usual. (RON_DHT_BETA)")
    var beta: String?
    @Option(help: "Upper bound of one RPC, in milliseconds. (RON_DHT_TIMEOUT_MS)")
    var timeoutMs: String?
    @Option(help: "Upper bound of a whole put or get, in milliseconds. (RON_DHT_DEADLINE_MS)")
    var deadlineMs: String?
    @Option(help: "Nodes that store a record. (RON_DHT_REPLICA)")
    var replica: String?
    @Option(help: "Life of a record, in seconds. (RON_DHT_TTL_SECS)")
    var ttlSecs: String?
    @Option(help: "Time between refreshes by the publisher, in seconds. (RON_DHT_REPUBLISH_SECS)")
    var republishSecs: String?
    @Option(help: "Largest value taken, in bytes. (RON_DHT_MAX_VALUE)")
    var maxValue: String?
    @Option(help: "Budget of stored records, in bytes. (RON_DHT_MEM_MAX)")
    var memMax: String?
    @Flag(help: "Keep everything in memory, write nothing to disk. (RON_AMNESIA)")
    var amnesia = false
    @Option(help: "Send queue depth, of 128, above which the node is not ready. (RON_DHT_TX_WATERMARK)")
    var txWatermark: String?
    @Option(help: "Sessions that make the node ready. (RON_DHT_READY_PEERS)")
    var readyPeers: String?
    @Option(help: "Routing table entries that make the node ready. (RON_DHT_READY_ENTRIES)")
    var readyEntries: String?
    @Option(help: "Where admin HTTP listens. (RON_DHT_ADMIN_ADDR)")
    var adminAddr: String?
    @Option(help: "Time to finish running calls on SIGTERM, in milliseconds. (RON_DHT_DRAIN_MS)")
    var drainMs: String?
    @Option(help: "Least level that is logged. (RON_DHT_LOG)")
    var log: String?
    @Option(help: "Log lines as json or text. (RON_DHT_LOG_FORMAT)")
    var logFormat: String?

    /// What was given, by the name of its variable.
    var settings: [String: String] {
        let given: [String: String?] = [
            "RON_DHT_BOOTSTRAP": bootstrap, "RON_DHT_PEERS_FILE": peersFile,
            "RON_DHT_EMBED_OVERLAY": embedOverlay, "RON_DHT_ADVERTISE": advertise,
            "RON_DHT_NODE_ID": nodeId, "RON_DHT_NET": net, "RON_DHT_K": k, "RON_DHT_ALPHA": alpha,
            "RON_DHT_BETA": beta, "RON_DHT_TIMEOUT_MS": timeoutMs, "RON_DHT_DEADLINE_MS": deadlineMs,
            "RON_DHT_REPLICA": replica, "RON_DHT_TTL_SECS": ttlSecs,
            "RON_DHT_REPUBLISH_SECS": republishSecs, "RON_DHT_MAX_VALUE": maxValue,
            "RON_DHT_MEM_MAX": memMax, "RON_AMNESIA": amnesia ? "1" : nil,
            "RON_DHT_TX_WATERMARK": txWatermark, "RON_DHT_READY_PEERS": readyPeers,
            "RON_DHT_READY_ENTRIES": readyEntries, "RON_DHT_ADMIN_ADDR": adminAddr,
            "RON_DHT_DRAIN_MS": drainMs, "RON_DHT_LOG": log, "RON_DHT_LOG_FORMAT": logFormat,
        ]
        return given.compactMapValues { $0 }
    }
}
