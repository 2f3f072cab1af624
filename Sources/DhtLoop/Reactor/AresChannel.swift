// RO:WHAT  AresChannel: c-ares on the event loop: its sockets watched, its time-outs armed.
// RO:WHY   Names are asked for without a thread and without blocking the loop.
// RO:INVARIANTS  every question is answered once, with nothing when the channel ends first; idle, no timer is armed.
// RO:SECURITY  answers come from the network: they are read by c-ares, and only addresses leave here.
// RO:TEST  Tests/DhtLoopTests/Reactor/NameResolverTests.swift

import CAres
import CEpoll
import Glibc

/// A name that is asked for.
class NameQuestion {
    /// In the order to try them (RFC 6724), as they come in.
    fileprivate var addresses: [SocketAddress] = []
    /// The shortest life among them, in seconds.
    fileprivate var ttlSeconds = UInt64.max

    /// The answer is complete. There are no addresses when the name has none, or nobody could be asked.
    func answered(_ addresses: [SocketAddress], ttlSeconds: UInt64) {}
}

/// A c-ares channel.
final class AresChannel: EventSource {
    /// For one try of one server; c-ares doubles it from try to try.
    private static let timeoutMs: Int32 = 1000
    private static let tries: Int32 = 3

    private let loop: EventLoop
    private var ares: OpaquePointer?
    private var sockets: [Int32: AresSocket] = [:]
    private var alarm = Alarm()

    /// Attaches itself to `loop`; `stop` ends that.
    ///
    /// - Parameter servers: `host:port` of the servers to ask, separated by commas; nil for the system's.
    init(loop: EventLoop, servers: String? = nil) throws(SystemError) {
        self.loop = loop
        super.init()
        let context = Unmanaged.passUnretained(self).toOpaque()
        ares = svc_ares_start(servers, Self.timeoutMs, Self.tries, onSocketChange, context)
        guard ares != nil else { throw SystemError(operation: "ares_init_options", code: EINVAL) }
        loop.attach(self)
    }

    /// Answers what is open with nothing, and closes the sockets.
    func stop() {
        guard let ares else { return }
        self.ares = nil
        alarm.set(nil, on: loop, for: self)
        svc_ares_stop(ares)
        loop.detach(self)
    }

    /// Asks for the addresses of `host`; `question` is told, perhaps before this returns, and is kept until then.
    func ask(_ host: String, port: UInt16, _ question: NameQuestion) {
        guard let ares else { return question.answered([], ttlSeconds: 0) }
        svc_ares_ask(ares, host, port, onAddress, Unmanaged.passRetained(question).toOpaque())
        rearm()
    }

    override func timer(tag: UInt32, nowUs: UInt64) {
        alarm.fired()
        process(read: -1, write: -1)
    }

    fileprivate func process(read: Int32, write: Int32) {
        guard let ares else { return }
        svc_ares_process(ares, read, write)
        rearm()
    }

    private func rearm() {
        guard let ares else { return }
        let waitUs = svc_ares_wait_us(ares)
        alarm.set(waitUs < 0 ? nil : Clock.monotonicUs() + UInt64(waitUs), on: loop, for: self)
    }

    fileprivate func watch(_ fd: Int32, reads: Bool, writes: Bool) {
        let events = (reads ? EPOLLIN.rawValue : 0) | (writes ? EPOLLOUT.rawValue : 0)
        guard events != 0 else { return forget(fd) }
        do throws(SystemError) {
            if let socket = sockets[fd] { return try loop.setInterest(events, of: socket) }
            let socket = AresSocket(fd, channel: self)
            loop.attach(socket)
            sockets[fd] = socket
            try loop.watch(fd, events: events, for: socket)
        } catch {
            // A socket that cannot be watched stays silent: its question ends by time-out.
            forget(fd)
        }
    }

    private func forget(_ fd: Int32) {
        if let socket = sockets.removeValue(forKey: fd) { loop.detach(socket) }
    }
}

/// One socket of a channel, which owns and closes it.
private final class AresSocket: EventSource {
    private let fd: Int32
    private unowned let channel: AresChannel

    init(_ fd: Int32, channel: AresChannel) { (self.fd, self.channel) = (fd, channel) }

    override func ready(_ events: UInt32, nowUs: UInt64) {
        let reads = events & (EPOLLIN.rawValue | EPOLLERR.rawValue | EPOLLHUP.rawValue) != 0
        channel.process(read: reads ? fd : -1, write: events & EPOLLOUT.rawValue != 0 ? fd : -1)
    }
}

// The C side: find the Swift side and pass on.

private func onSocketChange(_ context: UnsafeMutableRawPointer?, _ fd: Int32, _ reads: Int32, _ writes: Int32)
{
    guard let context else { return }
    let channel = Unmanaged<AresChannel>.fromOpaque(context).takeUnretainedValue()
    channel.watch(fd, reads: reads != 0, writes: writes != 0)
}

private func onAddress(
    _ context: UnsafeMutableRawPointer?, _ bytes: UnsafeRawPointer?, _ length: UInt32, _ ttlSeconds: Int32
) {
    guard let context else { return }
    let question = Unmanaged<NameQuestion>.fromOpaque(context)
    guard let bytes else {
        let question = question.takeRetainedValue()
        let addresses = question.addresses
        question.addresses = []
        return question.answered(addresses, ttlSeconds: question.ttlSeconds)
    }
    let open = question.takeUnretainedValue()
    guard let address = SocketAddress(sockaddr: UnsafeRawBufferPointer(start: bytes, count: Int(length)))
    else {
        return
    }
    if open.addresses.isEmpty { open.ttlSeconds = .max }
    open.addresses.append(address)
    open.ttlSeconds = min(open.ttlSeconds, UInt64(max(0, ttlSeconds)))
}

extension SocketAddress {
    /// Reads a socket address; nil for a family other than IPv4 and IPv6.
    fileprivate init?(sockaddr bytes: UnsafeRawBufferPointer) {
        guard bytes.count <= MemoryLayout<sockaddr_storage>.size else { return nil }
        var storage = sockaddr_storage()
        withUnsafeMutableBytes(of: &storage) { $0.copyMemory(from: bytes) }
        self.init(storage)
    }
}
