// RO:WHAT  NodeContext: what the machines of one node share: the way out, timers, chance, counters, the local name.
// RO:WHY   A machine owns its state and gets everything else as arguments. This is the everything else.
// RO:INVARIANTS  an envelope that was begun is sent, replied or cut off again before the next one begins.

/// What every machine of a node may use.
struct NodeContext: ~Copyable {
    let config: NodeConfig
    /// Names of overlay endpoints, shared with the driver of the node.
    let endpoints: EndpointTable
    /// Whether each request of the local node is told of when it ends, or only those that fail.
    var tellsEveryRpc = false
    var outbox = Outbox()
    var stats = NodeStats()
    var timers: NodeTimers
    var generator: SeededGenerator
    /// The overlay that the node is attached to; `.none` until there is one.
    private(set) var home = EndpointID.none
    /// What others are told to reach the node by.
    private(set) var advertised = EndpointID.none
    private var encoder: EnvelopeEncoder

    init(config: NodeConfig, endpoints: EndpointTable, generator: SeededGenerator, nowUs: UInt64) {
        self.config = config
        self.endpoints = endpoints
        self.generator = generator
        timers = NodeTimers(nowUs: nowUs)
        encoder = EnvelopeEncoder(src: config.id, at: endpoints.bytes(.none), net: config.net)
    }

    /// As `DhtNode.setHome`.
    mutating func setHome(_ endpoint: EndpointID, advertised: EndpointID) {
        (home, self.advertised) = (endpoint, advertised)
        encoder = EnvelopeEncoder(src: config.id, at: endpoints.bytes(advertised), net: config.net)
    }

    /// Begins a payload; its message is appended to `outbox.bytes` next.
    ///
    /// - Returns: where it begins, for `outbox.send` or `outbox.reply`.
    @inline(__always)
    mutating func beginEnvelope(to dst: NodeID, rpc: UInt64) -> Int {
        let start = outbox.bytes.count
        encoder.begin(&outbox.bytes, dst: dst, rpc: rpc)
        return start
    }

    /// 1...`maxTtlSeconds`.
    func clampedTtl(_ seconds: UInt64) -> UInt64 { min(max(seconds, 1), config.maxTtlSeconds) }
}
