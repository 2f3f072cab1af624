// RO:WHAT  LogFlusher: says folded repeats in time, though nothing else is logged any more.
// RO:WHY   The last warnings of an outage are worth hearing; a timer that ran always would wake an idle daemon.
// RO:INVARIANTS  its timer is armed only while something is folded.
// RO:TEST  Tests/DhtLoopTests/Telemetry/LogTests.swift

import CEpoll

/// Flushes one output's repeats from the loop.
public final class LogFlusher: EventSource {
    private let loop: EventLoop
    private let output: LogOutput
    private let fold: FileDescriptor
    private var alarm = Alarm()

    /// Attaches itself to `loop`; `stop` ends that.
    public init(loop: EventLoop, output: LogOutput) throws(SystemError) {
        fold = try FileDescriptor("eventfd", eventfd(0, Int32(EFD_NONBLOCK) | Int32(EFD_CLOEXEC)))
        (self.loop, self.output) = (loop, output)
        super.init()
        loop.attach(self)
        try loop.watch(fold.raw, events: EPOLLIN.rawValue, for: self)
        output.signalFolds(to: fold.raw)
    }

    public func stop() {
        output.signalFolds(to: -1)
        alarm.set(nil, on: loop, for: self)
        loop.detach(self)
    }

    override public func ready(_ events: UInt32, nowUs: UInt64) {
        var count: UInt64 = 0
        eventfd_read(fold.raw, &count)
        arm(nowUs)
    }

    override public func timer(tag: UInt32, nowUs: UInt64) {
        alarm.fired()
        output.flushRepeats()
        if output.hasUnsaid { arm(nowUs) }
    }

    private func arm(_ nowUs: UInt64) { alarm.set(nowUs + RepeatFolder.windowUs, on: loop, for: self) }
}
