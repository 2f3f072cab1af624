// RO:WHAT  CoreStage: requests, contacts and records of a node, built by hand, for tests of one machine that works with
//          them. No router stands behind it: what a machine sends lies in the outbox until the test takes it.
import Testing

@testable import DhtLoop

/// A core, and a clock that only tests move.
final class CoreStage {
    static let second: UInt64 = 1_000_000
    static let local = NodeID(1 << 63, 0, 0, 1)

    /// A payload that was sent to an endpoint, or replied over a link.
    struct Sent {
        var endpoint: EndpointID?
        var link: Link?
        var image: EnvelopeImage
    }

    let endpoints = EndpointTable()
    let home: EndpointID
    var core: NodeCore
    var nowUs: UInt64 = 10_000 * CoreStage.second
    /// What was told since the stage was set.
    private(set) var events: [NodeEvent] = []
    private(set) var results: [OperationResult] = []

    init(seed: UInt64 = 1, _ adjust: (inout NodeConfig) -> Void = { _ in }) {
        var config = NodeConfig(id: Self.local)
        adjust(&config)
        home = endpoints.intern("10.0.0.1:1")!
        var context = NodeContext(
            config: config, endpoints: endpoints, generator: SeededGenerator(seed: seed), nowUs: nowUs)
        context.setHome(home, advertised: home)
        core = NodeCore(
            context: context, rpcs: RpcClient(limit: config.maxRpcs),
            peers: PeerTable(config: config, endpoints: endpoints),
            records: Records(config: config, secrets: (store: 1, providers: 2), nowUs: nowUs))
    }

    /// A node whose id shares so many bits with the local one, at an overlay of its own.
    func contact(sharing bits: Int, _ number: UInt64) -> Contact {
        let id = Self.local.flippingBit(bits)
        return Contact(id: NodeID(id.w0, id.w1, id.w2, id.w3 ^ number << 8), endpoint: endpoint(number))
    }

    /// A node so far from the key of zeros that the higher its number, the farther it is.
    func peer(_ number: UInt64) -> Contact {
        Contact(id: NodeID(number << 32, 0, 0, 5), endpoint: endpoint(number))
    }

    func endpoint(_ number: UInt64) -> EndpointID { endpoints.intern("10.0.0.2:\(number + 1)")! }

    func text(_ endpoint: EndpointID) -> [UInt8] { Array(endpoints.bytes(endpoint)) }

    /// Changes the core, whose parts a test may name side by side there.
    @discardableResult
    func change<Result>(_ body: (inout NodeCore) -> Result) -> Result { body(&core) }

    /// A node answered. Returns whether it is a new contact.
    @discardableResult
    func meet(_ contact: Contact) -> Bool {
        let nowUs = nowUs
        return change { $0.peers.meet(contact, nowUs, &$0.rpcs, &$0.context) }
    }

    /// Stores a record here.
    @discardableResult
    func keep(_ key: Key, seq: UInt64 = 1, ttlSeconds: UInt64 = 3600, value: [UInt8] = [1])
        -> RecordStore.PutOutcome
    {
        let version = Version(seq: seq, ttlSeconds: ttlSeconds, value: value, isTombstone: false)
        return core.keep(key, version, nowUs)
    }

    /// What was sent since the last call.
    func take() -> [Sent] {
        var sent: [Sent] = []
        for action in core.context.outbox.actions {
            switch action {
            case .send(let endpoint, let slice):
                if let image = image(slice) { sent.append(Sent(endpoint: endpoint, image: image)) }
            case .reply(let link, let slice):
                if let image = image(slice) { sent.append(Sent(link: link, image: image)) }
            case .finished(_, let result): results.append(result)
            case .event(let event): events.append(event)
            case .warm: break
            }
        }
        core.context.outbox.clear()
        return sent
    }

    private func image(_ slice: ByteSlice) -> EnvelopeImage? {
        try? EnvelopeImage(decoding: Array(core.context.outbox.payload(slice)))
    }

    /// Hands `body` a message as it is decoded from the wire.
    func hear<Result>(
        _ body: EnvelopeImage.Body, from source: NodeID, rpc: UInt64 = 1, at: [UInt8] = [],
        _ take: (EnvelopeView, borrowing MessageLists) throws -> Result
    ) throws -> Result {
        let image = EnvelopeImage(dst: Self.local, src: source, at: at, net: 0, rpc: rpc, body: body)
        let frame = try #require(image.encoded())
        return try frame.withUnsafeBytes { bytes in
            var lists = MessageLists()
            let view = try EnvelopeDecoder.decode(bytes, into: &lists)
            return try take(view, lists)
        }
    }

    /// A request is over.
    func close(_ rpc: NodeRpcs.Pending) { change { _ = $0.rpcs.close(rpc.id, &$0.context) } }

    /// The requests in flight that went to a node.
    func requests(to id: NodeID) -> [NodeRpcs.Pending] { core.rpcs.pending.filter { $0.dst == id } }
}
