// RO:WHAT  LogOutput and LineLogHandler: swift-log's calls become lines in one sink.
// RO:WHY   The API is the convention's; what it does with an event is ours, and never blocks.
// RO:INVARIANTS  all loggers of a process share one output, so lines do not interleave.
// RO:TEST  Tests/DhtLoopTests/Telemetry/LogTests.swift

import CEpoll
import Glibc
import Logging
import Synchronization

/// Where all loggers of a process write.
public final class LogOutput: Sendable {
    /// The clocks of a line: microseconds since 1970, and monotonic ones for the windows of repeats.
    typealias Clock = @Sendable () -> (wallUs: UInt64, nowUs: UInt64)

    private struct State: ~Copyable {
        var sink: LogSink
        var folder = RepeatFolder()
        var writer = JsonWriter(capacity: LogRecord.maxLineBytes)
    }

    private let format: LogFormat
    private let clock: Clock
    private let state: Mutex<State>
    /// Place of the least level that is logged in `Logger.Level.allCases`.
    private let level = Atomic<Int>(0)
    /// An eventfd that is told when there is something folded; -1 for none.
    private let foldSignal = Atomic<Int32>(-1)

    /// Lines go to `descriptor`, standard error unless told otherwise. It stays the caller's.
    public convenience init(format: LogFormat, descriptor: Int32 = STDERR_FILENO) {
        self.init(format: format, descriptor: descriptor, clock: Self.systemClock)
    }

    init(format: LogFormat, descriptor: Int32, clock: @escaping Clock) {
        self.format = format
        self.clock = clock
        state = Mutex(State(sink: LogSink(descriptor: descriptor)))
    }

    /// A logger of `service` that writes here. Its level is that of the output, unless it is set on the logger.
    public func logger(service: String, level: Logger.Level) -> Logger {
        self.leastLevel = level
        return Logger(label: service) { LineLogHandler(service: $0, output: self) }
    }

    /// The least level that is logged; may change at any time.
    public var leastLevel: Logger.Level {
        get { Logger.Level.allCases[level.load(ordering: .relaxed)] }
        set { level.store(Logger.Level.allCases.firstIndex(of: newValue) ?? 0, ordering: .relaxed) }
    }

    /// Has `descriptor`, an eventfd, written to when something was folded that nobody has said yet; -1 for none.
    func signalFolds(to descriptor: Int32) { foldSignal.store(descriptor, ordering: .relaxed) }

    /// Whether there are repeats that are still unsaid.
    var hasUnsaid: Bool { state.withLock { $0.folder.hasUnsaid } }

    /// Says the repeats that are still unsaid: those whose window ended, or all of them, as before the end.
    public func flushRepeats(all: Bool = false) {
        let nowUs = all ? UInt64.max : clock().nowUs
        state.withLock { state in
            for record in state.folder.flush(dueBy: nowUs) { write(record, &state) }
        }
    }

    fileprivate func emit(
        level: Logger.Level, service: String, event: String, metadata: Logger.Metadata
    ) {
        let (wallUs, nowUs) = clock()
        let record = LogRecord(
            wallUs: wallUs, level: level, service: service, event: event, metadata: metadata)
        let folds = state.withLock { state in
            let before = state.folder.hasUnsaid
            for line in state.folder.admit(record, nowUs: nowUs) { write(line, &state) }
            return !before && state.folder.hasUnsaid
        }
        if folds { eventfd_write(foldSignal.load(ordering: .relaxed), 1) }
    }

    private func write(_ record: LogRecord, _ state: inout State) {
        if state.sink.dropped > 0 { reportDropped(like: record, &state) }
        record.write(format, into: &state.writer)
        state.sink.write(state.writer.bytes)
    }

    /// Tells how many lines were lost while the sink was full, once it takes lines again.
    private func reportDropped(like record: LogRecord, _ state: inout State) {
        let report = LogRecord(
            wallUs: record.wallUs, level: .warning, service: record.service, event: "log lines dropped",
            metadata: ["count": .stringConvertible(state.sink.dropped)])
        report.write(format, into: &state.writer)
        state.sink.writeReport(state.writer.bytes)
    }

    private static let systemClock: Clock = {
        (microseconds(CLOCK_REALTIME), microseconds(CLOCK_MONOTONIC))
    }

    private static func microseconds(_ clock: clockid_t) -> UInt64 {
        var time = timespec()
        clock_gettime(clock, &time)
        return UInt64(time.tv_sec) * 1_000_000 + UInt64(time.tv_nsec) / 1000
    }
}

/// The handler behind a `Logger`: holds what belongs to that logger, shares the output.
struct LineLogHandler: LogHandler {
    let service: String
    let output: LogOutput
    private var ownLevel: Logger.Level?
    var metadata: Logger.Metadata = [:]
    var metadataProvider: Logger.MetadataProvider?

    init(service: String, output: LogOutput) { (self.service, self.output) = (service, output) }

    var logLevel: Logger.Level {
        get { ownLevel ?? output.leastLevel }
        set { ownLevel = newValue }
    }

    subscript(metadataKey key: String) -> Logger.MetadataValue? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        var fields = metadata
        if let provided = metadataProvider?.get() { fields.merge(provided) { $1 } }
        if let own = event.metadata { fields.merge(own) { $1 } }
        output.emit(
            level: event.level, service: service, event: event.message.description, metadata: fields)
    }
}
