// RO:WHAT  Listener: connections come through, and not after a stop.
import Glibc
import Testing

@testable import DhtLoop

@Suite("Listener")
struct ListenerTests {
    private final class Taker: ConnectionTaker {
        var peers: [TestPeer] = []
        func take(_ socket: consuming FileDescriptor, nowUs: UInt64) { peers.append(TestPeer(socket)) }
    }

    @Test("each connection is handed over once, however many wait")
    func accepts() throws {
        let (loop, taker) = (try EventLoop(), Taker())
        let listener = try Listener(
            loop: loop, address: try #require(SocketAddress("127.0.0.1:0")), taker: taker)
        let clients = try (0..<150).map { _ in try TestPeer(connectingTo: listener.address) }
        drive(loop) { taker.peers.count == clients.count }
        for (number, peer) in taker.peers.enumerated() { peer.send([UInt8(number)]) }
        drive(loop) {
            clients.allSatisfy {
                $0.poll()
                return $0.received.count == 1
            }
        }
        #expect(Set(clients.map { $0.received[0] }).count == clients.count && listener.rests == 0)
        listener.stop()
        loop.turn(maxWaitUs: 0)
    }

    @Test("one that cannot be watched after its rest rests on, and accepts once it can be")
    func restless() throws {
        let (loop, taker) = (try EventLoop(), Taker())
        let listener = try Listener(
            loop: loop, address: try #require(SocketAddress("127.0.0.1:0")), taker: taker)
        let (number, other) = (listener.registeredFD, try #require(fopen("/dev/null", "r")))
        defer { fclose(other) }
        let socket = FileDescriptor(owning: dup(number))
        listener.takeRest(loop.nowUs)
        // Another file under the number that is watched: epoll knows nothing of it.
        try #require(dup2(fileno(other), number) >= 0)
        let client = try TestPeer(connectingTo: listener.address)
        drive(loop) { listener.rests >= 3 }
        #expect(taker.peers.isEmpty)
        try #require(dup2(socket.raw, number) >= 0)
        drive(loop) { taker.peers.count == 1 }
        #expect(!client.wasClosed)
        listener.stop()
    }

    @Test("a stopped listener takes nobody")
    func stopped() throws {
        let (loop, taker) = (try EventLoop(), Taker())
        let listener = try Listener(
            loop: loop, address: try #require(SocketAddress("127.0.0.1:0")), taker: taker)
        let client = try TestPeer(connectingTo: listener.address)
        listener.stop()
        for _ in 0..<3 { loop.turn(maxWaitUs: 1_000) }
        #expect(taker.peers.isEmpty && !client.wasClosed)
    }
}
