// RO:WHAT  Canary: puts a tiny record under a random key and reads it back from others, at a slow pace.
// RO:WHY   Sessions and contacts say that a network is there; only a value that came back says that it works.
// RO:INVARIANTS  one canary at a time; a copy of this node's own proves nothing and does not count.
// RO:METRICS  dht_canary_total{outcome}; its put and get are counted as any other
// RO:TEST  Tests/DhtLoopTests/Node/CanaryTests.swift, scripts/live/readiness.sh

import Logging

/// The network as a canary needs it.
protocol CanaryNetwork: AnyObject {
    /// A random key that is not this node's alone to keep.
    func canaryKey(using generator: inout SeededGenerator) -> Key

    /// Starts a put, or a read from others; false when it cannot be started. `Canary.ended` follows.
    func putCanary(_ key: Key, _ value: [UInt8]) -> Bool
    func readCanary(_ key: Key) -> Bool
}

/// One node's canary. Off until it is given a pace.
final class Canary: EventSource {
    /// Failures in a row that close the gate: one may be a peer that leaves.
    static let failuresToClose = 2
    /// First and longest pause after a failure.
    private static let retryUs: UInt64 = 500_000
    private static let retryCapUs: UInt64 = 5_000_000

    private let loop: EventLoop
    private unowned let network: any CanaryNetwork
    private let log: Logger
    private var generator: SeededGenerator
    private var alarm = Alarm()
    private var paceUs: UInt64 = 0
    /// What was put and is to come back; nil between canaries.
    private var flight: (key: Key, value: [UInt8])?
    private var lastOkUs: UInt64?

    /// Since the start.
    private(set) var oks: UInt64 = 0
    private(set) var failures: UInt64 = 0
    private(set) var failuresInRow = 0

    /// Attaches itself to `loop`; `stop` ends that. `seed` comes from the system's generator.
    init(loop: EventLoop, network: any CanaryNetwork, log: Logger, seed: UInt64) {
        (self.loop, self.network, self.log) = (loop, network, log)
        generator = SeededGenerator(seed: seed)
        super.init()
        loop.attach(self)
    }

    /// Sends one every so many seconds, the first at once; 0 sends no more.
    func setPace(seconds: Int) {
        let asked = UInt64(seconds) * 1_000_000
        guard asked != paceUs else { return }
        paceUs = asked
        if asked == 0 { (lastOkUs, failuresInRow) = (nil, 0) }
        // One that flies comes down first.
        if flight == nil { alarm.set(asked == 0 ? nil : loop.nowUs, on: loop, for: self) }
    }

    func stop() {
        setPace(seconds: 0)
        loop.detach(self)
    }

    /// The gate with its numbers; nil while there is no canary.
    var gate: ReadinessReport.Gate? {
        guard paceUs > 0 else { return nil }
        var numbers = [("pace_secs", Int(paceUs / 1_000_000)), ("failures_in_row", failuresInRow)]
        if let lastOkUs { numbers.append(("last_ok_ago_secs", Int((loop.nowUs - lastOkUs) / 1_000_000))) }
        let isOpen = lastOkUs != nil && failuresInRow < Self.failuresToClose
        return ReadinessReport.Gate("canary_ok", isOpen: isOpen, numbers: numbers)
    }

    override func timer(tag: UInt32, nowUs: UInt64) {
        alarm.fired()
        let key = network.canaryKey(using: &generator)
        let value = [UInt8(truncatingIfNeeded: generator.next())]
        flight = (key, value)
        if !network.putCanary(key, value) { failed("put", "busy") }
    }

    /// The put or the read has ended.
    func ended(_ result: OperationResult) {
        guard let flight else { return }
        guard paceUs > 0 else {
            self.flight = nil
            return
        }
        switch result {
        case .put(let put) where put.acks == 0: failed("put", "not_stored")
        case .put: if !network.readCanary(flight.key) { failed("get", "busy") }
        case .get(let get): readBack(get, flight.value)
        case .providers, .ping: break
        }
    }

    private func readBack(_ result: GetResult, _ expected: [UInt8]) {
        switch result.outcome {
        case .found(expected, _, _) where result.copies > 0: passed()
        case .found where result.copies > 0: failed("get", "another_value")
        case .found, .notFound: failed("get", "not_found")
        case .timedOut: failed("get", "timed_out")
        }
    }

    private func passed() {
        oks += 1
        if lastOkUs == nil || failuresInRow > 0 { log.info("canary", metadata: ["op": "get"]) }
        (lastOkUs, failuresInRow, flight) = (loop.nowUs, 0, nil)
        rest(paceUs)
    }

    private func failed(_ op: String, _ cause: String) {
        failures += 1
        failuresInRow += 1
        log.warning(
            "canary_failed",
            metadata: [
                "op": .string(op), "key": .string(flight?.key.description ?? ""), "cause": .string(cause),
            ])
        flight = nil
        rest(min(paceUs, Self.retryCapUs, Self.retryUs << UInt64(min(failuresInRow - 1, 8))))
    }

    /// Waits for `pauseUs`, give or take a fifth, so that a cluster's canaries do not fly in step.
    private func rest(_ pauseUs: UInt64) {
        let jittered = UInt64.random(in: (pauseUs - pauseUs / 5)...(pauseUs + pauseUs / 5), using: &generator)
        alarm.set(loop.nowUs + jittered, on: loop, for: self)
    }
}
