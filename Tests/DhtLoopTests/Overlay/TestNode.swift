// RO:WHAT  TestNode: a peer with an id that speaks envelopes through a switch.
import Testing

@testable import DhtLoop

/// A session to a switch, driven by hand.
final class TestNode {
    let id: NodeID
    let net: UInt64
    let peer: TestPeer
    private var lists = MessageLists()

    init(_ id: NodeID, net: UInt64 = 0, at address: SocketAddress) throws {
        (self.id, self.net) = (id, net)
        peer = try TestPeer(connectingTo: address)
        peer.send(TestPeer.hello)
    }

    /// A Ping or Pong envelope.
    static func envelope(
        src: NodeID, dst: NodeID, rpc: UInt64 = 1, net: UInt64 = 0, pong: Bool = false
    ) -> [UInt8] {
        var buffer = ByteBuffer()
        let nowhere = UnsafeRawBufferPointer(start: nil, count: 0)
        EnvelopeEncoder(src: src, at: nowhere, net: net).begin(&buffer, dst: dst, rpc: rpc)
        if pong { buffer.appendPong() } else { buffer.appendPing() }
        return Array(buffer.bytes)
    }

    func ping(_ dst: NodeID, rpc: UInt64 = 1) {
        peer.sendFrame(Self.envelope(src: id, dst: dst, rpc: rpc, net: net))
    }

    func pong(_ dst: NodeID, rpc: UInt64) {
        peer.sendFrame(Self.envelope(src: id, dst: dst, rpc: rpc, net: net, pong: true))
    }

    /// Sources of the Pings that came.
    var pingsFrom: [NodeID] { messages { $0.message == .ping ? $0.src : nil } }

    /// What was told to be unreachable, with the RPC it was told for.
    var unreachable: [Unreachable] {
        messages { envelope in
            guard case .unreachable(let node) = envelope.message, envelope.src.isZero else { return nil }
            #expect(envelope.dst == id && envelope.net == net)
            return Unreachable(node: node, rpc: envelope.rpc)
        }
    }

    struct Unreachable: Equatable {
        let node: NodeID
        let rpc: UInt64
    }

    private func messages<Result>(_ pick: (EnvelopeView) -> Result?) -> [Result] {
        peer.payloads.compactMap { payload in
            payload.withUnsafeBytes { (try? EnvelopeDecoder.decode($0, into: &lists)).flatMap(pick) }
        }
    }
}
