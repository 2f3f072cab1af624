// RO:WHAT  EventLoop: readiness, stale events, timers, deferred work, sleeping.
import CEpoll
import Glibc
import Testing

@testable import DhtLoop

/// An eventfd that notes its calls and does what its test tells it to.
private final class Probe: EventSource {
    let fd: FileDescriptor
    var calls: [String] = []
    var onReady: (Probe) -> Void = { $0.drain() }
    var onEndOfTurn: (Probe) -> Void = { _ in }

    override init() { fd = FileDescriptor(owning: eventfd(0, Int32(EFD_NONBLOCK))) }

    func ring() {
        var one: UInt64 = 1
        write(fd.raw, &one, 8)
    }

    func drain() {
        var count: UInt64 = 0
        read(fd.raw, &count, 8)
    }

    override func ready(_ events: UInt32, nowUs: UInt64) {
        calls.append("ready")
        onReady(self)
    }

    override func timer(tag: UInt32, nowUs: UInt64) { calls.append("timer \(tag)") }

    override func endOfTurn(nowUs: UInt64) {
        calls.append("end")
        onEndOfTurn(self)
    }
}

@Suite("EventLoop")
struct EventLoopTests {
    private let loop: EventLoop

    init() throws { loop = try EventLoop() }

    private func makeProbe() throws -> Probe {
        let probe = Probe()
        loop.attach(probe)
        try loop.watch(probe.fd.raw, events: EPOLLIN.rawValue, for: probe)
        return probe
    }

    @Test("what a source does not read is announced again")
    func levelTriggered() throws {
        let probe = try makeProbe()
        defer { loop.detach(probe) }
        probe.onReady = { _ in }
        probe.ring()
        loop.turn(maxWaitUs: 0)
        loop.turn(maxWaitUs: 0)
        #expect(probe.calls == ["ready", "ready"])
        probe.drain()
        loop.turn(maxWaitUs: 0)
        #expect(probe.calls.count == 2)
    }

    @Test("a change of interest that the kernel refuses is thrown and counted, and changes nothing")
    func refusedInterest() throws {
        let (probe, file) = (try makeProbe(), try #require(fopen("/dev/null", "r")))
        defer {
            loop.detach(probe)
            fclose(file)
        }
        // Another file under the number that is watched, one that cannot be.
        try #require(dup2(fileno(file), probe.registeredFD) >= 0)
        let before = probe.interest
        #expect(throws: SystemError(operation: "epoll_ctl", code: EPERM)) {
            try loop.setInterest(EPOLLIN.rawValue | EPOLLOUT.rawValue, of: probe)
        }
        #expect(loop.watchFailures == 1 && probe.interest == before)
    }

    @Test("a source that waits for nothing hears nothing")
    func interest() throws {
        let probe = try makeProbe()
        defer { loop.detach(probe) }
        probe.ring()
        try loop.setInterest(0, of: probe)
        loop.turn(maxWaitUs: 0)
        #expect(probe.calls.isEmpty)
        try loop.setInterest(EPOLLIN.rawValue, of: probe)
        loop.turn(maxWaitUs: 0)
        #expect(probe.calls == ["ready"])
    }

    @Test(
        "an event for a source that an earlier event of the batch detached reaches nobody, not its successor")
    func staleEvent() throws {
        let (first, second, successor) = (try makeProbe(), try makeProbe(), Probe())
        let loop = loop
        for (one, other) in [(first, second), (second, first)] {
            one.onReady = { probe in
                probe.drain()
                let slot = other.handle.slot
                loop.detach(other)
                loop.attach(successor)
                #expect(successor.handle.slot == slot)
            }
        }
        first.ring()
        second.ring()
        loop.turn(maxWaitUs: 0)
        #expect(first.calls.count + second.calls.count == 1)
        #expect(successor.calls.isEmpty)
        for probe in [first, second, successor] { loop.detach(probe) }
    }

    @Test("a source that detaches itself and is released lives until its call returns")
    func ownRelease() throws {
        weak var watched: Probe?
        var probe: Probe? = try makeProbe()
        watched = probe
        let loop = loop
        probe?.onReady = { loop.detach($0) }
        probe?.onEndOfTurn = { _ in Issue.record("a detached source was called") }
        probe?.ring()
        loop.deferToEndOfTurn(probe!)
        probe = nil
        loop.turn(maxWaitUs: 0)
        #expect(watched == nil)
    }

    @Test("timers come with their tags, in order, and not after a cancel")
    func timers() throws {
        let probe = try makeProbe()
        defer { loop.detach(probe) }
        _ = loop.schedule(probe, atUs: loop.nowUs + 2_000, tag: 2)
        _ = loop.schedule(probe, atUs: loop.nowUs + 1_000, tag: .max)
        loop.cancel(loop.schedule(probe, atUs: loop.nowUs + 1_000, tag: 3))
        drive(loop) { probe.calls.count >= 2 }
        #expect(probe.calls == ["timer \(UInt32.max)", "timer 2"])
    }

    @Test("a timer that a source left behind does not reach the next source of its slot")
    func staleTimer() throws {
        let (probe, successor) = (try makeProbe(), Probe())
        _ = loop.schedule(probe, atUs: loop.nowUs, tag: 1)
        loop.detach(probe)
        loop.attach(successor)
        defer { loop.detach(successor) }
        _ = loop.schedule(successor, atUs: loop.nowUs + 3_000, tag: 2)
        drive(loop) { !successor.calls.isEmpty }
        #expect(successor.calls == ["timer 2"] && probe.calls.isEmpty)
    }

    @Test("the loop sleeps until a deadline in one go and does not wake before it")
    func sleeping() throws {
        let probe = try makeProbe()
        defer { loop.detach(probe) }
        // Within one 64-tick block of the wheel, so that no sorting of far timers wakes the loop.
        let block = (loop.nowUs / 64_000 + 2) * 64_000
        _ = loop.schedule(probe, atUs: block, tag: 0)
        drive(loop) { !probe.calls.isEmpty }
        let deadlineUs = block + 30_000
        _ = loop.schedule(probe, atUs: deadlineUs, tag: 1)
        loop.turn()
        #expect(probe.calls.last == "timer 1" && loop.nowUs >= deadlineUs)
    }

    @Test("work is deferred once however often it is asked for, and work it causes runs in the same turn")
    func deferred() throws {
        let (first, second) = (try makeProbe(), try makeProbe())
        let loop = loop
        first.onEndOfTurn = { _ in loop.deferToEndOfTurn(second) }
        loop.deferToEndOfTurn(first)
        loop.deferToEndOfTurn(first)
        loop.turn(maxWaitUs: 0)
        #expect(first.calls == ["end"] && second.calls == ["end"])
        loop.detach(first)
        loop.detach(second)
    }

    @Test("work that asks for itself for ever neither hangs the loop nor waits for an event")
    func endlessDeferral() throws {
        let probe = try makeProbe()
        defer { loop.detach(probe) }
        let loop = loop
        probe.onEndOfTurn = { loop.deferToEndOfTurn($0) }
        loop.deferToEndOfTurn(probe)
        loop.turn()
        let afterOne = probe.calls.count
        loop.turn()
        #expect(afterOne > 0 && probe.calls.count == 2 * afterOne)
    }

    @Test("run turns until it is told to stop")
    func run() throws {
        let probe = try makeProbe()
        defer { loop.detach(probe) }
        let loop = loop
        probe.onReady = { _ in loop.stop() }
        probe.ring()
        loop.run()
        #expect(probe.calls == ["ready"])
    }

    @Test("an alarm follows its deadline and rests when there is none")
    func alarm() throws {
        let probe = try makeProbe()
        defer { loop.detach(probe) }
        var alarm = Alarm()
        alarm.set(loop.nowUs, on: loop, for: probe, tag: 1)
        alarm.set(nil, on: loop, for: probe, tag: 1)
        alarm.set(loop.nowUs + 60_000_000, on: loop, for: probe, tag: 2)
        alarm.set(loop.nowUs + 1_000, on: loop, for: probe, tag: 3)
        drive(loop) { !probe.calls.isEmpty }
        alarm.fired()
        #expect(probe.calls == ["timer 3"] && alarm.deadlineUs == .max)
    }
}
