// RO:WHAT  `svc-dht bench`: loads a node or a switch over its overlay sessions and reports what it cost.
// RO:WHY   Figures that anyone can take again, of the wire itself and not of the admin port.

import ArgumentParser
import DhtLoop
import Glibc

struct Bench: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Load a node over the wire and measure it.",
        discussion: """
            Speaks the overlay protocol as a client that no routing table takes. With --node, reads the metrics \
            before and after, and ends with 1 when a request was lost that no counter tells of.
            """)

    @OptionGroup var options: BenchOptions
    @Option(help: "Process id of the server: shows its CPU time per request.")
    var pid: Int32?
    @Option(help: "Admin address of the server: compares its counters.")
    var node: String?
    @Option(help: "File in which the server counts its allocations (scripts/bench/alloc.sh).")
    var allocations: String?
    @Flag(help: "Print the result as JSON.")
    var json = false

    func validate() throws {
        guard node == nil || HttpClient.parse(node ?? "") != nil else {
            throw ValidationError("--node: give host:port or [v6]:port")
        }
    }

    func run() throws {
        guard let address = options.address else { return }
        let observer = BenchObserver(showsProgress: !json && isatty(STDERR_FILENO) == 1)
        do {
            let report = try measure(LoadRunner(options.plan(address), observer: observer), observer)
            if json { Console.line(report.json) } else { for line in report.lines { Console.line(line) } }
            guard report.vanished == 0 else {
                throw CommandFailure(
                    code: .failed, message: "\(report.vanished) requests were lost that nobody counted")
            }
        } catch let error as LoadError {
            throw CommandFailure(code: .unreachable, message: describe(error))
        }
    }

    private func measure(_ load: LoadRunner, _ observer: BenchObserver) throws -> BenchReport {
        defer { load.close() }
        try load.connect()
        let population = try options.contacts > 0 ? LoadPopulation(of: options.contacts, for: load) : nil
        if options.prefill { try load.prefill() }
        if options.warmup > 0 { try load.run(until: .requests(options.warmup)) }
        let probe = ServerProbe(pid: pid, admin: node, allocationFile: allocations)
        observer.start()
        let before = try probe.before()
        try load.run(until: options.limit)
        let after = try probe.after()
        withExtendedLifetime(population) {}
        observer.finish()
        return BenchReport(
            tally: load.tally, latencies: observer.latencies, before: before, after: after)
    }

    private func describe(_ error: LoadError) -> String {
        switch error {
        case .system(let error): "\(options.overlay): \(error)"
        case .session(let reason): "\(options.overlay): the session ended: \(reason.label)"
        case .silence(let what): "\(options.overlay): \(what)"
        }
    }
}

/// Records latencies by operation and shows a line a second.
final class BenchObserver: LoadObserver {
    private var recorders = LoadOp.allCases.map { _ in LatencyRecorder() }
    private let showsProgress: Bool
    private var isMeasuring = false
    private var lastAnswered: UInt64 = 0

    init(showsProgress: Bool) { self.showsProgress = showsProgress }

    /// The run that counts begins.
    func start() { isMeasuring = true }

    /// Clears the line of progress.
    func finish() { if showsProgress { Console.write(Array("\r\u{1B}[K".utf8), to: STDERR_FILENO) } }

    /// What was recorded, for the operations that were asked.
    var latencies: [(op: LoadOp, recorder: LatencyRecorder)] {
        LoadOp.allCases.map { ($0, recorders[Int($0.rawValue)]) }.filter { $0.1.count > 0 }
    }

    override func answered(_ op: LoadOp, latencyNs: UInt64) {
        if isMeasuring { recorders[Int(op.rawValue)].record(latencyNs) }
    }

    override func progress(_ tally: LoadTally, elapsedNs: UInt64) {
        guard showsProgress else { return }
        let sinceLast = tally.answered - min(tally.answered, lastAnswered)
        lastAnswered = tally.answered
        let waiting = tally.sent - tally.answered - tally.lost
        let line =
            "\r\u{1B}[K\(elapsedNs / 1_000_000_000) s: \(sinceLast) answered in the last second, "
            + "\(tally.answered) in all, \(waiting) in flight, \(tally.lost) lost"
        Console.write(Array(line.utf8), to: STDERR_FILENO)
    }
}
