// RO:WHAT  Xoshiro256**, a small seeded generator.
// RO:WHY   The node draws jitter and ids from a generator passed in, so that one seed replays a run.
// RO:SECURITY  Predictable by design; the daemon seeds it from the system, tests from a number.

/// xoshiro256** 1.0 (Blackman and Vigna, 2018), seeded by SplitMix64 as its authors advise.
public struct SeededGenerator: RandomNumberGenerator, Sendable {
    private var s0: UInt64
    private var s1: UInt64
    private var s2: UInt64
    private var s3: UInt64

    /// Any seed is good, zero too.
    public init(seed: UInt64) {
        var state = seed
        func splitMix() -> UInt64 {
            state &+= 0x9E37_79B9_7F4A_7C15
            var z = state
            z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
            z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
            return z ^ (z >> 31)
        }
        (s0, s1, s2, s3) = (splitMix(), splitMix(), splitMix(), splitMix())
        assert(s0 | s1 | s2 | s3 != 0, "a generator that only yields zeros")
    }

    public mutating func next() -> UInt64 {
        let scaled = s1 &* 5
        let result = (scaled << 7 | scaled >> 57) &* 9
        let shifted = s1 << 17
        s2 ^= s0
        s3 ^= s1
        s1 ^= s2
        s0 ^= s3
        s2 ^= shifted
        s3 = s3 << 45 | s3 >> 19
        return result
    }
}
