// RO:WHAT  Arguments that say what the network and its sessions are like.
// RO:WHY   The defaults are the daemon's; each way to spare a round trip is a knob of its own.

import ArgumentParser
import DhtSim

struct NetworkArguments: ParsableArguments {
    @Option(help: "One-way latency that nothing is below, in milliseconds.")
    var floorMs = defaults.network.floorMs
    @Option(help: "10th percentile of one-way latency, in milliseconds.")
    var p10Ms = defaults.network.p10Ms
    @Option(help: "90th percentile of one-way latency, in milliseconds.")
    var p90Ms = defaults.network.p90Ms
    @Option(help: "A packet takes up to this share longer than its pair's base.")
    var jitter = defaults.network.jitter
    @Option(help: "Kilobits a second of one session, each way; 0: no limit.")
    var sessionKbps = defaults.network.sessionKbps
    @Option(help: "Seconds after which an unused session is closed.")
    var sessionIdleS = defaults.sessions.idleSeconds
    @Option(help: "Sessions that one node may have dialled.")
    var sessionCap = defaults.sessions.cap
    @Option(help: "TCP fast open: \(FastOpen.names).")
    var fastOpen = defaults.sessions.fastOpen
    @Flag(help: "Use sessions that the other side opened, too.")
    var bidirectional = false
    @Option(help: "Dial so many contacts of a reply at once.")
    var dialAhead = defaults.sessions.dialAhead

    func fill(_ config: inout SimConfig) {
        config.network.floorMs = floorMs
        config.network.p10Ms = p10Ms
        config.network.p90Ms = p90Ms
        config.network.jitter = jitter
        config.network.sessionKbps = sessionKbps
        config.sessions.idleSeconds = sessionIdleS
        config.sessions.cap = sessionCap
        config.sessions.fastOpen = fastOpen
        config.sessions.isBidirectional = bidirectional
        config.sessions.dialAhead = dialAhead
    }
}

extension CaseIterable where Self: RawRepresentable, RawValue == String {
    /// The values, for a help text.
    static var names: String { allCases.map(\.rawValue).joined(separator: ", ") }
}
