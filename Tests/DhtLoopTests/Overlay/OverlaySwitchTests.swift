// RO:WHAT  OverlaySwitch over real sockets: claims, forwarding, gossip, echo, probes, limits, the local port.
import Testing

@testable import DhtLoop

/// A local node that notes what it gets and answers as its test says.
private final class Port: LocalPort {
    var delivered: [(payload: [UInt8], link: SwitchLink)] = []
    var onDeliver: ([UInt8], SwitchLink) -> Void = { _, _ in }

    override func deliver(_ payload: UnsafeRawBufferPointer, from link: SwitchLink, nowUs: UInt64) {
        delivered.append((Array(payload), link))
        onDeliver(Array(payload), link)
    }
}

@Suite("OverlaySwitch")
final class OverlaySwitchTests {
    private let loop: EventLoop
    private var generator = SeededGenerator(seed: 7)
    private var switches: [OverlaySwitch] = []

    init() throws { loop = try EventLoop() }

    deinit { for hub in switches { hub.shutDown() } }

    private func makeSwitch(_ policy: SwitchPolicy = SwitchPolicy()) throws -> OverlaySwitch {
        let anyPort = try #require(SocketAddress("127.0.0.1:0"))
        let hub = try OverlaySwitch(loop: loop, address: anyPort, policy: policy, generator: &generator)
        switches.append(hub)
        return hub
    }

    private func makeID() -> NodeID { .random(using: &generator) }

    /// A node whose id the switch has learned, by a Ping to itself.
    private func join(_ hub: OverlaySwitch, _ id: NodeID, net: UInt64 = 0) throws -> TestNode {
        let node = try TestNode(id, net: net, at: try #require(hub.address))
        node.ping(id)
        drive(loop) { node.pingsFrom == [id] }
        return node
    }

    @Test(
        "a frame goes to the session that holds its destination, bytes untouched, and the answer comes back")
    func forward() throws {
        let hub = try makeSwitch()
        let (a, b) = (try join(hub, makeID()), try join(hub, makeID()))
        a.ping(b.id, rpc: 42)
        drive(loop) { b.peer.payloads.count == 2 }
        #expect(b.peer.payloads[1] == TestNode.envelope(src: a.id, dst: b.id, rpc: 42))
        b.pong(a.id, rpc: 42)
        drive(loop) { a.peer.payloads.count == 2 }
        #expect(a.peer.payloads[1] == TestNode.envelope(src: b.id, dst: a.id, rpc: 42, pong: true))
        #expect(hub.stats.forwarded == 4 && hub.heldIDs == 2 && hub.openSessions == 2)
    }

    @Test("an envelope with its keys in another order is forwarded too")
    func otherShape() throws {
        let hub = try makeSwitch()
        let (a, b) = (try join(hub, makeID()), try join(hub, makeID()))
        var bytes = TestNode.envelope(src: a.id, dst: b.id)
        // "v": 1 moves from the front of the map to its end.
        let version = Array(bytes[1..<4])
        bytes.removeSubrange(1..<4)
        bytes += version
        a.peer.sendFrame(bytes)
        drive(loop) { b.peer.payloads.count == 2 }
        #expect(b.peer.payloads[1] == bytes)
    }

    @Test("a destination that nobody holds is answered at once, under the same RPC id and network")
    func unreachable() throws {
        let hub = try makeSwitch()
        for net in [0, 7, 7, 0] as [UInt64] {
            let (node, nobody) = (try join(hub, makeID(), net: net), makeID())
            node.ping(nobody, rpc: 99)
            drive(loop) { !node.unreachable.isEmpty }
            #expect(node.unreachable == [TestNode.Unreachable(node: nobody, rpc: 99)])
        }
        #expect(hub.stats.unreachable == 4)
    }

    @Test("an Unreachable to nobody is not answered")
    func unreachableUnreachable() throws {
        let hub = try makeSwitch()
        let node = try join(hub, makeID())
        var buffer = ByteBuffer()
        let nowhere = UnsafeRawBufferPointer(start: nil, count: 0)
        EnvelopeEncoder(src: node.id, at: nowhere, net: 0).begin(&buffer, dst: makeID(), rpc: 5)
        buffer.appendUnreachable(node: makeID())
        node.peer.sendFrame(Array(buffer.bytes))
        node.ping(node.id)
        drive(loop) { node.pingsFrom.count == 2 }
        #expect(node.unreachable.isEmpty && hub.stats.unreachable == 1)
    }

    @Test("when a session ends its ids are free, and it is unreachable")
    func leaving() throws {
        let hub = try makeSwitch()
        let (a, id) = (try join(hub, makeID()), makeID())
        var b: TestNode? = try join(hub, id)
        #expect(b?.id == id && hub.heldIDs == 2)
        b = nil
        drive(loop) { hub.sessions == 1 }
        a.ping(id)
        drive(loop) { a.unreachable.count == 1 }
        _ = try join(hub, id)
        #expect(hub.stats.refusedClaims == 0)
    }

    @Test("the first to claim an id keeps it; the holder is probed, and being alive stays")
    func firstClaim() throws {
        var policy = SwitchPolicy()
        // Time for the answer, on a busy machine too.
        policy.probeTimeoutUs = 300_000
        let hub = try makeSwitch(policy)
        let (holder, other) = (try join(hub, makeID(), net: 3), try join(hub, makeID()))
        let thief = try TestNode(holder.id, net: 8, at: try #require(hub.address))
        thief.ping(other.id)
        drive(loop) { hub.stats.probes == 1 }
        drive(loop) { holder.pingsFrom.count == 2 }
        let prober = holder.pingsFrom[1]
        holder.pong(prober, rpc: 1)
        drive(loop) { hub.stats.probeAnswers == 1 }
        let deadlineUs = loop.nowUs + policy.probeTimeoutUs + 100_000
        drive(loop) { loop.nowUs > deadlineUs }
        other.ping(holder.id)
        drive(loop) { holder.pingsFrom.contains(other.id) }
        #expect(hub.stats.refusedClaims == 1 && hub.stats.silentPeers == 0 && other.pingsFrom == [other.id])
    }

    @Test("a probe is of the holder's network, so that a live node answers it")
    func probeNetwork() throws {
        let hub = try makeSwitch()
        let holder = try join(hub, makeID(), net: 3)
        let thief = try TestNode(holder.id, net: 8, at: try #require(hub.address))
        thief.ping(holder.id)
        drive(loop) { holder.peer.payloads.count == 2 }
        var lists = MessageLists()
        let probe = try holder.peer.payloads[1].withUnsafeBytes {
            try EnvelopeDecoder.decode($0, into: &lists)
        }
        #expect(probe.net == 3 && probe.dst == holder.id && probe.at.count == 0)
    }

    @Test("a ghost that stays silent is closed, and its id goes to the next who claims it")
    func ghost() throws {
        var policy = SwitchPolicy()
        policy.probeTimeoutUs = 20_000
        let hub = try makeSwitch(policy)
        let ghost = try join(hub, makeID())
        let returned = try TestNode(ghost.id, at: try #require(hub.address))
        returned.ping(ghost.id)
        drive(loop) { ghost.peer.wasClosed }
        returned.ping(ghost.id)
        drive(loop) { returned.pingsFrom == [ghost.id] }
        #expect(hub.stats.silentPeers == 1 && hub.stats.refusedClaims == 1)
    }

    @Test("nobody speaks as the zero id or as the switch, and a broken envelope claims nothing")
    func refusedSources() throws {
        let hub = try makeSwitch()
        let node = try join(hub, makeID())
        node.peer.sendFrame(TestNode.envelope(src: .zero, dst: node.id))
        node.peer.sendFrame(TestNode.envelope(src: hub.ownID, dst: node.id))
        node.peer.sendFrame(Array(TestNode.envelope(src: makeID(), dst: node.id)[..<90]))
        drive(loop) { hub.stats.refusedSources == 3 }
        #expect(hub.heldIDs == 1 && node.peer.payloads.count == 1)
    }

    @Test("a session holds so many ids and no more")
    func idLimit() throws {
        var policy = SwitchPolicy()
        policy.idsPerSession = 4
        let hub = try makeSwitch(policy)
        let node = try join(hub, makeID())
        let others = (0..<5).map { _ in makeID() }
        for id in others { node.peer.sendFrame(TestNode.envelope(src: id, dst: node.id)) }
        drive(loop) { hub.stats.refusedIDs == 2 }
        #expect(hub.heldIDs == 4 && node.pingsFrom == [node.id] + others[..<3])
        node.ping(others[1])
        drive(loop) { node.pingsFrom.count == 5 }
    }

    @Test("a frame for any node goes to eight others, never to its sender", arguments: [1, 3, 9, 10, 30])
    func gossip(count: Int) throws {
        let hub = try makeSwitch()
        let nodes = try (0..<count).map { _ in try join(hub, makeID()) }
        let stranger = try TestPeer(connectingTo: try #require(hub.address))
        stranger.send(TestPeer.hello)
        nodes[0].ping(.zero)
        nodes[0].ping(nodes[0].id)
        drive(loop) { nodes[0].pingsFrom.count == 2 }
        let expected = min(8, count - 1)
        drive(loop) { nodes.dropFirst().count { $0.pingsFrom.contains(nodes[0].id) } == expected }
        #expect(hub.stats.gossiped == UInt64(expected) && nodes[0].pingsFrom == [nodes[0].id, nodes[0].id])
        #expect(stranger.frames.isEmpty)
    }

    @Test("gossip reaches everybody in time, and gone members are left out")
    func gossipSpread() throws {
        let hub = try makeSwitch()
        var nodes = try (0..<20).map { _ in try join(hub, makeID()) }
        nodes.removeSubrange(5..<10)
        drive(loop) { hub.sessions == 15 }
        for _ in 0..<40 { nodes[0].ping(.zero) }
        drive(loop) { hub.stats.gossiped == 40 * 8 }
        drive(loop) { nodes.dropFirst().allSatisfy { $0.pingsFrom.contains(nodes[0].id) } }
    }

    @Test(
        "a payload that is no envelope comes back, also from a session with no id",
        arguments: [0, 1, 80, 5_000])
    func echo(count: Int) throws {
        let hub = try makeSwitch()
        let peer = try TestPeer(connectingTo: try #require(hub.address))
        let payload = (0..<count).map { UInt8(truncatingIfNeeded: $0) }
        peer.send(TestPeer.hello + TestPeer.frame([], kind: 2) + TestPeer.frame(payload))
        drive(loop) { peer.payloads == [payload] }
        #expect(hub.stats.echoed == 1 && hub.counters.ctrlIn == 1 && hub.heldIDs == 0)
    }

    @Test("failed handshakes are counted by reason")
    func handshakes() throws {
        var policy = SwitchPolicy()
        policy.handshakeTimeoutUs = 20_000
        let hub = try makeSwitch(policy)
        let address = try #require(hub.address)
        let bytes: [[UInt8]] = [
            Array("GET / HTTP/1.1\r\n".utf8), [0x4F, 0x41, 0x50, 0x31, 9],
            [0x4F, 0x41, 0x50, 0x31, 1, 0, 0, 0, 0], [0x4F],
        ]
        let peers = try bytes.map { bytes in
            let peer = try TestPeer(connectingTo: address)
            peer.send(bytes)
            return peer
        }
        drive(loop) { peers.allSatisfy(\.wasClosed) }
        _ = try TestPeer(connectingTo: address)
        drive(loop) { hub.stats.handshakeFailures.reduce(0, +) == 5 }
        #expect(hub.stats.handshakeFailures[..<5] == [1, 1, 1, 1, 1])
        #expect(hub.sessions == 0 && hub.stats.lifetime.count == 5 && hub.stats.acceptLatency.count == 0)
    }

    @Test("a connection over the cap is closed at once and counted, and room is used again")
    func cap() throws {
        var policy = SwitchPolicy()
        policy.maxSessions = 2
        let hub = try makeSwitch(policy)
        var nodes = [try join(hub, makeID()), try join(hub, makeID())]
        let extra = try TestPeer(connectingTo: try #require(hub.address))
        drive(loop) { extra.wasClosed }
        #expect(hub.stats.overCapacity == 1 && hub.sessions == 2)
        nodes.removeLast()
        drive(loop) { hub.sessions == 1 }
        nodes.append(try join(hub, makeID()))
        #expect(hub.stats.accepted == 4)
    }

    @Test("a silent session is closed, one that sends heartbeats is not")
    func idle() throws {
        var policy = SwitchPolicy()
        policy.idleTimeoutUs = 60_000
        let hub = try makeSwitch(policy)
        let (quiet, lively) = (try join(hub, makeID()), try join(hub, makeID()))
        drive(loop) {
            lively.peer.send(TestPeer.frame([], kind: 2))
            return quiet.peer.wasClosed
        }
        #expect(hub.sessions == 1 && !lively.peer.wasClosed)
    }

    @Test("towards a node that does not read, frames are dropped and counted; others are served")
    func slowReader() throws {
        let hub = try makeSwitch()
        let (sender, slow, other) = (
            try join(hub, makeID()), try join(hub, makeID()), try join(hub, makeID())
        )
        let long = TestNode.envelope(src: sender.id, dst: slow.id) + [UInt8](repeating: 0, count: 60_000)
        var sent = 0
        while hub.counters.txDropped < 50, sent < 5_000 {
            let frame = TestPeer.frame(long)
            var rest = frame[...]
            while !rest.isEmpty {
                sender.peer.send(Array(rest.prefix(32_768)))
                rest = rest.dropFirst(32_768)
                loop.turn(maxWaitUs: 0)
            }
            sent += 1
        }
        #expect(hub.counters.txDropped >= 50 && hub.txDepthMax > 0)
        sender.ping(other.id)
        drive(loop) { other.pingsFrom.contains(sender.id) }
        drive(loop) {
            slow.peer.poll()
            return hub.txDepthMax == 0
        }
        #expect(hub.sessions == 3)
    }

    // MARK: - Local port

    @Test("the local node gets frames for its id and for any node, and answers over the link they came on")
    func localPort() throws {
        let (hub, port, local) = (try makeSwitch(), Port(), makeID())
        hub.attachLocal(id: local, port: port)
        port.onDeliver = { [unowned hub] payload, link in
            let answered = payload.withUnsafeBytes { hub.reply(to: link, $0) }
            #expect(answered)
        }
        let node = try join(hub, makeID())
        node.ping(local, rpc: 1)
        node.ping(.zero, rpc: 2)
        drive(loop) { node.pingsFrom.count == 3 }
        #expect(
            port.delivered.map(\.payload) == [
                TestNode.envelope(src: node.id, dst: local, rpc: 1),
                TestNode.envelope(src: node.id, dst: .zero, rpc: 2),
            ])
        #expect(hub.stats.local == 2 && hub.stats.gossiped == 0)
    }

    @Test("what comes with a connection is answered in the turn that accepts it, behind HELLO")
    func firstTurn() throws {
        let (hub, port, local) = (try makeSwitch(), Port(), makeID())
        hub.attachLocal(id: local, port: port)
        port.onDeliver = { [unowned hub] payload, link in
            _ = payload.withUnsafeBytes { hub.reply(to: link, $0) }
        }
        let node = try TestNode(makeID(), at: try #require(hub.address))
        node.ping(local)
        loop.turn(maxWaitUs: 1_000_000)
        let answer = TestPeer.hello + TestPeer.frame(TestNode.envelope(src: node.id, dst: local))
        node.peer.poll()
        #expect(node.peer.received == answer)
    }

    @Test(
        "the local node's frames are routed like any other, and it is told what is unreachable after its call"
    )
    func sendLocal() throws {
        let (hub, port, local, nobody) = (try makeSwitch(), Port(), makeID(), makeID())
        hub.attachLocal(id: local, port: port)
        let node = try join(hub, makeID())
        for dst in [node.id, .zero, nobody, local] {
            TestNode.envelope(src: local, dst: dst, rpc: 6).withUnsafeBytes { hub.sendLocal($0) }
        }
        #expect(port.delivered.isEmpty)
        drive(loop) { port.delivered.count == 2 && node.pingsFrom.count == 3 }
        var lists = MessageLists()
        let notice = try port.delivered[0].payload.withUnsafeBytes {
            try EnvelopeDecoder.decode($0, into: &lists)
        }
        #expect(notice.message == .unreachable(node: nobody) && notice.rpc == 6 && notice.dst == local)
        #expect(port.delivered.allSatisfy { $0.link == .local })
        #expect(port.delivered[1].payload == TestNode.envelope(src: local, dst: local, rpc: 6))
    }

    @Test("the local id cannot be claimed, not even by a session that held it before")
    func localID() throws {
        let (hub, port, local) = (try makeSwitch(), Port(), makeID())
        let early = try join(hub, local)
        hub.attachLocal(id: local, port: port)
        early.ping(local)
        drive(loop) { hub.stats.refusedClaims == 1 }
        #expect(port.delivered.isEmpty && hub.heldIDs == 0 && hub.stats.probes == 0)
    }

    @Test("an answer to a session that has ended is dropped and counted, also when its slot is used again")
    func staleReply() throws {
        let (hub, port, local) = (try makeSwitch(), Port(), makeID())
        hub.attachLocal(id: local, port: port)
        var node: TestNode? = try join(hub, makeID())
        node?.ping(local)
        drive(loop) { port.delivered.count == 1 }
        node = nil
        drive(loop) { hub.sessions == 0 }
        let successor = try join(hub, makeID())
        let sent = [UInt8]([1]).withUnsafeBytes { hub.reply(to: port.delivered[0].link, $0) }
        #expect(!sent && hub.stats.staleReplies == 1)
        successor.ping(local)
        drive(loop) { port.delivered.count == 2 }
        #expect(port.delivered[0].link.slot == port.delivered[1].link.slot)
        #expect(SwitchLink(rawValue: port.delivered[1].link.rawValue) == port.delivered[1].link)
    }

    @Test("a port that is taken is told, and nothing stays behind")
    func portTaken() throws {
        let hub = try makeSwitch()
        let address = try #require(hub.address)
        #expect(throws: SystemError.self) {
            try OverlaySwitch(loop: loop, address: address, generator: &generator)
        }
    }
}
