// RO:WHAT  DhtNode: a Kademlia node as a machine. Events and the time go in, actions come out.
// RO:WHY   It owns no socket and no clock, so the daemon, the simulator and a test run the very same code. It is a
//          router: each event goes to the machine that it concerns, and what one machine finds out to the next.
// RO:INVARIANTS  every pending request and every operation holds exactly one armed timer; after each event the outbox
//                holds all there is to do.
// RO:METRICS  NodeStats
// RO:TEST  Tests/DhtLoopTests/Kademlia/DhtNodeTests.swift

/// One node. All times are microseconds of a monotonic clock that the driver keeps.
///
/// Drive it so: hand it an event, perform what `outbox` holds, clear the outbox; and call `advance` no later
/// than `nextDeadlineUs`.
public struct DhtNode: ~Copyable {
    var core: NodeCore
    var search = PeerSearch()
    var operations: Operations
    var replicator: Replicator
    var responder: Responder
    /// Room for a message's lists; nil while a message is being dealt with, which has them.
    var lists: MessageLists? = MessageLists()

    /// `seed` feeds RPC ids, refresh targets and jitter: from the system in a daemon, a number in a test.
    public init(config: NodeConfig, endpoints: EndpointTable, seed: UInt64, nowUs: UInt64) {
        var generator = SeededGenerator(seed: seed)
        let records = Records(
            config: config, secrets: (store: generator.next(), providers: generator.next()), nowUs: nowUs)
        responder = Responder(
            AdmissionControl(
                perPeer: config.peerRequestsPerSecond, common: config.requestsPerSecond,
                secret: generator.next()))
        replicator = Replicator(budgetBytes: config.memoryBudget / NodeConfig.providerShare)
        operations = Operations(limit: config.maxCalls)
        core = NodeCore(
            context: NodeContext(config: config, endpoints: endpoints, generator: generator, nowUs: nowUs),
            rpcs: RpcClient(limit: config.maxRpcs),
            peers: PeerTable(config: config, endpoints: endpoints), records: records)
    }

    /// Tells the node which overlay it is attached to, and what endpoint others are told. Nothing is sent.
    public mutating func setHome(_ endpoint: EndpointID, advertised: EndpointID) {
        core.context.setHome(endpoint, advertised: advertised)
    }

    /// Names the overlays at which to look for nodes.
    public mutating func setBootstrap(_ endpoints: [EndpointID]) { search.setBootstrap(endpoints) }

    /// Changes the rates of `NodeConfig`, in requests a second; 0 is no limit. What peers were ahead is forgiven.
    public mutating func setRates(perPeer: Int, common: Int) {
        responder.replace(
            AdmissionControl(perPeer: perPeer, common: common, secret: core.context.generator.next()))
    }
}
