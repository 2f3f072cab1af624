// RO:WHAT  Entropy of distributions whose entropy is known.
import Testing

@testable import DhtLoop

@Suite("Entropy")
struct EntropyTests {
    private static let known: [([Int], Double)] = [
        ([], 0), ([7], 0), ([0, 3, 0], 0), ([5, 5], 1), ([1, 1, 1, 1], 2), ([2, 1, 1], 1.5),
    ]

    @Test("equal parts have log2 of their number, one kind has none", arguments: known)
    func bits(counts: [Int], bits: Double) { #expect(abs(Entropy.bits(ofCounts: counts) - bits) < 1e-12) }
}
