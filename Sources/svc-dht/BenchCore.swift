// RO:WHAT  `svc-dht bench-core`: the routing table and the timer wheel, measured in this process.
// RO:WHY   These cost nanoseconds: seen from outside they drown in system calls. The binary that ships is the
//          one that is measured.

import ArgumentParser
import DhtLoop
import Glibc

struct BenchCore: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bench-core",
        abstract: "Measure the routing table and the timer wheel, without a network.")

    @Option(help: "Contacts in the routing table, at most \(LoadPopulation.maxCount).")
    var contacts = 5000
    @Option(help: "Timers that are armed.")
    var timers = 1_000_000
    @Option(help: "Operations that are measured.")
    var operations = 1_000_000
    @Option(help: "File in which this process counts its allocations (scripts/bench/alloc.sh).")
    var allocations: String?

    private static let k = 20
    private static let hourUs: UInt64 = 3_600_000_000

    func validate() throws {
        guard (1...LoadPopulation.maxCount).contains(contacts) else {
            throw ValidationError("--contacts: 1 to \(LoadPopulation.maxCount)")
        }
        guard (0...100_000_000).contains(timers) else { throw ValidationError("--timers: 0 to 100000000") }
        guard (1...1_000_000_000).contains(operations) else {
            throw ValidationError("--operations: 1 to 1000000000")
        }
    }

    func run() {
        var generator = SeededGenerator(seed: 1)
        measureClosest(&generator)
        measureTimers(&generator)
    }

    private func measureClosest(_ generator: inout SeededGenerator) {
        let own = NodeID.random(using: &generator)
        var table = RoutingTable(ownID: own, k: Self.k)
        while table.count < contacts {
            let id = own.random(sharingPrefix: table.count / Self.k, using: &generator)
            _ = table.insert(Contact(id: id, endpoint: EndpointID(rawValue: 1)), nowUs: 0)
        }
        var list = ContactList()
        report("closest \(Self.k) of \(table.count)") {
            for _ in 0..<operations { table.closest(to: .random(using: &generator), Self.k, into: &list) }
        }
    }

    private func measureTimers(_ generator: inout SeededGenerator) {
        var wheel = TimerWheel(nowUs: 0, capacity: timers + 1)
        for number in 0..<timers {
            _ = wheel.schedule(
                atUs: .random(in: 0..<Self.hourUs, using: &generator), token: UInt64(number))
        }
        report("timer scheduled and cancelled, \(wheel.count) armed") {
            for _ in 0..<operations {
                let atUs = generator.next() % Self.hourUs
                wheel.cancel(wheel.schedule(atUs: atUs, token: 0))
            }
        }
    }

    /// Prints what `body`, which does `operations` of them, took.
    private func report(_ name: String, _ body: () -> Void) {
        var ns = 0.0
        let asking = allocated(during: {})
        let whole = allocated {
            let before = Self.cpuNs()
            body()
            ns = Double(Self.cpuNs() - before) / Double(operations)
        }
        var line = "\(name): \(BenchReport.fixed(ns, 1)) ns"
        // Reading the count allocates too.
        if let whole, let asking { line += ", \(whole - asking) allocations in \(operations)" }
        Console.line(line)
    }

    /// Allocations from before `body` to after it; nil when nobody counts them.
    private func allocated(during body: () -> Void) -> UInt64? {
        let before = allocations.flatMap(ServerProbe.number)
        body()
        let after = allocations.flatMap(ServerProbe.number)
        return after.flatMap { end in before.map { end - $0 } }
    }

    private static func cpuNs() -> UInt64 {
        var time = timespec()
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
        return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
    }
}
