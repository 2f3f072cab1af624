// RO:WHAT  PeerWatch: when a node that hears nobody asks somebody.
import Logging
import Testing

@testable import DhtLoop

@Suite("PeerWatch")
final class PeerWatchTests {
    private let loop: EventLoop
    private let endpoints = EndpointTable()
    private let callOwner = CallOwner()
    private let host: NodeHost
    private let watch: PeerWatch
    private let peer = NodeID(9, 9, 9, 9)
    private let endpoint: EndpointID

    init() throws {
        loop = try EventLoop()
        host = NodeHost(
            config: NodeConfig(id: NodeID(1, 1, 1, 1)), endpoints: endpoints, loop: loop, overlay: nil,
            callOwner: callOwner, log: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }, seed: 1)
        host.start(embeddedAt: nil, advertised: nil, policy: PoolPolicy(), seed: 1)
        watch = PeerWatch(loop: loop, host: host)
        endpoint = try #require(endpoints.intern("127.0.0.1:9"))
    }

    deinit {
        watch.stop()
        host.shutDown()
    }

    @Test("without a contact nobody is asked")
    func alone() {
        watch.timer(tag: 0, nowUs: loop.nowUs + 10 * PeerWatch.askAfterUs)
        #expect(host.lastHeardUs == nil && host.node.pendingCalls == 0)
    }

    @Test(
        "who was heard a moment ago is left alone; after ten seconds of silence someone is asked, then again")
    func silence() throws {
        try meet()
        let heardUs = try #require(host.lastHeardUs)
        let calls = host.node.pendingCalls
        watch.timer(tag: 0, nowUs: heardUs + PeerWatch.askAfterUs - 1)
        #expect(host.node.pendingCalls == calls)
        watch.timer(tag: 0, nowUs: heardUs + PeerWatch.askAfterUs)
        #expect(host.node.pendingCalls == calls + 1)
        watch.timer(tag: 0, nowUs: heardUs + PeerWatch.askAfterUs + PeerWatch.askAgainUs)
        #expect(host.node.pendingCalls == calls + 2)
    }

    /// The peer asks, is asked in turn, and answers: a contact.
    private func meet() throws {
        receive(rpc: 1, .ping)
        let asked = host.node.sentRequests.first { $0.dst == peer }
        receive(rpc: try #require(asked).id, .pong)
        #expect(host.node.table.count == 1)
    }

    private func receive(rpc: UInt64, _ body: EnvelopeImage.Body) {
        let image = EnvelopeImage(
            dst: host.node.config.id, src: peer, at: Array(endpoints.bytes(endpoint)), net: 0, rpc: rpc,
            body: body)
        image.encoded()?.withUnsafeBytes { host.poolReceived(endpoint, payload: $0, nowUs: loop.nowUs) }
    }

    @Test("the limits leave time for three questions before a node is cut off")
    func limits() {
        let asked = PeerWatch.askAfterUs + 2 * PeerWatch.askAgainUs
        #expect(asked < PeerWatch.isolatedAfterUs)
    }
}
