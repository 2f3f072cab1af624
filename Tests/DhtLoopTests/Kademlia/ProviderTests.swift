// RO:WHAT  FindPhase: how the providers that several nodes know are merged, and which the caller is told.
import Testing

@testable import DhtLoop

@Suite("FindPhase")
struct ProviderTests {
    private func text(_ name: String) -> [UInt8] { Array(name.utf8) }

    private func take(_ named: [(String, UInt64)], in phase: inout FindPhase) throws {
        let providers = named.map { EnvelopeImage.Provider(node: text($0.0), ttl: $0.1) }
        let stage = CoreStage()
        phase = try stage.hear(.providers(providers, nodes: []), from: NodeID(1, 1, 1, 1)) { _, lists in
            var merged = phase
            merged.took(lists.providers, maxTtlSeconds: 100)
            return merged
        }
    }

    private func told(_ phase: FindPhase) -> [String] {
        phase.result(hops: 3, elapsedUs: 4, isComplete: true).providers.map {
            "\(String(decoding: $0.node, as: UTF8.self)) \($0.ttlSeconds)"
        }
    }

    @Test("of one provider the longest life counts, whoever told it, and none beyond the longest there is")
    func merged() throws {
        var phase = FindPhase(limit: 9)
        phase.add(text("a"), ttlSeconds: 20)
        try take([("a", 10), ("b", 30), ("c", 500)], in: &phase)
        try take([("b", 25), ("a", 21)], in: &phase)
        #expect(told(phase) == ["c 100", "b 30", "a 21"])
    }

    @Test("one whose life is over, or without a name, is none")
    func none() throws {
        var phase = FindPhase(limit: 1)
        try take([("a", 0), ("", 30)], in: &phase)
        #expect(told(phase).isEmpty && !phase.hasEnough)
    }

    @Test("it has enough once as many are known as were asked for, and tells no more")
    func limit() throws {
        var phase = FindPhase(limit: 2)
        phase.add(text("a"), ttlSeconds: 5)
        phase.add(text("a"), ttlSeconds: 5)
        #expect(!phase.hasEnough)
        try take([("b", 7), ("c", 6)], in: &phase)
        #expect(phase.hasEnough && told(phase) == ["b 7", "c 6"])
    }

    @Test("those with the longest life are told first, among equals by their names")
    func order() throws {
        var phase = FindPhase(limit: 9)
        try take([("b", 7), ("a", 7), ("ab", 7), ("z", 8)], in: &phase)
        #expect(told(phase) == ["z 8", "a 7", "ab 7", "b 7"])
        let result = phase.result(hops: 3, elapsedUs: 4, isComplete: false)
        #expect(result.hops == 3 && result.elapsedUs == 4 && !result.isComplete)
    }
}
