// RO:WHAT  Entropy of a distribution that is given as counts.
// RO:WHY   One number says how evenly contacts are spread over networks; it falls when one of them takes over.
// RO:METRICS  dht_routing_network_entropy
// RO:TEST  Tests/DhtLoopTests/Telemetry/EntropyTests.swift

import Glibc

enum Entropy {
    /// Shannon's entropy in bits: 0 when all is of one kind or nothing is there, log2(n) for n kinds in equal parts.
    static func bits(ofCounts counts: [Int]) -> Double {
        let total = Double(counts.reduce(0, +))
        return counts.reduce(0) { sum, count in
            guard count > 0 else { return sum }
            let share = Double(count) / total
            return sum - share * log2(share)
        }
    }
}
