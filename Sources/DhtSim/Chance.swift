// RO:WHAT  Chance: the simulator's one source of randomness, and the distributions drawn from it.
// RO:WHY   One seed replays a run; a second generator anywhere would break that.
// RO:INVARIANTS  draws happen in the order of events, which is total.

import DhtLoop
import Glibc

/// Seeded draws. Every method takes at least one word out of the generator unless it says otherwise.
struct Chance {
    var generator: SeededGenerator

    init(seed: UInt64) { generator = SeededGenerator(seed: seed) }

    /// 64 random bits.
    mutating func word() -> UInt64 { generator.next() }

    /// A number in [0, 1).
    mutating func fraction() -> Double { Self.fraction(generator.next()) }

    /// A whole number in 0..<bound; `bound` is 1 or more.
    mutating func below(_ bound: Int) -> Int {
        Int(generator.next().multipliedFullWidth(by: UInt64(bound)).high)
    }

    /// True with this probability. Draws nothing for 0, so that a fault that is off costs no randomness.
    mutating func happens(_ probability: Double) -> Bool { probability > 0 && fraction() < probability }

    /// An exponentially distributed number with this mean.
    mutating func exponential(mean: Double) -> Double { -mean * log(1 - fraction()) }

    /// A Weibull-distributed number with this median; shape 1 is the exponential distribution.
    mutating func weibull(median: Double, shape: Double) -> Double {
        let scale = median / pow(log(2), 1 / shape)
        return scale * pow(-log(1 - fraction()), 1 / shape)
    }

    /// The upper 53 bits of `word` as a number in [0, 1).
    static func fraction(_ word: UInt64) -> Double { Double(word >> 11) * 0x1p-53 }

    /// A well-mixed word out of two: the finaliser of SplitMix64.
    static func mix(_ a: UInt64, _ b: UInt64) -> UInt64 {
        var z = a &+ b &* 0x9E37_79B9_7F4A_7C15
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}
