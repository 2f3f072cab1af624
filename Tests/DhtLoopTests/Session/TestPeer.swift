// RO:WHAT  TestPeer: the other end of a session, spoken byte by byte.  drive: turns of a loop until something is so.
// RO:WHY   Its own few lines of OAP judge ours; nothing here sleeps or waits for a clock.
import Glibc
import Testing

@testable import DhtLoop

/// Turns `loop` until `condition` holds; records an issue when it does not within a bounded number of turns.
func drive(
    _ loop: EventLoop, sourceLocation: SourceLocation = #_sourceLocation, until condition: () -> Bool
) {
    var turns = 0
    while !condition() {
        turns += 1
        guard turns < 20_000 else {
            Issue.record("the loop turned \(turns) times in vain", sourceLocation: sourceLocation)
            return
        }
        loop.turn(maxWaitUs: 1_000)
    }
}

/// A plain socket that speaks OAP as its test says.
final class TestPeer {
    static let hello: [UInt8] = [0x4F, 0x41, 0x50, 0x31, 1, 0, 0, 0, 1]

    let fd: FileDescriptor
    /// All that came so far.
    private(set) var received: [UInt8] = []
    private(set) var isAtEnd = false

    init(_ fd: consuming FileDescriptor) { self.fd = fd }

    /// Connects to a listener on this machine, without fast open: a peer may stay silent.
    convenience init(connectingTo address: SocketAddress) throws {
        let socket = FileDescriptor(owning: socket(address.family, Int32(SOCK_STREAM.rawValue), 0))
        let result = address.withSockaddr { connect(socket.raw, $0, $1) }
        try #require(result == 0 && fcntl(socket.raw, F_SETFL, O_NONBLOCK) == 0)
        self.init(socket)
    }

    static func frame(_ payload: [UInt8], kind: UInt8 = 1) -> [UInt8] {
        let length = UInt32(payload.count + 1)
        return [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: length >> $0) } + [kind] + payload
    }

    func send(_ bytes: [UInt8]) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes {
                Glibc.send(fd.raw, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            if count > 0 { rest = rest.dropFirst(count) }
            guard count > 0 || errno == EAGAIN || errno == ENOTCONN else { return }
        }
    }

    func sendFrame(_ payload: [UInt8]) { send(Self.frame(payload)) }

    /// Takes what has come.
    func poll() {
        var chunk = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = recv(fd.raw, &chunk, chunk.count, Int32(MSG_DONTWAIT))
            if count == 0 || (count < 0 && errno == ECONNRESET) { isAtEnd = true }
            guard count > 0 else { return }
            received += chunk[..<count]
        }
    }

    /// The frames behind the HELLO, kind first, as far as they are complete.
    var frames: [[UInt8]] {
        poll()
        guard received.starts(with: Self.hello) else { return [] }
        var (frames, rest): ([[UInt8]], ArraySlice<UInt8>) = ([], received.dropFirst(9))
        while rest.count >= 4 {
            let length = rest.prefix(4).reduce(0) { $0 << 8 | Int($1) }
            guard rest.count >= 4 + length else { break }
            frames.append(Array(rest.dropFirst(4).prefix(length)))
            rest = rest.dropFirst(4 + length)
        }
        return frames
    }

    /// The payloads of the Data frames.
    var payloads: [[UInt8]] { frames.filter { $0[0] == 1 }.map { Array($0.dropFirst()) } }

    /// Whether the other side has ended the connection.
    var wasClosed: Bool {
        poll()
        return isAtEnd
    }

    /// Ends the connection as a killed process would.
    func reset() {
        var linger = linger(l_onoff: 1, l_linger: 0)
        setsockopt(fd.raw, SOL_SOCKET, SO_LINGER, &linger, socklen_t(MemoryLayout<linger>.size))
    }
}

/// A listening socket on a port of the kernel's choice.
final class TestListener {
    let fd: FileDescriptor
    let address: SocketAddress

    init(on text: String = "127.0.0.1:0", fastOpen: FastOpen = .always) throws {
        fd = try Sockets.listen(on: try #require(SocketAddress(text)), fastOpen: fastOpen)
        address = try Sockets.boundAddress(of: fd.raw)
    }

    /// A listener whose queue is full: what is dialled now gets no answer, as from a dead host. The connections
    /// in the queue end with what is returned beside it.
    static func deaf() throws -> (TestListener, [TestPeer]) {
        let listener = try TestListener(fastOpen: .off)
        try #require(listen(listener.fd.raw, 0) == 0)
        return (listener, [try TestPeer(connectingTo: listener.address)])
    }

    /// The next connection, for which `loop` may have to turn.
    func accept(driving loop: EventLoop) throws -> TestPeer {
        var peer: TestPeer?
        drive(loop) {
            if let socket = try? Sockets.accept(from: fd.raw) { peer = TestPeer(socket) }
            return peer != nil
        }
        return try #require(peer)
    }
}

extension [UInt8] {
    /// Calls a consumer of borrowed bytes.
    func lend<Result>(_ body: (UnsafeRawBufferPointer) -> Result) -> Result { withUnsafeBytes(body) }
}
