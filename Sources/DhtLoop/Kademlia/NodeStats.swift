// RO:WHAT  NodeStats: what a node counts.
// RO:WHY   Plain integers on one thread; the daemon turns them into metrics when somebody asks.
// RO:METRICS  dht_put_total, dht_get_total, dht_found_total, dht_timeout_total, dht_error_total,
//             dht_lookups_total, dht_rpcs_total, dht_records_taken_total, dht_route_updates_total,
//             dht_rejected_total, dht_replicated_total, dht_handed_over_total, dht_republished_total,
//             dht_repairs_total, dht_cached_total, dht_passed_on_total, dht_handed_back_total, histograms

/// The operations of the wire that are answered.
public enum RpcOp: UInt8, CaseIterable, Sendable {
    case ping, findNode, get, put, putMany, provide, findProviders

    /// The metric label.
    public var label: String {
        switch self {
        case .ping: "ping"
        case .findNode: "find_node"
        case .get: "get"
        case .put: "put"
        case .putMany: "put_many"
        case .provide: "provide"
        case .findProviders: "find_providers"
        }
    }
}

/// What became of a request, ours or a peer's.
public enum RpcCode: UInt8, CaseIterable, Sendable {
    /// A peer's request, answered.
    case served
    /// A peer's request, answered with a refusal.
    case denied
    /// A peer's request, answered with Busy: the peer is over its rate.
    case shed
    /// Ours, answered.
    case ok
    /// Ours, refused by the peer.
    case refused
    /// Ours, answered with Busy.
    case busy
    /// Ours, the switch knows no such node.
    case unreachable
    /// Ours, not answered within the peer's working time-out.
    case timeout
    /// Ours, answered after that.
    case late
    /// Ours, the session to the peer's overlay is down.
    case closed

    /// The metric label.
    public var label: String { String(describing: self) }
}

/// Why a frame was dropped.
public enum Rejection: Equatable, Hashable, Sendable {
    case wire(WireError)
    /// Its source is this node: an overlay that only echoes.
    case ownEcho
    case wrongNet
    /// Its destination is another node.
    case misrouted
    /// A reply to nothing that was asked, or from someone else than was asked.
    case strayReply
    /// An endpoint that is none.
    case badEndpoint
    /// A request this version does not know.
    case unsupported
    /// A request over its sender's rate, who was told so often enough.
    case overRate

    /// The metric label.
    public var label: String {
        switch self {
        case .wire(let error): error.rawValue
        case .ownEcho: "own_echo"
        case .wrongNet: "wrong_net"
        case .misrouted: "misrouted"
        case .strayReply: "stray_reply"
        case .badEndpoint: "bad_endpoint"
        case .unsupported: "unsupported"
        case .overRate: "over_rate"
        }
    }

    /// Every reason there is, in a fixed order.
    public static let all: [Rejection] =
        [.ownEcho, .wrongNet, .misrouted, .strayReply, .badEndpoint, .unsupported, .overRate]
        + WireError.allCases.map { .wire($0) }
}

/// A change of the routing table.
public enum RouteUpdate: UInt8, CaseIterable, Sendable {
    case added, evicted, replaced, spared
    /// A contact gave way to one of another network.
    case exchanged

    /// The metric label.
    public var label: String { String(describing: self) }
}

/// What went wrong in a call of our own.
public enum CallError: UInt8, CaseIterable, Sendable {
    /// The deadline cut it.
    case deadline
    /// Fewer replicas than wanted took the record.
    case underReplicated
    /// Too many calls or RPCs at a time.
    case overload
    /// The own store's byte budget refused a record.
    case storeFull
    /// No room to remember a record that was put, so that it is not refreshed.
    case unpublished

    /// The metric label.
    public var label: String {
        switch self {
        case .deadline: "deadline"
        case .underReplicated: "under_replicated"
        case .overload: "overload"
        case .storeFull: "store_full"
        case .unpublished: "unpublished"
        }
    }
}

/// A counter for each case of a label.
public struct Tally<Label: CaseIterable & RawRepresentable & Sendable>: Sendable
where Label.RawValue == UInt8 {
    private var counts = [UInt64](repeating: 0, count: Label.allCases.count)

    public init() {}

    public subscript(label: Label) -> UInt64 {
        @inline(__always) get { counts[Int(label.rawValue)] }
        @inline(__always) set { counts[Int(label.rawValue)] = newValue }
    }

    /// The sum over all labels.
    public var total: UInt64 { counts.reduce(0, +) }
}

/// Everything a node counts, from its start.
public struct NodeStats: Sendable {
    public var puts: UInt64 = 0
    public var gets: UInt64 = 0
    public var found: UInt64 = 0
    public var timeouts: UInt64 = 0
    public var lookups: UInt64 = 0
    public var provides: UInt64 = 0
    /// Requests sent beyond alpha, past a peer that is overdue.
    public var hedges: UInt64 = 0
    /// Requests asked on behalf of others, and answers to them that were handed back.
    public var passedOn: UInt64 = 0
    public var handedBack = Tally<RpcOp>()
    /// Older versions replaced by a read.
    public var repairs: UInt64 = 0
    /// Copies sent because a neighbour came or went.
    public var replicated: UInt64 = 0
    /// Publications that were refreshed.
    public var republished: UInt64 = 0
    /// Copies that others took when this node left.
    public var handedOver: UInt64 = 0
    /// Records of peers that were stored here, one by one or many at once.
    public var recordsTaken: UInt64 = 0
    /// Copies left at the closest node that lacked a record.
    public var cached: UInt64 = 0
    public var errors = Tally<CallError>()
    public var routeUpdates = Tally<RouteUpdate>()
    public private(set) var rejections: [Rejection: UInt64] = [:]
    public var getLatency = Histogram(bounds: Histogram.latencyBounds)
    public var putLatency = Histogram(bounds: Histogram.latencyBounds)
    public var lookupLatency = Histogram(bounds: Histogram.latencyBounds)
    public var lookupHops = Histogram(bounds: Histogram.hopBounds)
    private var rpcs = [UInt64](repeating: 0, count: RpcOp.allCases.count * RpcCode.allCases.count)

    public init() {}

    /// RPCs of an operation that ended with a code.
    public func rpcs(_ op: RpcOp, _ code: RpcCode) -> UInt64 { rpcs[Self.place(op, code)] }

    @inline(__always)
    mutating func count(_ op: RpcOp, _ code: RpcCode) { rpcs[Self.place(op, code)] &+= 1 }

    mutating func reject(_ reason: Rejection) { rejections[reason, default: 0] += 1 }

    private static func place(_ op: RpcOp, _ code: RpcCode) -> Int {
        Int(op.rawValue) * RpcCode.allCases.count + Int(code.rawValue)
    }
}
