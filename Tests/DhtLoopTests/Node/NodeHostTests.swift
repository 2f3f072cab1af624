// RO:WHAT  NodeHost: a node that carries a switch opens no session to itself.
import Logging
import Testing

@testable import DhtLoop

@Suite("NodeHost")
struct NodeHostTests {
    @Test("the warm set does not lead to the node's own switch")
    func ownSwitch() throws {
        var generator = SeededGenerator(seed: 3)
        let (loop, endpoints, elsewhere) = (try EventLoop(), EndpointTable(), try TestListener())
        let overlay = try OverlaySwitch(
            loop: loop, address: try #require(SocketAddress("127.0.0.1:0")), generator: &generator)
        let host = NodeHost(
            config: NodeConfig(id: .random(using: &generator)), endpoints: endpoints, loop: loop,
            overlay: overlay, callOwner: CallOwner(),
            log: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }, seed: 3)
        let own = try #require(overlay.address.flatMap { endpoints.intern($0.description) })
        host.start(embeddedAt: own, advertised: nil, policy: PoolPolicy(), seed: 3)
        let other = try #require(endpoints.intern(elsewhere.address.description))
        host.keepWarm([own, other])
        #expect(!host.pool.uses(own) && host.pool.uses(other) && host.pool.sessions == 0)
        host.shutDown()
        overlay.shutDown()
    }
}
