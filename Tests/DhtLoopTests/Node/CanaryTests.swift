// RO:WHAT  The canary: what counts as coming back, when its gate opens and closes, and its pauses.
import Logging
import Testing

@testable import DhtLoop

/// A network that does as it is told, and answers when the test says so.
private final class CanaryTestNetwork: CanaryNetwork {
    var takesCalls = true
    private(set) var puts: [(key: Key, value: [UInt8])] = []
    private(set) var reads: [Key] = []

    func canaryKey(using generator: inout SeededGenerator) -> Key { .random(using: &generator) }

    func putCanary(_ key: Key, _ value: [UInt8]) -> Bool {
        if takesCalls { puts.append((key, value)) }
        return takesCalls
    }

    func readCanary(_ key: Key) -> Bool {
        if takesCalls { reads.append(key) }
        return takesCalls
    }
}

@Suite("Canary")
struct CanaryTests {
    private let loop: EventLoop
    private let network = CanaryTestNetwork()
    private let canary: Canary

    init() throws {
        loop = try EventLoop()
        let log = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        canary = Canary(loop: loop, network: network, log: log, seed: 11)
    }

    /// Turns the loop until the next put is asked for; the pauses that are waited for are of a second or less.
    private func nextPut() throws -> (key: Key, value: [UInt8]) {
        let before = network.puts.count
        for _ in 0..<1000 where network.puts.count == before { loop.turn(maxWaitUs: 5000) }
        try #require(network.puts.count == before + 1)
        return network.puts[before]
    }

    private func put(acks: Int) { canary.ended(.put(PutResult(acks: acks, wanted: 3))) }

    private func found(_ value: [UInt8], copies: Int) {
        let outcome = GetResult.Outcome.found(value: value, seq: 1, ttlSeconds: 9)
        canary.ended(.get(GetResult(outcome: outcome, copies: copies)))
    }

    private var isOpen: Bool? { canary.gate?.isOpen }

    @Test("without a pace there is no canary and no gate")
    func off() {
        loop.turn(maxWaitUs: 0)
        #expect(canary.gate == nil && network.puts.isEmpty && loop.timersFired == 0)
    }

    @Test("the gate opens when the value came back from others")
    func comesBack() throws {
        canary.setPace(seconds: 5)
        #expect(isOpen == false)
        let sent = try nextPut()
        put(acks: 1)
        #expect(network.reads == [sent.key])
        found(sent.value, copies: 1)
        #expect(isOpen == true && canary.oks == 1 && canary.failures == 0)
        #expect(canary.gate?.numbers.map(\.name) == ["pace_secs", "failures_in_row", "last_ok_ago_secs"])
    }

    @Test("one failure leaves the gate open, two in a row close it, one that comes back opens it")
    func failures() throws {
        canary.setPace(seconds: 5)
        let first = try nextPut()
        put(acks: 3)
        found(first.value, copies: 2)
        // The pace is too slow for a test: switched off and on, it begins anew, with a closed gate.
        canary.setPace(seconds: 0)
        #expect(canary.gate == nil)
        canary.setPace(seconds: 5)
        let second = try nextPut()
        put(acks: 3)
        found(second.value, copies: 2)
        canary.setPace(seconds: 6)
        _ = try nextPut()
        put(acks: 0)
        #expect(isOpen == true && canary.failuresInRow == 1)
        let third = try nextPut()
        put(acks: 2)
        found([third.value[0] ^ 1], copies: 2)
        #expect(isOpen == false && canary.failuresInRow == 2)
        let fourth = try nextPut()
        put(acks: 2)
        found(fourth.value, copies: 2)
        #expect(isOpen == true && canary.oks == 3 && canary.failures == 2)
    }

    @Test("the node's own copy, nothing, and silence prove nothing")
    func notBack() throws {
        canary.setPace(seconds: 5)
        let sent = try nextPut()
        put(acks: 1)
        found(sent.value, copies: 0)
        for outcome in [GetResult.Outcome.notFound, .timedOut] {
            _ = try nextPut()
            put(acks: 1)
            canary.ended(.get(GetResult(outcome: outcome)))
        }
        #expect(canary.failures == 3 && isOpen == false)
    }

    @Test("a node that takes no call is a failure, not the end of canaries")
    func busy() throws {
        network.takesCalls = false
        canary.setPace(seconds: 5)
        for _ in 0..<100 where canary.failures == 0 { loop.turn(maxWaitUs: 5000) }
        #expect(canary.failures == 1)
        network.takesCalls = true
        _ = try nextPut()
    }

    @Test("switched off in flight, the rest of it is not counted")
    func offInFlight() throws {
        canary.setPace(seconds: 5)
        _ = try nextPut()
        canary.setPace(seconds: 0)
        put(acks: 0)
        #expect(canary.failures == 0 && network.reads.isEmpty)
    }
}
