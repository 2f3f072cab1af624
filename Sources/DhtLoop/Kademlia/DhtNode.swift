// RO:WHAT  DhtNode: a Kademlia node as a machine. Events and the time go in, actions come out.
// RO:WHY   It owns no socket and no clock, so the daemon, the simulator and a test run the very same code.
// RO:INVARIANTS  every pending RPC and every call with a deadline holds exactly one armed timer;
//                after each event the outbox holds all there is to do.
// RO:INTERACTS  DhtNode+Requests (peers ask), +Admission (too much), +Replies (peers answer), +Busy (too much
//                of ours), +Calls (we ask), +Puts, +Upkeep.
// RO:METRICS  NodeStats
// RO:TEST  Tests/DhtLoopTests/Kademlia/DhtNodeTests.swift

/// One node. All times are microseconds of a monotonic clock that the driver keeps.
///
/// Drive it so: hand it an event, perform what `outbox` holds, clear the outbox; and call `advance` no later
/// than `nextDeadlineUs`.
public struct DhtNode: ~Copyable {
    public let config: NodeConfig
    /// Names of overlay endpoints, shared with whoever drives the node.
    public let endpoints: EndpointTable
    /// Whether each request of ours is told of when it ends, or only those that fail.
    public var tellsEveryRpc = false
    /// What is to be done now.
    public var outbox = Outbox()
    public internal(set) var stats = NodeStats()
    public internal(set) var table: RoutingTable
    public internal(set) var store: RecordStore
    public internal(set) var providers: ProviderStore
    /// The overlay we are attached to; `.none` until there is one.
    public internal(set) var home = EndpointID.none

    var rpcs: RpcTable
    var calls: CallTable
    var wheel: TimerWheel
    var generator: SeededGenerator
    var encoder: EnvelopeEncoder
    /// Room for a message's lists; nil while a message is being dealt with, which has them.
    var lists: MessageLists? = MessageLists()
    var nearest = ContactList()
    var upkeep = Upkeep()
    var admission: AdmissionControl
    var shedding = Shedding()
    /// Peers that asked to be left alone for a while.
    var busyPeers = BusyPeers()
    var replication = Replication()
    var courier = Courier()
    var recursions = RecursionTable()
    /// Who is asked next on behalf of whoever is being answered.
    var onward: Contact?
    var publications: Publications
    var republishing = Republishing()
    /// Round trips of first requests to a peer: what is to be expected of one that was never measured.
    var strangers = RecentRtts()
    /// The plain get in progress for a key: another one shares its walk.
    var walkOfKey: [Key: CallID] = [:]

    /// `seed` feeds RPC ids, refresh targets and jitter: from the system in a daemon, a number in a test.
    public init(config: NodeConfig, endpoints: EndpointTable, seed: UInt64, nowUs: UInt64) {
        self.config = config
        self.endpoints = endpoints
        generator = SeededGenerator(seed: seed)
        table = RoutingTable(
            ownID: config.id, k: config.k, diversityShare: config.diversityShare, endpoints: endpoints)
        let providerBudget = config.memoryBudget / NodeConfig.providerShare
        store = RecordStore(
            budgetBytes: config.memoryBudget - providerBudget, secret: generator.next(), nowUs: nowUs)
        providers = ProviderStore(budgetBytes: providerBudget, secret: generator.next())
        admission = AdmissionControl(
            perPeer: config.peerRequestsPerSecond, common: config.requestsPerSecond, secret: generator.next())
        publications = Publications(budgetBytes: providerBudget)
        rpcs = RpcTable(limit: config.maxRpcs)
        calls = CallTable(limit: config.maxCalls)
        wheel = TimerWheel(nowUs: nowUs)
        encoder = EnvelopeEncoder(src: config.id, at: endpoints.bytes(.none), net: config.net)
    }

    /// Requests on their way.
    public var pendingRpcs: Int { rpcs.count }
    /// Puts, gets and looks around in progress.
    public var pendingCalls: Int { calls.count }
    /// When `advance` must be called; nil while no timer is armed.
    public var nextDeadlineUs: UInt64? { wheel.nextDeadlineUs }

    /// Tells the node which overlay it is attached to, and what endpoint others are told. Nothing is sent.
    public mutating func setHome(_ endpoint: EndpointID, advertised: EndpointID) {
        home = endpoint
        upkeep.advertised = advertised
        encoder = EnvelopeEncoder(src: config.id, at: endpoints.bytes(advertised), net: config.net)
    }

    /// Fires the timers that are due.
    public mutating func advance(nowUs: UInt64) {
        while let token = wheel.next(dueBy: nowUs) { fire(TimerToken(token), nowUs) }
    }

    /// A payload arrived over `link`. Bad ones are counted; nothing here traps.
    public mutating func receive(_ payload: UnsafeRawBufferPointer, from link: Link, nowUs: UInt64) {
        var lists = self.lists.take() ?? MessageLists()
        receive(payload, &lists, link, nowUs)
        self.lists = consume lists
    }

    private mutating func receive(
        _ payload: UnsafeRawBufferPointer, _ lists: inout MessageLists, _ link: Link, _ nowUs: UInt64
    ) {
        do throws(WireError) {
            let envelope = try EnvelopeDecoder.decode(payload, into: &lists)
            guard envelope.net == config.net else { return stats.reject(.wrongNet) }
            guard envelope.src != config.id else { return stats.reject(.ownEcho) }
            guard envelope.dst == config.id || envelope.dst.isZero else { return stats.reject(.misrouted) }
            dispatch(envelope, with: lists, link, nowUs)
        } catch {
            stats.reject(.wire(error))
        }
    }

    private mutating func dispatch(
        _ envelope: EnvelopeView, with lists: borrowing MessageLists, _ link: Link, _ nowUs: UInt64
    ) {
        switch envelope.message {
        case .ping, .findNode, .get, .put, .putMany, .provide, .findProviders, .unsupported, .malformed:
            answer(envelope, with: lists, link, nowUs)
        case .pong, .nodes, .found, .stored, .storedMany, .providers, .busy, .error, .unreachable:
            takeReply(envelope, with: lists, link, nowUs)
        }
    }

    private mutating func fire(_ token: TimerToken, _ nowUs: UInt64) {
        switch token.kind {
        case .rpc: rpcTimerFired(slot: token.slot, nowUs)
        case .call: callTimerFired(slot: token.slot, nowUs)
        case .bootstrap: lookForPeers(nowUs)
        case .sweep: sweepStore(nowUs)
        case .tend: tend(nowUs)
        case .replicate: replicate(nowUs)
        case .courier: courierTimerFired(nowUs)
        case .republish: republish(nowUs)
        case .none: break
        }
    }
}

/// What a timer of the node is for. The slot is enough to find its owner: a timer is cancelled with it.
struct TimerToken {
    enum Kind: UInt64 { case none, rpc, call, bootstrap, sweep, tend, replicate, courier, republish }

    let kind: Kind
    let slot: Int

    init(_ kind: Kind, slot: UInt64 = 0) {
        self.kind = kind
        self.slot = Int(slot)
    }

    init(_ packed: UInt64) {
        kind = Kind(rawValue: packed >> 56) ?? .none
        slot = Int(packed & 0xFFFF_FFFF)
    }

    var packed: UInt64 { kind.rawValue << 56 | UInt64(slot) }
}
