// RO:WHAT  Log lines: fields and their order, folding of repeats, a sink that does not read.
import Glibc
import Logging
import Synchronization
import Testing

@testable import DhtLoop

/// A clock that tests turn by hand, in seconds.
private final class HandClock: Sendable {
    private let seconds = Mutex<UInt64>(0)
    func advance(_ by: UInt64) { seconds.withLock { $0 += by } }
    var reading: (wallUs: UInt64, nowUs: UInt64) {
        seconds.withLock { (1_761_534_300_123_456 + $0 * 1_000_000, 5_000_000 + $0 * 1_000_000) }
    }
}

/// A logger that writes into a pipe, and what comes out of it.
private final class PipedLog {
    private(set) var ends: [Int32] = [-1, -1]
    let clock = HandClock()
    let output: LogOutput

    init(format: LogFormat = .json) {
        // The reader must not wait; that the write end does is what the sink has to cope with.
        precondition(pipe(&ends) == 0 && fcntl(ends[0], F_SETFL, O_NONBLOCK) == 0)
        let clock = clock
        output = LogOutput(format: format, descriptor: ends[1], clock: { clock.reading })
    }

    deinit { for end in ends { close(end) } }

    func logger(_ level: Logger.Level = .info) -> Logger { output.logger(service: "svc-dht", level: level) }

    /// Lines written since the last call.
    func lines() -> [String] {
        var text: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 65_536)
        while case let count = read(ends[0], &chunk, chunk.count), count > 0 { text += chunk[..<count] }
        return String(decoding: text, as: UTF8.self).split(separator: "\n").map(String.init)
    }
}

@Suite("Log")
struct LogTests {
    @Test("a JSON line has its fields in the contracted order, and numbers as numbers")
    func jsonLine() {
        let log = PipedLog()
        log.logger().info(
            "get",
            metadata: [
                "zone": "\"q\"\n", "cause": "none", "ms": .stringConvertible(1.5),
                "hops": .stringConvertible(3),
                "key": "ab", "op": "get", "peer": "p", "ok": .stringConvertible(true),
            ])
        #expect(
            log.lines() == [
                #"{"ts":"2025-10-27T03:05:00.123Z","level":"info","service":"svc-dht","event":"get","peer":"p","#
                    + #""op":"get","key":"ab","hops":3,"ms":1.5,"cause":"none","ok":true,"zone":"\"q\"\n"}"#
            ])
    }

    @Test("a text line quotes what would be ambiguous, so a peer cannot forge a field")
    func textLine() {
        let log = PipedLog(format: .text)
        log.logger().warning("timed out", metadata: ["peer": "x level=error\n", "cause": "", "ms": "12"])
        #expect(
            log.lines() == [
                #"2025-10-27T03:05:00.123Z WARNING  svc-dht "timed out" peer="x level=error\n" ms=12 cause="""#
            ])
    }

    @Test("levels below the logger's are not written")
    func level() {
        let log = PipedLog()
        log.logger(.warning).info("quiet")
        log.logger(.debug).debug("loud")
        #expect(log.lines().count == 1)
    }

    @Test("a line longer than a pipe takes whole is replaced by its head")
    func longLine() {
        let log = PipedLog()
        var metadata: Logger.Metadata = [:]
        for index in 0..<20 { metadata["f\(index)"] = .string(String(repeating: "\u{1}", count: 400)) }
        log.logger().info("big", metadata: metadata)
        #expect(log.lines().first?.hasSuffix(#""event":"big","truncated":true}"#) == true)
    }

    @Test("a repeating warning is written once, then once a window with its count")
    func folding() {
        let log = PipedLog()
        let logger = log.logger()
        for peer in 0..<100 { logger.warning("rpc", metadata: ["cause": "timeout", "peer": "\(peer)"]) }
        logger.warning("rpc", metadata: ["cause": "refused"])
        logger.info("rpc")
        logger.info("rpc")
        #expect(log.lines().count == 4)
        log.clock.advance(10)
        log.output.flushRepeats()
        let folded = log.lines()
        #expect(folded.count == 1)
        #expect(folded.first?.contains(#""peer":"99""#) == true)
        #expect(folded.first?.hasSuffix(#""repeated":99}"#) == true)
    }

    @Test("a kind that was quiet for a window is written at once again, and the end says what is unsaid")
    func windows() {
        let log = PipedLog()
        let logger = log.logger()
        logger.warning("a")
        log.clock.advance(10)
        logger.warning("a")
        logger.warning("a")
        #expect(log.lines().count == 2)
        log.output.flushRepeats(all: true)
        #expect(log.lines().first?.hasSuffix(#""repeated":1}"#) == true)
        log.output.flushRepeats(all: true)
        #expect(log.lines().isEmpty)
    }

    @Test("more kinds than are remembered push out the oldest, whose repeats are said")
    func folderIsBounded() {
        let log = PipedLog()
        let logger = log.logger()
        logger.warning("first")
        logger.warning("first")
        for kind in 0..<RepeatFolder.capacity { logger.warning("kind \(kind)") }
        let lines = log.lines()
        #expect(lines.count == RepeatFolder.capacity + 2)
        #expect(lines.filter { $0.contains(#""repeated":1"#) }.count == 1)
    }

    @Test("a sink that does not read stops nobody, and the lines lost are counted once it reads again")
    func fullPipe() throws {
        let log = PipedLog()
        let logger = log.logger()
        let total = 2000
        for index in 0..<total {
            logger.info("event \(index)", metadata: ["pad": "\(String(repeating: "x", count: 90))"])
        }
        let kept = log.lines()
        #expect(kept.count < total && kept.allSatisfy { $0.hasPrefix("{") && $0.hasSuffix("}") })
        logger.info("after")
        let after = log.lines()
        #expect(after.count == 2)
        #expect(after.first?.contains(#""count":\#(total - kept.count)"#) == true)
    }

    @Test("a pipe that was blocking is not made non-blocking for those who share it")
    func flagsUntouched() {
        var ends: [Int32] = [-1, -1]
        #expect(pipe(&ends) == 0)
        defer { for end in ends { close(end) } }
        let output = LogOutput(format: .json, descriptor: ends[1])
        for _ in 0..<2000 {
            output.logger(service: "s", level: .info).info("\(String(repeating: "x", count: 90))")
        }
        #expect(fcntl(ends[1], F_GETFL) & O_NONBLOCK == 0)
    }

    @Test("a socket that does not read stops nobody, and its lines stay whole")
    func fullSocket() {
        var ends: [Int32] = [-1, -1]
        #expect(socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &ends) == 0)
        defer { for end in ends { close(end) } }
        let output = LogOutput(format: .json, descriptor: ends[1])
        let logger = output.logger(service: "s", level: .info)
        for index in 0..<5000 {
            logger.info("\(index)", metadata: ["pad": "\(String(repeating: "x", count: 200))"])
        }
        var text: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 65_536)
        while case let count = recv(ends[0], &chunk, chunk.count, Int32(MSG_DONTWAIT)), count > 0 {
            text += chunk[..<count]
        }
        logger.info("after")
        while case let count = recv(ends[0], &chunk, chunk.count, Int32(MSG_DONTWAIT)), count > 0 {
            text += chunk[..<count]
        }
        let lines = String(decoding: text, as: UTF8.self).split(separator: "\n")
        #expect(lines.count < 5000 && lines.allSatisfy { $0.hasPrefix("{\"ts\"") && $0.hasSuffix("}") })
        #expect(lines.last?.contains("\"after\"") == true)
    }

    @Test("the level of an output changes while it runs; a logger's own level stays")
    func liveLevel() {
        let log = PipedLog()
        let (first, second) = (log.logger(), log.logger())
        var own = second
        own.logLevel = .error
        log.output.leastLevel = .debug
        #expect(first.logLevel == .debug && second.logLevel == .debug && own.logLevel == .error)
    }

    @Test("repeats are said by a timer that is armed only while there are some")
    func flusher() throws {
        let (log, loop) = (PipedLog(), try EventLoop())
        let flusher = try LogFlusher(loop: loop, output: log.output)
        let logger = log.logger()
        logger.warning("down")
        loop.turn(maxWaitUs: 0)
        #expect(loop.eventsHandled == 0)
        logger.warning("down")
        logger.warning("down")
        loop.turn(maxWaitUs: 0)
        #expect(loop.eventsHandled == 1)
        _ = log.lines()
        log.clock.advance(11)
        flusher.timer(tag: 0, nowUs: loop.nowUs)
        #expect(log.lines().first?.hasSuffix(#""repeated":2}"#) == true && !log.output.hasUnsaid)
        flusher.stop()
        loop.turn(maxWaitUs: 0)
    }

    @Test(
        "instants are RFC 3339 in UTC",
        arguments: [
            (0, "1970-01-01T00:00:00.000Z"), (951_782_400, "2000-02-29T00:00:00.000Z"),
            (951_868_799, "2000-02-29T23:59:59.000Z"), (1_735_689_599, "2024-12-31T23:59:59.000Z"),
            (4_107_542_400, "2100-03-01T00:00:00.000Z"),
        ] as [(UInt64, String)])
    func timestamps(seconds: UInt64, text: String) {
        #expect(Timestamp.text(wallUs: seconds * 1_000_000) == text)
    }

    @Test("a copied logger keeps its own level and metadata")
    func valueSemantics() {
        let log = PipedLog()
        let first = log.logger()
        var second = first
        second.logLevel = .error
        second[metadataKey: "peer"] = "p"
        #expect(first.logLevel == .info && first[metadataKey: "peer"] == nil)
    }
}
