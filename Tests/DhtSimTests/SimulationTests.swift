// RO:WHAT  Tests of whole runs: determinism, success without faults, invariants with every fault.
// RO:WHY   They run the shipped node; what breaks here is most likely the node.

import DhtLoop
import Glibc
import Testing

@testable import DhtSim

@Suite("A simulated network")
struct SimulationTests {
    /// Few nodes and short parts, every event checked.
    private static func small(seed: UInt64 = 1, _ adjust: (inout SimConfig) -> Void = { _ in }) -> SimConfig {
        var config = SimConfig()
        config.seed = seed
        config.nodes.count = 24
        config.nodes.k = 6
        config.workload.lookups = 60
        config.workload.puts = 10
        config.workload.records = 20
        config.workload.settleSeconds = 30
        config.workload.seedSeconds = 5
        config.workload.measureSeconds = 60
        config.workload.samples = 3
        config.checkEvery = 1
        adjust(&config)
        return config
    }

    /// The report without what differs from run to run.
    private static func stable(_ report: Report) -> [String] {
        report.object.fields.filter { field in
            !["wall", "cpu", "rss"].contains { field.name.contains($0) }
        }.map { "\($0.name) \($0.value)" }
    }

    @Test("without faults finds every record, stores on every replica, and breaks no invariant")
    func noFaults() {
        let report = Simulation(config: Self.small()).run()
        #expect(report.violations == [])
        #expect(report["lookup_success"] == "1.00000")
        #expect(report["put_success"] == "1.00000")
        #expect(report["lookups"] == "60")
        #expect(report["records_lost"] == "0")
        #expect((Double(report["replicas_mean"] ?? "") ?? 0) >= 3)
    }

    @Test("gives the same report for the same seed, and another for another")
    func determinism() {
        func fields(_ seed: UInt64) -> [String] {
            let config = Self.small(seed: seed) {
                $0.faults.churnMedianSeconds = 60
                $0.faults.loss = 0.02
                $0.checkEvery = 0
            }
            return Self.stable(Simulation(config: config).run())
        }
        let first = fields(7)
        #expect(first == fields(7))
        #expect(first != fields(8))
    }

    @Test("gives the same bytes in another process")
    func otherProcess() throws {
        let first = try output(of: "--nodes 20 --lookups 40 --measure-s 30 --settle-s 20 --churn-median-s 60")
        let second = try output(
            of: "--nodes 20 --lookups 40 --measure-s 30 --settle-s 20 --churn-median-s 60")
        #expect(first.count > 500)
        #expect(first == second)
    }

    /// What `dht-sim --json` prints, up to the fields that cost goes to.
    private func output(of arguments: String) throws -> String {
        let folder = CommandLine.arguments[0].split(separator: "/", omittingEmptySubsequences: false)
            .dropLast()
        let program = (folder + ["dht-sim"]).joined(separator: "/")
        let pipe = try #require(popen("\(program) --json \(arguments)", "r"), "the program starts")
        defer { pclose(pipe) }
        var text = ""
        var buffer = [CChar](repeating: 0, count: 4096)
        while fgets(&buffer, 4096, pipe) != nil {
            text += buffer.withUnsafeBufferPointer { String(cString: $0.baseAddress!) }
        }
        let cost = try #require(text.firstRange(of: ",\"wall_s\""), "the line has its cost: \(text)")
        return String(text[..<cost.lowerBound])
    }

    /// A name and a change of the configuration.
    struct Scenario: CustomTestStringConvertible, Sendable {
        let testDescription: String
        let adjust: @Sendable (inout SimConfig) -> Void

        init(_ name: String, _ adjust: @escaping @Sendable (inout SimConfig) -> Void) {
            (testDescription, self.adjust) = (name, adjust)
        }
    }

    static let faults = [
        Scenario("loss, duplication, reordering") {
            ($0.faults.loss, $0.faults.duplication, $0.faults.reordering) = (0.1, 0.1, 0.2)
        },
        Scenario("stragglers") { $0.faults.stragglers = 0.2 },
        Scenario("silent deaths") { $0.faults.deadFraction = 0.3 },
        Scenario("churn with replacement") { $0.faults.churnMedianSeconds = 30 },
        Scenario("silent churn") { ($0.faults.churnMedianSeconds, $0.faults.isDeadSilent) = (40, true) },
        Scenario("churn with return") {
            ($0.faults.churnMedianSeconds, $0.faults.returnSeconds, $0.faults.churnShape) = (40, 10, 0.6)
        },
        Scenario("a partition") {
            ($0.faults.partitionSeconds, $0.workload.measureSeconds) = (40, 150)
        },
        Scenario("a partition one way") {
            ($0.faults.partitionSeconds, $0.workload.measureSeconds) = (40, 150)
            $0.faults.isPartitionOneWay = true
        },
        Scenario("a hub that fails") {
            ($0.nodes.hubs, $0.faults.hubDownSeconds, $0.workload.measureSeconds) = (3, 20, 120)
        },
        Scenario("slow sessions") { $0.network.sessionKbps = 8 },
        Scenario("few sessions") { $0.sessions.cap = 4 },
        Scenario("all spared round trips") {
            ($0.sessions.isBidirectional, $0.nodes.warmPerBucket, $0.sessions.dialAhead) = (true, 5, 3)
            $0.sessions.fastOpen = .cookie
        },
        Scenario("a publisher") { $0.workload.publish = 100 },
    ]

    @Test("breaks no invariant of any node, whatever goes wrong", arguments: faults)
    func invariants(scenario: Scenario) {
        let simulation = Simulation(config: Self.small(scenario.adjust))
        let report = simulation.run()
        #expect(report.violations == [])
        #expect(simulation.measurements.gets + simulation.measurements.callsCut >= 50)
        while let dueUs = simulation.queue.nextDueUs, dueUs < simulation.nowUs + 1_000_000 {
            simulation.advance(to: dueUs)
        }
        #expect(simulation.payloads.inUse <= simulation.queue.count)
    }

    @Test("ends although the publisher died before it was done")
    func deadPublisher() throws {
        let config = Self.small {
            ($0.workload.publish, $0.workload.lookups, $0.workload.puts) = (100_000, 0, 0)
            ($0.workload.measureSeconds, $0.faults.churnMedianSeconds, $0.checkEvery) = (4, 1, 0)
        }
        let published = Simulation(config: config).run()["published"]
        let count = try #require(Int(published ?? ""))
        #expect(count < 100_000)
    }

    @Test("breaks no invariant of an honest node among adversaries", arguments: AdversaryKind.allCases)
    func adversaries(kind: AdversaryKind) {
        let report = Simulation(
            config: Self.small {
                ($0.faults.adversary, $0.faults.adversaryFraction) = (kind, 0.25)
                $0.workload.measureSeconds = 30
            }
        ).run()
        #expect(report.violations == [])
        #expect(report["nodes_alive"] == (kind == .none ? "24" : "18"))
    }

    @Test("a flooder gets Busy, and nobody else does", arguments: [1, 2, 3] as [UInt64])
    func flood(seed: UInt64) throws {
        let config = Self.small(seed: seed) {
            $0.nodes.peerRps = 50
            $0.faults.adversary = .flooder
            $0.faults.adversaryFraction = 0.05
            $0.faults.floodRate = 1000
            $0.faults.floodVictims = 1
            $0.workload.measureSeconds = 20
            $0.checkEvery = 1000
        }
        let report = Simulation(config: config).run()
        func number(_ name: String) -> Double { Double(report[name] ?? "") ?? -1 }
        #expect(report.violations == [])
        #expect(report["lookup_success"] == "1.00000" && report["put_success"] == "1.00000", "seed \(seed)")
        #expect(number("get_p95_ms") <= 6 * number("median_rtt_ms"), "seed \(seed)")
        #expect(report["busy_to_others"] == "0", "seed \(seed)")
        #expect(number("flood_requests") > 15_000)
        let served = number("flood_answers") - number("busy_to_flooders")
        // 50 a second for 20 s, and what there was to begin with; each may count for its steps as well.
        let most = 2000.0
        let least = 1000.0 / Double(1 + config.nodes.recursion)
        #expect((least...most).contains(served), "seed \(seed): \(served) answered")
        #expect(number("busy_to_flooders") > 64)
        #expect(number("requests_dropped") > 10_000)
    }

    @Test("forged values are counted as failures")
    func forgers() {
        let config = Self.small {
            ($0.faults.adversary, $0.faults.adversaryFraction) = (.forger, 0.5)
        }
        let simulation = Simulation(config: config)
        _ = simulation.run()
        #expect(simulation.measurements.getsForged > 0)
    }

    @Test("writes down one get, from its beginning to its end")
    func trace() {
        let report = Simulation(config: Self.small { $0.traceGet = 5 }).run()
        #expect(report.trace.first?.hasPrefix("get ") == true)
        #expect(report.trace.last?.contains("found") == true)
    }

    @Test(
        "refuses a configuration that cannot be",
        arguments: [
            Scenario("alpha over k") { $0.nodes.alpha = 21 },
            Scenario("one node") { $0.nodes.count = 1 },
            Scenario("a share over 1") { $0.faults.loss = 1.5 },
            Scenario("latencies that do not ascend") { $0.network.p10Ms = 5 },
            Scenario("a hub that fails where there is none") { $0.faults.hubDownSeconds = 5 },
        ])
    func validation(scenario: Scenario) {
        var config = SimConfig()
        #expect(throws: Never.self) { try config.validate() }
        scenario.adjust(&config)
        #expect(throws: ConfigProblem.self) { try config.validate() }
    }
}
