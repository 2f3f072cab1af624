// RO:WHAT  OverlaySession over real sockets: handshake, frames, blocking, time-outs, ends.
import Glibc
import Testing

@testable import DhtLoop

/// Notes what it is told; `onPayload` runs inside the callback.
private final class Recorder: SessionOwner {
    var opened = 0
    var payloads: [[UInt8]] = []
    var reasons: [CloseReason] = []
    var onPayload: (OverlaySession) -> Void = { _ in }

    override func sessionOpened(_ session: OverlaySession, nowUs: UInt64) { opened += 1 }

    override func sessionReceived(_ session: OverlaySession, payload: UnsafeRawBufferPointer, nowUs: UInt64) {
        payloads.append(Array(payload))
        onPayload(session)
    }

    override func sessionClosed(_ session: OverlaySession, reason: CloseReason, nowUs: UInt64) {
        reasons.append(reason)
    }
}

@Suite("OverlaySession")
struct OverlaySessionTests {
    private let loop: EventLoop
    private let listener: TestListener
    private let owner = Recorder()
    private let counters = SessionCounters()

    init() throws {
        loop = try EventLoop()
        listener = try TestListener()
    }

    private func makeSession(_ policy: SessionPolicy = SessionPolicy()) -> OverlaySession {
        OverlaySession(loop: loop, owner: owner, ownerIndex: 0, policy: policy, counters: counters)
    }

    /// A session that a peer dialled, and that peer.
    private func accepted(_ policy: SessionPolicy = SessionPolicy()) throws -> (OverlaySession, TestPeer) {
        let peer = try TestPeer(connectingTo: listener.address)
        var session: OverlaySession?
        drive(loop) {
            guard let socket = try? Sockets.accept(from: listener.fd.raw) else { return false }
            session = makeSession(policy)
            try? session?.adopt(socket, nowUs: loop.nowUs)
            return true
        }
        return (try #require(session), peer)
    }

    /// The same after both HELLOs.
    private func open(_ policy: SessionPolicy = SessionPolicy()) throws -> (OverlaySession, TestPeer) {
        let (session, peer) = try accepted(policy)
        peer.send(TestPeer.hello)
        drive(loop) { session.state == .open }
        return (session, peer)
    }

    @Test("an accepted session says HELLO without waiting for the other's")
    func acceptedHello() throws {
        let (session, peer) = try accepted()
        drive(loop) {
            peer.poll()
            return peer.received == TestPeer.hello
        }
        #expect(session.state == .handshake && owner.opened == 0)
        session.close(.shutdown)
    }

    @Test("what came with a connection is read when it is taken over, and HELLO leaves with the answers")
    func readAtOnce() throws {
        let peer = try TestPeer(connectingTo: listener.address)
        peer.send(TestPeer.hello + TestPeer.frame([1]))
        owner.onPayload = { session in [UInt8]([2]).lend { _ = session.send($0) } }
        let session = makeSession()
        try session.adopt(try Sockets.accept(from: listener.fd.raw), nowUs: loop.nowUs)
        #expect(owner.payloads == [[1]] && session.state == .open)
        loop.turn(maxWaitUs: 0)
        #expect(peer.payloads == [[2]])
        session.close(.shutdown)
    }

    @Test("a connection that begins with what no peer may send is told as any other, when it is taken over")
    func refusedAtOnce() throws {
        let peer = try TestPeer(connectingTo: listener.address)
        peer.send([0x50])
        try makeSession().adopt(try Sockets.accept(from: listener.fd.raw), nowUs: loop.nowUs)
        #expect(owner.reasons == [.refused(.badMagic)])
        drive(loop) { peer.wasClosed }
    }

    @Test(
        "a dialled session sends its first frames behind HELLO, before the other's HELLO, and then opens",
        arguments: FastOpen.allCases)
    func dialled(fastOpen: FastOpen) throws {
        let session = makeSession()
        let queued = [UInt8]([1, 2, 3]).lend { session.send($0) }
        #expect(queued)
        try session.dial(listener.address, fastOpen: fastOpen)
        let peer = try listener.accept(driving: loop)
        drive(loop) { peer.payloads == [[1, 2, 3]] }
        #expect(session.state == .handshake)
        peer.send(
            TestPeer.hello + TestPeer.frame([9]) + TestPeer.frame([], kind: 2) + TestPeer.frame([8, 8]))
        drive(loop) { owner.payloads.count == 2 }
        #expect(owner.opened == 1 && owner.payloads == [[9], [8, 8]])
        #expect((counters.framesIn, counters.framesOut, counters.ctrlIn) == (2, 1, 1))
        #expect((counters.bytesIn, counters.bytesOut) == (9 + 6 + 5 + 7, 9 + 8))
        session.close(.shutdown)
        drive(loop) { peer.wasClosed }
    }

    @Test("a stream in pieces of any size gives the same frames", arguments: [1, 2, 7, 4096])
    func pieces(size: Int) throws {
        let (session, peer) = try open()
        let expected = (0..<20).map { [UInt8](repeating: UInt8($0), count: $0 * 5) }
        let bytes = expected.flatMap { TestPeer.frame($0) }
        for start in stride(from: 0, to: bytes.count, by: size) {
            peer.send(Array(bytes[start..<min(bytes.count, start + size)]))
            loop.turn(maxWaitUs: 0)
        }
        drive(loop) { owner.payloads.count == expected.count }
        #expect(owner.payloads == expected)
        session.close(.shutdown)
    }

    @Test("the longest frame crosses both ways")
    func longest() throws {
        let (session, peer) = try open()
        let payload = [UInt8](repeating: 5, count: FrameHead.maxPayload)
        let sent = payload.lend { session.send($0) }
        #expect(sent)
        drive(loop) { peer.payloads.count == 1 }
        #expect(peer.payloads == [payload])
        var rest = TestPeer.frame(payload)[...]
        drive(loop) {
            peer.send(Array(rest.prefix(50_000)))
            rest = rest.dropFirst(50_000)
            return owner.payloads.count == 1
        }
        #expect(owner.payloads == [payload])
        session.close(.shutdown)
    }

    @Test(
        "bytes that no peer may send close the session with their reason",
        arguments: [
            ([0x50], OapError.badMagic), ([0x4F, 0x41, 0x50, 0x31, 3], .badVersion),
            ([0x4F, 0x41, 0x50, 0x31, 1, 0, 0, 0, 0], .missingGossip),
            (TestPeer.hello + [0, 0, 0, 0], .zeroLength), (TestPeer.hello + [0x80, 0, 0, 0, 1], .tooLong),
            (TestPeer.hello + [0, 0, 0, 1, 7], .unknownKind),
        ] as [([UInt8], OapError)])
    func refused(bytes: [UInt8], error: OapError) throws {
        let (_, peer) = try accepted()
        peer.send(bytes)
        drive(loop) { !owner.reasons.isEmpty }
        #expect(owner.reasons == [.refused(error)])
        drive(loop) { peer.wasClosed }
    }

    @Test("half a HELLO and then silence ends in the handshake time-out")
    func handshakeTimeout() throws {
        let (_, peer) = try accepted(SessionPolicy(handshakeTimeoutUs: 20_000))
        peer.send([0x4F, 0x41])
        drive(loop) { !owner.reasons.isEmpty }
        #expect(owner.reasons == [.handshakeTimeout] && owner.opened == 0)
    }

    @Test("an address that does not come ends in the connect time-out")
    func connectTimeout() {
        let session = makeSession(SessionPolicy(connectTimeoutUs: 20_000))
        drive(loop) { !owner.reasons.isEmpty }
        #expect(owner.reasons == [.connectTimeout] && session.state == .closed)
    }

    @Test("a host that does not answer ends in the connect time-out", arguments: FastOpen.allCases)
    func deafHost(fastOpen: FastOpen) throws {
        let (deaf, fillers) = try TestListener.deaf()
        let session = makeSession(SessionPolicy(connectTimeoutUs: 20_000, handshakeTimeoutUs: 20_000))
        try session.dial(deaf.address, fastOpen: fastOpen)
        drive(loop) {
            [UInt8]([1]).lend { _ = session.send($0) }
            return !owner.reasons.isEmpty
        }
        #expect(owner.reasons == [.connectTimeout] && fillers.count == 1)
    }

    @Test("what no SYN can hold follows it, in order", arguments: FastOpen.allCases)
    func longFirstFrames(fastOpen: FastOpen) throws {
        let session = makeSession()
        let payloads = (0..<4).map { [UInt8](repeating: $0, count: 100_000) }
        for payload in payloads[..<2] { payload.lend { _ = session.send($0) } }
        try session.dial(listener.address, fastOpen: fastOpen)
        for payload in payloads[2...] { payload.lend { _ = session.send($0) } }
        let peer = try listener.accept(driving: loop)
        drive(loop) { peer.payloads.count == payloads.count }
        #expect(peer.payloads == payloads && counters.txDropped == 0)
        session.close(.shutdown)
    }

    @Test("an address without a route is refused when it is dialled", arguments: FastOpen.allCases)
    func noRoute(fastOpen: FastOpen) throws {
        let everybody = try #require(SocketAddress("255.255.255.255:1"))
        let session = makeSession()
        #expect(throws: SystemError.self) { try session.dial(everybody, fastOpen: fastOpen) }
        session.close(.shutdown)
    }

    @Test("a port where nobody listens is told at once", arguments: FastOpen.allCases)
    func connectionRefused(fastOpen: FastOpen) throws {
        let nobody = try TestListener().address
        let session = makeSession()
        try session.dial(nobody, fastOpen: fastOpen)
        drive(loop) { !owner.reasons.isEmpty }
        #expect(owner.reasons == [.failed(ECONNREFUSED)])
    }

    @Test("what a peer sent before it went away is still read")
    func lastWords() throws {
        let (_, peer) = try open()
        peer.send(TestPeer.frame([1]) + TestPeer.frame([2]))
        shutdown(peer.fd.raw, Int32(SHUT_WR))
        drive(loop) { !owner.reasons.isEmpty }
        #expect(owner.payloads == [[1], [2]] && owner.reasons == [.peerClosed])
    }

    @Test("a session closed from inside its own callback hears nothing more and is told once")
    func closedInside() throws {
        let (session, peer) = try open()
        owner.onPayload = { $0.close(.shutdown) }
        peer.send(TestPeer.frame([1]) + TestPeer.frame([2]))
        drive(loop) { peer.wasClosed }
        #expect(owner.payloads == [[1]] && owner.reasons == [.shutdown])
        session.close(.idle)
        let sent = [UInt8]([1]).lend { session.send($0) }
        #expect(!sent && owner.reasons.count == 1)
    }

    @Test(
        "towards a peer that does not read, frames beyond the queue are dropped and counted, the rest arrive")
    func blocked() throws {
        let (session, peer) = try open()
        var sent: [[UInt8]] = []
        for number in 0..<100_000 where counters.txDropped < 100 {
            let payload = [UInt8](repeating: UInt8(truncatingIfNeeded: number), count: 8_192)
            if payload.lend({ session.send($0) }) { sent.append(payload) }
        }
        #expect(counters.txDropped == 100 && session.depth == TxQueue.maxFrames)
        drive(loop) { peer.payloads.count == sent.count }
        #expect(peer.payloads == sent && session.depth == 0)
        let again = [UInt8]([1]).lend { session.send($0) }
        drive(loop) { peer.payloads.count == sent.count + 1 }
        #expect(again)
        session.close(.shutdown)
    }

    @Test("a session whose socket is full and cannot be watched is closed when the turn ends, and says why")
    func unwatched() throws {
        let (session, peer) = try open()
        // A socket that takes nothing, under the number that is watched: epoll knows nothing of it.
        var pair: [Int32] = [0, 0]
        try #require(
            socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue), 0, &pair) == 0)
        let full = FileDescriptor(owning: pair[0])
        let other = FileDescriptor(owning: pair[1])
        while write(full.raw, "x", 1) == 1 {}
        try #require(dup2(full.raw, session.registeredFD) >= 0)
        for _ in 0...TxQueue.maxFrames { [UInt8]([1]).lend { _ = session.send($0) } }
        #expect(owner.reasons.isEmpty && counters.txDropped == 1 && other.raw >= 0)
        loop.turn(maxWaitUs: 0)
        #expect(owner.reasons == [.unwatched(ENOENT)] && peer.payloads.isEmpty)
        #expect(CloseReason.unwatched(ENOENT).detail == "epoll_ctl: No such file or directory")
        #expect(!CloseReason.unwatched(ENOENT).isRemote)
    }

    @Test("a write to a peer that is gone closes the session when the turn ends, not inside send")
    func brokenPipe() throws {
        var (session, peer): (OverlaySession, TestPeer?) = try open()
        peer?.reset()
        peer = nil
        let sent = [UInt8]([1]).lend { session.send($0) }
        #expect(sent && owner.reasons.isEmpty)
        drive(loop) { !owner.reasons.isEmpty }
        #expect(session.state == .closed)
    }

    @Test(
        "a quiet session sends heartbeats, which keep the other side's session open, and their silence ends it"
    )
    func heartbeats() throws {
        let policy = SessionPolicy(idleTimeoutUs: 40_000)
        let (session, peer) = try open(policy)
        drive(loop) {
            peer.send(TestPeer.frame([], kind: 2))
            return peer.frames.count >= 3
        }
        #expect(peer.frames.allSatisfy { $0 == [2] } && session.state == .open)
        drive(loop) { !owner.reasons.isEmpty }
        #expect(owner.reasons == [.idle])
    }

    @Test("a session that took long to open is not idle yet")
    func slowOpening() throws {
        let (session, peer) = try accepted(SessionPolicy(idleTimeoutUs: 40_000))
        drive(loop) { loop.nowUs > session.startedUs + 40_000 }
        peer.send(TestPeer.hello)
        drive(loop) { owner.opened == 1 }
        #expect(session.state == .open)
        drive(loop) { owner.reasons == [.idle] }
    }
}
