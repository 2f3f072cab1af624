// RO:WHAT  Pacer: an alarm exact to microseconds, and the clock it goes by.
// RO:WHY   The loop's wheel ticks in milliseconds; an open loop of 10 000 requests a second wants 100 us.

import CEpoll
import Glibc

/// Nanoseconds of CLOCK_MONOTONIC.
enum LoadClock {
    @inline(__always)
    static func nowNs() -> UInt64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
    }
}

/// Wakes a `LoadRunner` at an instant.
final class Pacer: EventSource {
    private let loop: EventLoop
    private let fd: FileDescriptor
    private unowned let runner: LoadRunner
    private var armedNs = UInt64.max

    init(loop: EventLoop, runner: LoadRunner) throws(SystemError) {
        let flags = Int32(TFD_NONBLOCK) | Int32(TFD_CLOEXEC)
        fd = try FileDescriptor("timerfd_create", timerfd_create(CLOCK_MONOTONIC, flags))
        (self.loop, self.runner) = (loop, runner)
        super.init()
        loop.attach(self)
        try loop.watch(fd.raw, events: EPOLLIN.rawValue, for: self)
    }

    func stop() { loop.detach(self) }

    /// Calls `LoadRunner.paceDue` at `atNs`, instead of what was armed before; an instant that has passed is
    /// due at once.
    func arm(atNs: UInt64) {
        guard atNs != armedNs else { return }
        armedNs = atNs
        var time = itimerspec()
        time.it_value.tv_sec = Int(atNs / 1_000_000_000)
        time.it_value.tv_nsec = Int(atNs % 1_000_000_000)
        timerfd_settime(fd.raw, Int32(TFD_TIMER_ABSTIME), &time, nil)
    }

    override func ready(_ events: UInt32, nowUs: UInt64) {
        var expirations: UInt64 = 0
        guard read(fd.raw, &expirations, MemoryLayout<UInt64>.size) > 0 else { return }
        armedNs = .max
        runner.paceDue()
    }
}
