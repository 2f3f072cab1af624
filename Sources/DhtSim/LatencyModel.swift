// RO:WHAT  LatencyModel: how long a packet takes between two sites.
// RO:WHY   A pair's base is a hash of the pair, so a hundred thousand sites need no table of pairs.
// RO:TEST  Tests/DhtSimTests/MachineryTests.swift

import Glibc

/// One-way latency: a floor plus a log-normal part, fixed for each pair of sites and equal both ways.
struct LatencyModel {
    private static let steps = 4096
    /// z of the 90th percentile of the normal distribution.
    private static let z90 = 1.2815515655446004
    /// An hour: the tail of a wide distribution ends here.
    private static let longestUs = 3.6e9

    /// The distribution's quantiles in the middle of `steps` equal parts, in microseconds.
    private let quantilesUs: [UInt32]
    private let secret: UInt64

    /// The log-normal part is chosen so that the 10th and 90th percentile are these. `floorMs` < `p10Ms` < `p90Ms`.
    init(floorMs: Double, p10Ms: Double, p90Ms: Double, secret: UInt64) {
        let (low, high) = (log(p10Ms - floorMs), log(p90Ms - floorMs))
        let (mean, deviation) = ((low + high) / 2, (high - low) / 2 / Self.z90)
        quantilesUs = (0..<Self.steps).map { step in
            let z = Self.normalQuantile((Double(step) + 0.5) / Double(Self.steps))
            return UInt32(min((floorMs + exp(mean + deviation * z)) * 1000, Self.longestUs))
        }
        self.secret = secret
    }

    /// One-way latency between two different sites, in microseconds.
    func baseUs(_ a: Int, _ b: Int) -> UInt64 {
        let pair = UInt64(min(a, b)) << 32 | UInt64(max(a, b))
        return UInt64(quantilesUs[Int(Chance.mix(secret, pair) >> 52)])
    }

    /// The inverse of the normal distribution function, by bisection: it runs once a step, at the start.
    private static func normalQuantile(_ p: Double) -> Double {
        var (low, high) = (-9.0, 9.0)
        for _ in 0..<60 {
            let middle = (low + high) / 2
            if 0.5 * erfc(-middle / 2.0.squareRoot()) < p { low = middle } else { high = middle }
        }
        return (low + high) / 2
    }
}
