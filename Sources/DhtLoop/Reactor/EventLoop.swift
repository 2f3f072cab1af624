// RO:WHAT  EventLoop: one epoll set, one timer wheel, one thread.
// RO:WHY   Level-triggered: a source reads once per readiness instead of until EAGAIN, which saves a system
//          call a frame, and what a bounded read leaves behind is announced again without a list of our own.
// RO:INVARIANTS  a source detached in a turn lives to the end of it; an event or timer of a detached source
//          reaches nobody; the loop sleeps exactly until the next deadline, and for ever when there is none.
// RO:TEST  Tests/DhtLoopTests/Reactor/EventLoopTests.swift

import CEpoll
import Glibc

/// The reactor. Every method is for the loop's own thread.
public final class EventLoop {
    /// Events taken from epoll at once.
    private static let batch = 256
    /// Rounds of end-of-turn work before the loop looks at its descriptors again: work may cause work.
    private static let deferredRounds = 4

    private let epoll: FileDescriptor
    private let events: UnsafeMutablePointer<epoll_event>
    private var timers: TimerWheel
    private var sources = SourceTable()
    private var deferred: [EventSource] = []
    private var running: [EventSource] = []
    private var detached: [EventSource] = []
    private var isStopping = false

    /// Microseconds of the monotonic clock, read once a turn.
    public private(set) var nowUs: UInt64
    /// Memory that all sessions of the loop share.
    public let memory = IoMemory()
    /// Who finds addresses for those who dial from this loop. To be set before the first of them does.
    public var resolver = Resolver()
    /// Turns so far; each is one return from epoll.
    public private(set) var turns: UInt64 = 0
    /// Descriptor events handed to sources.
    public private(set) var eventsHandled: UInt64 = 0
    /// Timers handed to sources.
    public private(set) var timersFired: UInt64 = 0
    /// Calls of epoll_ctl that failed; but for those of `unwatch`, who asked was told.
    public private(set) var watchFailures: UInt64 = 0

    public init() throws(SystemError) {
        epoll = try FileDescriptor("epoll_create1", epoll_create1(Int32(EPOLL_CLOEXEC)))
        events = .allocate(capacity: Self.batch)
        nowUs = Clock.monotonicUs()
        timers = TimerWheel(nowUs: nowUs)
        // A peer that went away is an error of a write, not a reason to die.
        var ignore = sigaction()
        ignore.__sigaction_handler.sa_handler = SIG_IGN
        try systemCall("sigaction") { sigaction(SIGPIPE, &ignore, nil) }
    }

    deinit { events.deallocate() }

    // MARK: - Sources

    /// Makes `source` known, so that it may arm timers and defer work. It is kept alive until `detach`.
    public func attach(_ source: EventSource) {
        precondition(!source.isAttached, "a source belongs to one loop, once")
        source.handle = sources.insert(source)
    }

    /// Watches `fd` for an attached source, which goes on owning it. `events` are epoll's bits.
    public func watch(_ fd: Int32, events: UInt32, for source: EventSource) throws(SystemError) {
        precondition(source.isAttached && source.registeredFD < 0, "one descriptor an attached source")
        try control(EPOLL_CTL_ADD, fd, events, source)
        source.registeredFD = fd
    }

    /// Changes the events that `source` waits for. When it throws, nothing has changed: who waited for more would
    /// wait for ever.
    @inline(__always)
    public func setInterest(_ events: UInt32, of source: EventSource) throws(SystemError) {
        guard source.registeredFD >= 0, source.interest != events else { return }
        try control(EPOLL_CTL_MOD, source.registeredFD, events, source)
    }

    private func control(
        _ operation: Int32, _ fd: Int32, _ events: UInt32, _ source: EventSource
    ) throws(SystemError) {
        var event = epoll_event()
        event.events = events
        event.data.u64 = SourceTable.userWord(source.handle)
        do throws(SystemError) {
            try systemCall("epoll_ctl") { epoll_ctl(epoll.raw, operation, fd, &event) }
        } catch {
            watchFailures += 1
            throw error
        }
        source.interest = events
    }

    /// Stops watching the descriptor of `source`. Call before closing it.
    public func unwatch(_ source: EventSource) {
        guard source.registeredFD >= 0 else { return }
        // One that is closed already is out of the set. An event of one that is not reaches nobody.
        if epoll_ctl(epoll.raw, EPOLL_CTL_DEL, source.registeredFD, nil) < 0 { watchFailures += 1 }
        (source.registeredFD, source.interest) = (-1, 0)
    }

    /// Forgets `source`: no call reaches it after this. Its timers are its own to cancel.
    public func detach(_ source: EventSource) {
        unwatch(source)
        guard let source = sources.remove(source.handle) else { return }
        source.handle = .none
        detached.append(source)
    }

    // MARK: - Time and deferred work

    /// Arms a timer: `source.timer(tag:nowUs:)` at `atUs` or up to 1 ms after it.
    @inline(__always)
    public func schedule(_ source: EventSource, atUs: UInt64, tag: UInt32 = 0) -> TimerID {
        timers.schedule(atUs: atUs, token: SourceTable.timerToken(source.handle, tag: tag))
    }

    /// Disarms a timer; one that has fired is no error.
    @inline(__always)
    public func cancel(_ timer: TimerID) { timers.cancel(timer) }

    /// Calls `source.endOfTurn` once before the loop sleeps again, however often this is asked.
    @inline(__always)
    public func deferToEndOfTurn(_ source: EventSource) {
        guard !source.isDeferred else { return }
        source.isDeferred = true
        deferred.append(source)
    }

    // MARK: - Running

    /// Turns until `stop`.
    public func run() {
        isStopping = false
        while !isStopping { turn() }
    }

    /// Ends `run` after the present turn.
    public func stop() { isStopping = true }

    /// Waits for one batch of events, at most `maxWaitUs`, and handles all that is due.
    public func turn(maxWaitUs: UInt64 = .max) {
        let ready = epoll_wait(epoll.raw, events, Int32(Self.batch), timeoutMs(maxWaitUs))
        precondition(ready >= 0 || errno == EINTR, "epoll_wait refuses its own descriptor")
        nowUs = Clock.monotonicUs()
        turns += 1
        for index in 0..<Int(max(0, ready)) { handle(events[index]) }
        fireTimers()
        runDeferred()
        detached.removeAll(keepingCapacity: true)
    }

    /// Whole milliseconds to the next deadline, rounded up, so that the loop never wakes for nothing.
    private func timeoutMs(_ maxWaitUs: UInt64) -> Int32 {
        guard deferred.isEmpty else { return 0 }
        let deadlineUs = timers.nextDeadlineUs ?? .max
        guard deadlineUs != .max || maxWaitUs != .max else { return -1 }
        let presentUs = Clock.monotonicUs()
        let waitUs = min(maxWaitUs, deadlineUs - min(deadlineUs, presentUs))
        return Int32(clamping: waitUs / 1000 + (waitUs % 1000 == 0 ? 0 : 1))
    }

    @inline(__always)
    private func handle(_ event: epoll_event) {
        guard let source = sources.find(userWord: event.data.u64) else { return }
        eventsHandled += 1
        source._withUnsafeGuaranteedRef { $0.ready(event.events, nowUs: nowUs) }
    }

    private func fireTimers() {
        while let token = timers.next(dueBy: nowUs) {
            guard let source = sources.find(timerToken: token) else { continue }
            timersFired += 1
            source._withUnsafeGuaranteedRef { $0.timer(tag: UInt32(truncatingIfNeeded: token), nowUs: nowUs) }
        }
    }

    private func runDeferred() {
        var rounds = 0
        while !deferred.isEmpty, rounds < Self.deferredRounds {
            swap(&deferred, &running)
            for source in running {
                source.isDeferred = false
                if source.isAttached { source.endOfTurn(nowUs: nowUs) }
            }
            running.removeAll(keepingCapacity: true)
            rounds += 1
        }
    }
}
