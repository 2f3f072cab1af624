// RO:WHAT  ServiceManager: tells systemd how the daemon is, if systemd wants to know (man 3 sd_notify).
// RO:WHY   A unit of Type=notify starts what needs us once we listen, and its watchdog restarts a loop that hangs.
//          The protocol is a datagram of text; libsystemd would be a dependency for one sendto.
// RO:INVARIANTS  without NOTIFY_SOCKET nothing is sent and no timer is armed.
// RO:TEST  Tests/DhtLoopTests/Node/DrainTests.swift

import CEpoll
import Glibc

/// The way to the service manager.
final class ServiceManager: EventSource {
    private let loop: EventLoop
    private let path: [UInt8]
    private let socket: FileDescriptor
    /// Half of what the manager waits for; nil without a watchdog.
    private let watchdogUs: UInt64?
    private var alarm = Alarm()

    /// Attaches itself to `loop`; `stop` ends that. `environment` is the process's.
    init(loop: EventLoop, environment: [String: String]) throws(SystemError) {
        self.loop = loop
        path = Array((environment["NOTIFY_SOCKET"] ?? "").utf8)
        watchdogUs = path.isEmpty ? nil : Self.watchdog(environment)
        let kind = Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue)
        socket = try FileDescriptor("socket", Glibc.socket(AF_UNIX, kind, 0))
        super.init()
        loop.attach(self)
    }

    func stop() {
        alarm.set(nil, on: loop, for: self)
        loop.detach(self)
    }

    /// The daemon listens. From here on the watchdog is fed.
    func ready() {
        send("READY=1")
        feedWatchdog(loop.nowUs)
    }

    /// The configuration is being read again; `ready` follows.
    func reloading() { send("RELOADING=1\nMONOTONIC_USEC=\(Clock.monotonicUs())") }

    /// The daemon ends, and may take `withinUs` for it.
    func stopping(withinUs: UInt64) { send("STOPPING=1\nEXTEND_TIMEOUT_USEC=\(withinUs + 1_000_000)") }

    override func timer(tag: UInt32, nowUs: UInt64) {
        alarm.fired()
        send("WATCHDOG=1")
        feedWatchdog(nowUs)
    }

    private func feedWatchdog(_ nowUs: UInt64) {
        if let watchdogUs { alarm.set(nowUs + watchdogUs, on: loop, for: self) }
    }

    private static func watchdog(_ environment: [String: String]) -> UInt64? {
        if let owner = environment["WATCHDOG_PID"], Int32(owner) != getpid() { return nil }
        guard let waitUs = environment["WATCHDOG_USEC"].flatMap({ UInt64($0) }), waitUs > 1 else {
            return nil
        }
        return waitUs / 2
    }

    /// Sends one message. A manager that does not listen is no reason to do anything else.
    private func send(_ text: String) {
        var address = sockaddr_un()
        guard !path.isEmpty, path.count < MemoryLayout.size(ofValue: address.sun_path) else { return }
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path) }
        let isAbstract = path[0] == UInt8(ascii: "@")
        if isAbstract { address.sun_path.0 = 0 }
        let length = MemoryLayout<sockaddr_un>.offset(of: \.sun_path)! + path.count + (isAbstract ? 0 : 1)
        let message = Array(text.utf8)
        withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                _ = sendto(socket.raw, message, message.count, Int32(MSG_NOSIGNAL), $0, socklen_t(length))
            }
        }
    }
}
