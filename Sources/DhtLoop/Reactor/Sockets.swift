// RO:WHAT  TCP sockets as this daemon wants them: non-blocking, without delay, kept alive.
// RO:WHY   Every option is set in one place; one that a kernel refuses is done without.

import CEpoll
import Glibc

/// Makes and asks sockets. All are non-blocking and closed on exec.
enum Sockets {
    /// Connections the kernel completes before we accept them.
    private static let backlog: Int32 = 1024
    /// SYNs with data that may wait for their handshake.
    private static let fastOpenQueue: Int32 = 256
    /// A dead peer is noticed after 60 s of silence and 6 probes, 10 s apart.
    private static let (keepIdleSeconds, keepIntervalSeconds, keepProbes): (Int32, Int32, Int32) = (60, 10, 6)
    /// Sent bytes that nobody acknowledges for this long end the connection.
    private static let userTimeoutMs: Int32 = 30_000
    private static let streamFlags =
        Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue)

    /// A connection that is being made.
    struct Dialled: ~Copyable {
        let fd: FileDescriptor
        /// Bytes may be written at once: the SYN leaves with the first of them, and not before.
        let takesBytes: Bool
    }

    /// A listening socket on `address`.
    static func listen(
        on address: SocketAddress, fastOpen: FastOpen = .off
    ) throws(SystemError) -> FileDescriptor {
        let fd = try FileDescriptor("socket", socket(address.family, streamFlags, 0))
        set(fd.raw, SOL_SOCKET, SO_REUSEADDR, 1)
        try systemCall("bind") { address.withSockaddr { bind(fd.raw, $0, $1) } }
        if fastOpen != .off { set(fd.raw, Int32(IPPROTO_TCP), TCP_FASTOPEN, fastOpenQueue) }
        if fastOpen == .always { set(fd.raw, Int32(IPPROTO_TCP), TCP_FASTOPEN_NO_COOKIE, 1) }
        try systemCall("listen") { Glibc.listen(fd.raw, backlog) }
        return fd
    }

    /// A socket on its way to `address`, writable once it is connected; or at once, with fast open towards a host
    /// whose cookie the kernel has, or without one.
    static func dial(_ address: SocketAddress, fastOpen: FastOpen = .off) throws(SystemError) -> Dialled {
        let fd = try FileDescriptor("socket", socket(address.family, streamFlags, 0))
        tune(fd.raw)
        if fastOpen != .off { set(fd.raw, Int32(IPPROTO_TCP), TCP_FASTOPEN_CONNECT, 1) }
        if fastOpen == .always { set(fd.raw, Int32(IPPROTO_TCP), TCP_FASTOPEN_NO_COOKIE, 1) }
        let isDone = address.withSockaddr { connect(fd.raw, $0, $1) } == 0
        // One that a signal interrupts goes on as one that would block does.
        guard isDone || errno == EINPROGRESS || errno == EINTR else {
            throw SystemError(operation: "connect")
        }
        return Dialled(fd: fd, takesBytes: isDone)
    }

    /// The next waiting connection of `listener`; throws EAGAIN when there is none.
    static func accept(from listener: Int32) throws(SystemError) -> FileDescriptor {
        let flags = Int32(SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue)
        let fd = try FileDescriptor("accept", cepoll_accept4(listener, nil, nil, flags))
        tune(fd.raw)
        return fd
    }

    /// How a connect ended: 0 for connected, else its errno, or that of asking.
    static func pendingError(of fd: Int32) -> Int32 {
        var (code, size): (Int32, socklen_t) = (0, socklen_t(MemoryLayout<Int32>.size))
        return getsockopt(fd, SOL_SOCKET, SO_ERROR, &code, &size) == 0 ? code : errno
    }

    /// Whether the other side has not answered the SYN yet. No, when the kernel does not say: that only decides
    /// which time-out a failed session is said to have met.
    static func awaitsAnswer(_ fd: Int32) -> Bool {
        var (state, size): (UInt8, socklen_t) = (0, 1)
        // The state is the first byte of `tcp_info`; the kernel copies as much as is asked for.
        return getsockopt(fd, Int32(IPPROTO_TCP), TCP_INFO, &state, &size) == 0
            && state == UInt8(TCP_SYN_SENT)
    }

    /// The address `fd` is bound to, with the port the kernel chose.
    static func boundAddress(of fd: Int32) throws(SystemError) -> SocketAddress {
        var storage = sockaddr_storage()
        var size = socklen_t(MemoryLayout<sockaddr_storage>.size)
        try systemCall("getsockname") {
            withUnsafeMutablePointer(to: &storage) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(fd, $0, &size) }
            }
        }
        guard let address = SocketAddress(storage) else {
            throw SystemError(operation: "getsockname", code: EAFNOSUPPORT)
        }
        return address
    }

    private static func tune(_ fd: Int32) {
        let tcp = Int32(IPPROTO_TCP)
        set(fd, tcp, TCP_NODELAY, 1)
        set(fd, SOL_SOCKET, SO_KEEPALIVE, 1)
        set(fd, tcp, TCP_KEEPIDLE, keepIdleSeconds)
        set(fd, tcp, TCP_KEEPINTVL, keepIntervalSeconds)
        set(fd, tcp, TCP_KEEPCNT, keepProbes)
        set(fd, tcp, TCP_USER_TIMEOUT, userTimeoutMs)
    }

    /// An option is a wish: a kernel that refuses it, as many do fast open, leaves a socket that works without.
    private static func set(_ fd: Int32, _ level: Int32, _ option: Int32, _ value: Int32) {
        var value = value
        _ = setsockopt(fd, level, option, &value, socklen_t(MemoryLayout<Int32>.size))
    }
}
