// RO:WHAT  Tracer: one measured get, written down step by step.
// RO:WHY   A percentile says that lookups are slow; only one lookup says why.

import DhtLoop

/// Follows the measured get of a given number.
struct Tracer {
    private let wanted: Int
    private var begun = 0
    private var site = -1
    private var key = Key.zero
    private var startUs: UInt64 = 0
    /// What was seen so far.
    private(set) var lines: [String] = []

    init(get wanted: Int) { self.wanted = wanted }

    /// A measured get begins.
    mutating func began(at site: Int, key: Key, _ simulation: Simulation) {
        begun += 1
        guard begun == wanted + 1 else { return }
        (self.site, self.key, startUs) = (site, key, simulation.nowUs)
        lines.append("get \(key) at site \(site)")
    }

    mutating func sent(
        _ payload: UnsafeRawBufferPointer, from site: Int, to endpoint: EndpointID, _ simulation: Simulation
    ) {
        var lists = MessageLists()
        guard site == self.site,
            case .get(key, _, _)? = try? EnvelopeDecoder.decode(payload, into: &lists).message
        else { return }
        guard let target = simulation.site(at: endpoint) else {
            return note("ask nobody at \(simulation.endpoints.text(endpoint))", simulation)
        }
        let isWarm = simulation.session(of: site, at: target) != nil
        let rttMs = Double(2 * simulation.latency.baseUs(site, target)) / 1000
        note(
            "ask site \(target), distance 2^\(bits(simulation.sites[target].id)), "
                + "rtt \(JsonObject.fixed(rttMs, decimals: 1)) ms, \(isWarm ? "warm" : "cold")"
                + (simulation.sites[target].isUp ? "" : ", dead"), simulation)
    }

    mutating func received(
        _ payload: UnsafeRawBufferPointer, at site: Int, from origin: Int, _ simulation: Simulation
    ) {
        guard site == self.site else { return }
        var lists = MessageLists()
        guard let reply = try? EnvelopeDecoder.decode(payload, into: &lists) else { return }
        switch reply.message {
        case .found: note("found at site \(origin)", simulation)
        case .nodes:
            let nearest = lists.contacts.map { bits($0.id) }.min() ?? 0
            note("site \(origin) names \(lists.contacts.count) contacts, nearest 2^\(nearest)", simulation)
        case .unreachable: note("unreachable at site \(origin)", simulation)
        default: break
        }
    }

    mutating func ended(_ result: GetResult, at site: Int, _ simulation: Simulation) {
        guard site == self.site else { return }
        let ending =
            switch result.outcome {
            case .found: "found, hops \(result.hops)"
            case .notFound: "not found"
            case .timedOut: "timed out"
            }
        note(ending, simulation)
        self.site = -1
    }

    /// Position of the highest bit in which `id` differs from the key.
    private func bits(_ id: NodeID) -> Int { 255 - id.distance(to: key).leadingZeroBitCount }

    private mutating func note(_ text: String, _ simulation: Simulation) {
        let elapsedMs = Double(simulation.nowUs - startUs) / 1000
        let time = JsonObject.fixed(elapsedMs, decimals: 1)
        lines.append(String(repeating: " ", count: max(0, 8 - time.count)) + time + " ms  " + text)
    }
}
