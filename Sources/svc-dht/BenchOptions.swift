// RO:WHAT  The options of `svc-dht bench`, and the plan they make.
// RO:WHY   Bad usage ends with 2 before anything is sent.

import ArgumentParser
import DhtLoop

struct BenchOptions: ParsableArguments {
    private static let maxWeight = 1_000_000
    private static let opsHelp: ArgumentHelp = """
        ping, find_node, get, put or relay; or a mix with weights, such as find_node=6,get=3,put=1. \
        relay sends 128-byte frames from one session to another through the switch.
        """

    @Option(help: "Overlay endpoint of the node or the switch, host:port.")
    var overlay: String
    @Option(help: "Id of the node to ask, 64 hex digits. Default: whoever answers a Ping to any.")
    var id: String?
    @Option(help: opsHelp)
    var op = "find_node"
    @Option(help: "Closed loop: requests in flight.")
    var inFlight: Int?
    @Option(help: "Open loop: requests a second; latency counts from when each was meant to leave.")
    var rate: Double?
    @Option(help: "Stop after this many seconds. (default: 5)")
    var seconds: Double?
    @Option(help: "Stop after this many requests.")
    var requests: UInt64?
    @Option(help: "Requests sent before those that are measured.")
    var warmup: UInt64 = 0
    @Option(help: "Connections.")
    var sessions: Int?
    @Option(help: "Distinct keys of get and put.")
    var keys: UInt64 = 1000
    @Option(help: "Bytes of a value.")
    var valueSize = 100
    @Flag(help: "Put every key once before the run, so that gets find something.")
    var prefill = false
    @Option(help: "Contacts to give the node first: the bench plays that many nodes.")
    var contacts = 0
    @Option(help: "Network id.")
    var net: UInt64 = 0
    @Option(help: "Milliseconds after which a request is lost.")
    var timeoutMs: UInt64 = 2000
    @Option(help: "Seed of ids, keys and mix.")
    var seed: UInt64 = 1

    /// The overlay endpoint as it will be dialled.
    var address: SocketAddress? { SocketAddress(overlay) }

    func validate() throws {
        guard let address, address.port > 0 else {
            throw ValidationError("--overlay: \(overlay) is no numeric host:port")
        }
        _ = try mix()
        guard id == nil || NodeID(hex: id ?? "") != nil else { throw ValidationError("--id: 64 hex digits") }
        guard inFlight == nil || rate == nil else { throw ValidationError("give --in-flight or --rate") }
        guard requests == nil || seconds == nil else { throw ValidationError("give --requests or --seconds") }
        try check("--in-flight", inFlight ?? 1, 1...LoadPlan.maxInFlight)
        try check("--sessions", sessions ?? 1, 1...1000)
        try check("--value-size", valueSize, 1...983_040)
        try check("--contacts", contacts, 0...LoadPopulation.maxCount)
        try check("--keys", keys, 1...1_000_000_000)
        try check("--requests", requests ?? 1, 1...1_000_000_000_000)
        try check("--timeout-ms", timeoutMs, 1...60_000)
        guard (0.01...86_400).contains(seconds ?? 1) else {
            throw ValidationError("--seconds: 0.01 to 86400")
        }
        guard (1...5_000_000).contains(rate ?? 1) else { throw ValidationError("--rate: 1 to 5000000") }
    }

    private func check<Number: BinaryInteger>(
        _ name: String, _ value: Number, _ range: ClosedRange<Number>
    ) throws {
        guard range.contains(value) else {
            throw ValidationError("\(name): \(range.lowerBound) to \(range.upperBound)")
        }
    }

    /// `a=3,b` to a mix; a weight that is missing is 1.
    func mix() throws -> LoadMix {
        let shares = try op.split(separator: ",").map { part in
            let words = part.split(separator: "=", maxSplits: 1)
            let weight = words.count == 2 ? Int(words[1]) : 1
            guard let op = LoadOp.allCases.first(where: { $0.label == words.first.map(String.init) }),
                let weight, (1...Self.maxWeight).contains(weight)
            else {
                throw ValidationError(
                    "--op: \(part) is none of ping, find_node, get, put, relay with a weight of 1 to \(Self.maxWeight)"
                )
            }
            return LoadMix.Share(op, weight: weight)
        }
        guard !shares.isEmpty else { throw ValidationError("--op: name an operation") }
        return LoadMix(shares)
    }

    var limit: LoadLimit { requests.map { .requests($0) } ?? .seconds(seconds ?? 5) }

    /// What `validate` has let pass.
    func plan(_ address: SocketAddress) throws -> LoadPlan {
        var plan = LoadPlan(overlay: address)
        plan.mix = try mix()
        plan.target = id.flatMap { NodeID(hex: $0) }
        plan.pace = rate.map { .rate(perSecond: $0) } ?? .inFlight(inFlight ?? 64)
        let relays = plan.mix.shares.contains { $0.op == .relay }
        plan.sessions = max(sessions ?? 1, relays ? 2 : 1)
        (plan.keys, plan.valueBytes, plan.net) = (keys, valueSize, net)
        (plan.timeoutUs, plan.seed) = (timeoutMs * 1000, seed)
        return plan
    }
}
