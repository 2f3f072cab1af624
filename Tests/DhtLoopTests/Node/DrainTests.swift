// RO:WHAT  The end of a daemon: waiting for calls, and what the service manager is told; calls and their versions.
import Glibc
import Testing

@testable import DhtLoop

private final class Work: DrainOwner {
    var unfinished = 0
    var ends = 0

    func drained(nowUs: UInt64) { ends += 1 }
}

@Suite("Drain")
struct DrainTests {
    private let loop: EventLoop
    private let work = Work()
    private let drain: Drain

    init() throws {
        loop = try EventLoop()
        drain = Drain(loop: loop, owner: work)
    }

    @Test("nothing to wait for ends at once, and once")
    func idle() {
        drain.begin(withinUs: 1_000_000)
        loop.turn(maxWaitUs: 0)
        drain.progressed()
        loop.turn(maxWaitUs: 0)
        #expect(work.ends == 1 && !drain.isRunning)
    }

    @Test("the last call that ends, ends it")
    func calls() {
        work.unfinished = 2
        drain.progressed()
        drain.begin(withinUs: 60_000_000)
        loop.turn(maxWaitUs: 0)
        #expect(work.ends == 0)
        for left in [1, 0] {
            work.unfinished = left
            drain.progressed()
            loop.turn(maxWaitUs: 0)
            #expect(work.ends == (left == 0 ? 1 : 0))
        }
    }

    @Test("its time ends it, whatever runs")
    func deadline() {
        work.unfinished = 1
        drain.begin(withinUs: 2000)
        for _ in 0..<100 where work.ends == 0 { loop.turn(maxWaitUs: 5000) }
        #expect(work.ends == 1)
        drain.stop()
        loop.turn(maxWaitUs: 0)
    }
}

@Suite("ServiceManager")
struct ServiceManagerTests {
    /// A datagram socket under an abstract name, as systemd may choose one.
    private final class Listener {
        let fd = FileDescriptor(owning: socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue), 0))
        let name: String

        init() throws {
            var address = sockaddr_un()
            address.sun_family = sa_family_t(AF_UNIX)
            // No name at all: the kernel chooses an abstract one.
            let size = socklen_t(MemoryLayout<sa_family_t>.size)
            var length = socklen_t(MemoryLayout<sockaddr_un>.size)
            let status = withUnsafeMutablePointer(to: &address) { [raw = fd.raw] pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    bind(raw, $0, size) == 0 ? getsockname(raw, $0, &length) : -1
                }
            }
            try #require(status == 0)
            let count = Int(length) - MemoryLayout<sa_family_t>.size - 1
            name = withUnsafeBytes(of: address.sun_path) {
                "@" + String(decoding: $0[1..<1 + count], as: UTF8.self)
            }
        }

        func messages() -> [String] {
            var all: [String] = []
            var bytes = [UInt8](repeating: 0, count: 512)
            while case let count = recv(fd.raw, &bytes, bytes.count, Int32(MSG_DONTWAIT)), count > 0 {
                all.append(String(decoding: bytes[..<count], as: UTF8.self))
            }
            return all
        }
    }

    @Test("systemd hears ready, the watchdog's food, a reload and the end")
    func notifies() throws {
        let (loop, listener) = (try EventLoop(), try Listener())
        let manager = try ServiceManager(
            loop: loop, environment: ["NOTIFY_SOCKET": listener.name, "WATCHDOG_USEC": "4000"])
        manager.ready()
        #expect(listener.messages() == ["READY=1"])
        var food: [String] = []
        for _ in 0..<100 where food.count < 2 {
            loop.turn(maxWaitUs: 5000)
            food += listener.messages()
        }
        #expect(food == ["WATCHDOG=1", "WATCHDOG=1"])
        manager.reloading()
        manager.stopping(withinUs: 5_000_000)
        let messages = listener.messages()
        #expect(messages.first?.hasPrefix("RELOADING=1\nMONOTONIC_USEC=") == true)
        #expect(messages.last == "STOPPING=1\nEXTEND_TIMEOUT_USEC=6000000")
        manager.stop()
        loop.turn(maxWaitUs: 0)
    }

    @Test(
        "without a socket, or with another process's watchdog, no timer is armed",
        arguments: [
            ["WATCHDOG_USEC": "1000"],
            ["NOTIFY_SOCKET": "/nowhere", "WATCHDOG_USEC": "1000", "WATCHDOG_PID": "1"],
        ])
    func silent(environment: [String: String]) throws {
        let loop = try EventLoop()
        let manager = try ServiceManager(loop: loop, environment: environment)
        manager.ready()
        loop.turn(maxWaitUs: 5000)
        #expect(loop.timersFired == 0)
        manager.stop()
        loop.turn(maxWaitUs: 0)
    }
}

@Suite("Versions")
struct VersionTests {
    @Test("a version is the present, but above the one it replaces, whatever clock or peer made that one")
    func versions() {
        let before = Clock.realtimeUs()
        #expect(NodeService.version(over: nil) >= before && NodeService.version(over: 5) >= before)
        let ahead = before + 3_600_000_000
        #expect(NodeService.version(over: ahead) == ahead + 1)
        #expect(NodeService.version(over: .max) >= before)
    }
}

@Suite("CallBook")
struct CallBookTests {
    @Test("running calls are counted, the last 20 that ended are remembered, newest first")
    func book() {
        var book = CallBook()
        for ticket in 0..<30 as Range<UInt64> { book.began(ticket, .get, Key(ticket, 0, 0, 0)) }
        book.refused(29)
        #expect(book.running == 29)
        for ticket in 0..<25 as Range<UInt64> {
            book.ended(ticket, outcome: "found", hops: 1, elapsedUs: 5, nowUs: 1000 + ticket)
        }
        book.ended(29, outcome: "found", hops: 1, elapsedUs: 5, nowUs: 5000)
        #expect(book.running == 4)
        let recent = book.recent(nowUs: 1024)
        #expect(recent.map(\.key) == (5..<25).reversed().map { Key(UInt64($0), 0, 0, 0) })
        #expect(recent.first?.endedAgoUs == 0 && recent.last?.endedAgoUs == 19)
    }
}
