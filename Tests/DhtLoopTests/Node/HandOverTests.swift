// RO:WHAT  A node that is stopped: the end waits until its records have gone to the next in line.
import Logging
import Testing

@testable import DhtLoop

@Suite("Hand-over")
final class HandOverTests {
    private let loop: EventLoop
    private let endpoints = EndpointTable()
    private let service: NodeService
    private let host: NodeHost
    private let listener: TestListener
    private let endpoint: EndpointID
    private let peer = NodeID(9, 9, 9, 9)
    private let key = NodeID(1, 1, 1, 2)

    init() throws {
        loop = try EventLoop()
        listener = try TestListener()
        endpoint = try #require(endpoints.intern(listener.address.description))
        let log = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        let build = BuildInfo(service: "svc-dht", version: "1", git: "-", built: "-")
        service = NodeService(config: try Config(environment: [:]), build: build, loop: loop)
        var config = NodeConfig(id: NodeID(1, 1, 1, 1))
        config.replica = 1
        host = NodeHost(
            config: config, endpoints: endpoints, loop: loop, overlay: nil, callOwner: service, log: log,
            seed: 1)
        service.host = host
        service.canary = Canary(loop: loop, network: service, log: log, seed: 1)
        host.start(embeddedAt: nil, advertised: nil, policy: PoolPolicy(), seed: 1)
    }

    deinit {
        service.drain.stop()
        host.shutDown()
    }

    private func receive(rpc: UInt64, _ body: EnvelopeImage.Body) {
        let image = EnvelopeImage(
            dst: host.node.config.id, src: peer, at: Array(endpoints.bytes(endpoint)), net: 0, rpc: rpc,
            body: body)
        image.encoded()?.withUnsafeBytes { host.poolReceived(endpoint, payload: $0, nowUs: loop.nowUs) }
    }

    /// The request on its way to the peer.
    private func asked(_ op: RpcOp) throws -> UInt64 {
        try #require(host.node.sentRequests.first { $0.dst == peer && $0.op == op }).id
    }

    @Test("a node that is stopped ends when what it held was taken, and not before")
    func handsOver() throws {
        receive(rpc: 1, .put(EnvelopeImage.Record(key: key, seq: 1, ttl: 3600, value: [1])))
        receive(rpc: try asked(.ping), .pong)
        #expect(host.node.store.count == 1 && host.node.table.count == 1)
        service.beginStopping(withinUs: 60_000_000)
        loop.turn(maxWaitUs: 0)
        #expect(service.unfinished == 1 && service.drain.isRunning)
        receive(rpc: try asked(.putMany), .storedMany(stored: 1, refused: []))
        loop.turn(maxWaitUs: 0)
        #expect(service.unfinished == 0 && !service.drain.isRunning)
        #expect(host.node.stats.handedOver == 1)
    }

    @Test("one that holds nothing ends at once")
    func nothing() {
        service.beginStopping(withinUs: 60_000_000)
        loop.turn(maxWaitUs: 0)
        #expect(service.unfinished == 0 && !service.drain.isRunning)
    }
}
