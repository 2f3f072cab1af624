// RO:WHAT  DhtMetrics: every number a node shows to Prometheus, as plain fields.
// RO:WHY   The daemon fills it from its counters when it is asked; nothing is kept twice.
// RO:INVARIANTS  every family is written on every page, at zero when nothing happened yet.
// RO:METRICS  dht_*
// RO:SECURITY  labels are never an address, a key or the text of an error.
// RO:TEST  Tests/DhtLoopTests/Telemetry/MetricsPageTests.swift

/// How a canary ended.
public enum CanaryOutcome: String, CaseIterable, Sendable {
    case ok, failed
}

/// One scrape of a node. Counters only grow; histograms are in seconds or hops.
public struct DhtMetrics: Sendable {
    // Calls.
    public var puts: UInt64 = 0
    public var gets: UInt64 = 0
    public var found: UInt64 = 0
    public var timeouts: UInt64 = 0
    /// By kind of error.
    public var errors = LabelledCounters(label: "kind", values: Self.errorKinds)
    public var lookups: UInt64 = 0
    public var provides: UInt64 = 0
    /// Values put and read back by the node itself, by how that ended.
    public var canaries = LabelledCounters(label: "outcome", values: CanaryOutcome.allCases.map(\.rawValue))
    // Traffic.
    /// By operation asked and how it ended.
    public var rpcs = LabelledCounters(labels: "op", Self.operations, "code", Self.rpcCodes)
    public var recordsTaken: UInt64 = 0
    /// Copies that others took: because a neighbour came or went or their publisher refreshed them, and of these
    /// the ones that this node gave away when it left.
    public var replicated: UInt64 = 0
    public var handedOver: UInt64 = 0
    public var republished: UInt64 = 0
    public var repairs: UInt64 = 0
    public var cached: UInt64 = 0
    public var hedgesSpawned: UInt64 = 0
    /// Requests asked on behalf of others, and answers to them that were handed back.
    public var passedOn: UInt64 = 0
    public var handedBack: UInt64 = 0
    /// By what was done to the routing table.
    public var routeUpdates = LabelledCounters(label: "action", values: Self.routeActions)
    /// By why something that came in was not taken.
    public var rejected = LabelledCounters(label: "reason", values: Self.rejectReasons)
    public var txDropped: UInt64 = 0
    // Distributions.
    public var getLatency = Histogram(bounds: Histogram.latencyBounds)
    public var putLatency = Histogram(bounds: Histogram.latencyBounds)
    public var lookupLatency = Histogram(bounds: Histogram.latencyBounds)
    public var lookupHops = Histogram(bounds: Histogram.hopBounds)
    // State.
    public var routingTableSize = 0
    /// Nodes that the network seems to have.
    public var networkSizeEstimate = 0.0
    /// How evenly contacts are spread over networks.
    public var networkEntropyBits = 0.0
    public var activeSessions = 0
    public var pendingQueries = 0
    public var records = 0
    /// Records that this node keeps alive.
    public var publications = 0
    public var recordBytes = 0
    /// Memory that records and their index occupy, and its budget.
    public var recordMemoryBytes = 0
    public var recordMemoryMaxBytes = 0
    /// Frames waiting in the fullest queue.
    public var txQueueDepth = 0
    public var ready = false

    public init() {}

    /// What a node has counted so far; what only its host knows is left at zero.
    public init(_ stats: NodeStats) {
        (puts, gets, found) = (stats.puts, stats.gets, stats.found)
        (timeouts, lookups, provides) = (stats.timeouts, stats.lookups, stats.provides)
        (recordsTaken, hedgesSpawned) = (stats.recordsTaken, stats.hedges)
        (passedOn, handedBack) = (stats.passedOn, stats.handedBack.total)
        (replicated, handedOver, republished) = (stats.replicated, stats.handedOver, stats.republished)
        (repairs, cached) = (stats.repairs, stats.cached)
        for kind in CallError.allCases { errors[kind.label] = stats.errors[kind] }
        for action in RouteUpdate.allCases { routeUpdates[action.label] = stats.routeUpdates[action] }
        for reason in Rejection.all { rejected[reason.label] = stats.rejections[reason] ?? 0 }
        for op in RpcOp.allCases {
            for code in RpcCode.allCases { rpcs[op.label, code.label] = stats.rpcs(op, code) }
        }
        (getLatency, putLatency) = (stats.getLatency, stats.putLatency)
        (lookupLatency, lookupHops) = (stats.lookupLatency, stats.lookupHops)
    }

    // Label values: all are on the page from the start.
    private static let errorKinds = CallError.allCases.map(\.label)
    private static let operations = RpcOp.allCases.map(\.label)
    private static let rpcCodes = RpcCode.allCases.map(\.label)
    private static let routeActions = RouteUpdate.allCases.map(\.label)
    private static let rejectReasons = Rejection.all.map(\.label) + ["http"]

    /// Writes every family of the node.
    public func render(into page: inout PrometheusText, build: BuildInfo) {
        page.info(
            "dht_build_info", "The build that is running.",
            [("version", build.version), ("git", build.git)])
        renderCalls(into: &page)
        renderTraffic(into: &page)
        renderCopies(into: &page)
        renderState(into: &page)
    }

    private func renderCalls(into page: inout PrometheusText) {
        page.counter("dht_put_total", "Puts asked of this node.", puts)
        page.counter("dht_get_total", "Gets asked of this node.", gets)
        page.counter("dht_found_total", "Gets that found a value.", found)
        page.counter("dht_timeout_total", "Requests of ours that were not answered in time.", timeouts)
        page.counters("dht_error_total", "Calls that did not end well, by kind.", errors)
        page.counter("dht_lookups_total", "Iterative lookups finished.", lookups)
        page.counter("dht_provides_total", "Provider records taken from callers.", provides)
        page.counters("dht_canary_total", "Values that the node put and read back itself.", canaries)
        page.histogram("dht_get_latency_seconds", "Time from a get to its answer.", getLatency)
        page.histogram("dht_put_latency_seconds", "Time from a put to its answer.", putLatency)
        page.histogram("dht_lookup_latency_seconds", "Time of one iterative lookup.", lookupLatency)
        page.histogram("dht_lookup_hops", "Hops of one iterative lookup.", lookupHops)
    }

    private func renderTraffic(into page: inout PrometheusText) {
        page.counters("dht_rpcs_total", "RPCs, served and ours, by operation and outcome.", rpcs)
        page.counter("dht_hedge_spawned_total", "Extra queries sent past a slow peer.", hedgesSpawned)
        page.counter("dht_passed_on_total", "Requests asked on behalf of other nodes.", passedOn)
        page.counter("dht_handed_back_total", "Answers handed back to those nodes.", handedBack)
        page.counters("dht_route_updates_total", "Changes of the routing table, by action.", routeUpdates)
        page.counters("dht_rejected_total", "What came in and was not taken, by reason.", rejected)
        page.counter("dht_tx_dropped_total", "Frames dropped because a send queue was full.", txDropped)
    }

    private func renderCopies(into page: inout PrometheusText) {
        page.counter("dht_records_taken_total", "Records of peers that were stored here.", recordsTaken)
        page.counter("dht_replicated_total", "Copies that others took unasked.", replicated)
        page.counter("dht_handed_over_total", "Copies that others took when this node left.", handedOver)
        page.counter("dht_republished_total", "Publications that were refreshed.", republished)
        page.counter("dht_repairs_total", "Older versions replaced by a read.", repairs)
        page.counter("dht_cached_total", "Copies left by a read where the record was missing.", cached)
    }

    private func renderState(into page: inout PrometheusText) {
        page.gauge("dht_routing_table_size", "Contacts in the routing table.", routingTableSize)
        page.gauge(
            "dht_network_size_estimate", "Nodes that the network seems to have, this one included.",
            networkSizeEstimate)
        page.gauge(
            "dht_routing_network_entropy", "Entropy in bits of the contacts' networks, /24 or /48.",
            networkEntropyBits)
        page.gauge("dht_active_sessions", "Open overlay sessions.", activeSessions)
        page.gauge("dht_pending_queries", "RPCs that wait for their reply.", pendingQueries)
        page.gauge("dht_records", "Records stored.", records)
        page.gauge("dht_publications", "Records that this node keeps alive.", publications)
        page.gauge("dht_record_bytes", "Bytes of records stored.", recordBytes)
        page.gauge("dht_record_memory_bytes", "Memory that records occupy.", recordMemoryBytes)
        page.gauge("dht_record_memory_max_bytes", "Budget of that memory.", recordMemoryMaxBytes)
        page.gauge("dht_tx_queue_depth", "Frames in the fullest send queue.", txQueueDepth)
        page.gauge("dht_ready", "1 while the node is ready.", ready ? 1 : 0)
    }
}
