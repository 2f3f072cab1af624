// RO:WHAT  Lifetimes: how long contacts live, learned from those that did and those that did not.
// RO:WHY   How soon a silent contact should be looked at depends on the network: where half of all nodes are
//          gone after a minute and a half, an hour's trust fills the table with the dead.
// RO:TEST  Tests/DhtLoopTests/Kademlia/LifetimesTests.swift

/// The rate at which contacts die, as the maximum-likelihood estimate for exponential lives: deaths over the
/// time for which contacts were known to live. Both fade as they grow, so that the recent past counts.
struct Lifetimes {
    private static let mostDeaths = 64.0
    private static let mostSeconds = 64.0 * 3600

    /// Before anything is known: one death in an hour of one contact.
    private var deaths = 1.0
    private var aliveSeconds = 3600.0

    /// A contact showed that it lives, `silenceUs` after it did so last.
    @inline(__always)
    mutating func survived(silenceUs: UInt64) { aliveSeconds += Double(silenceUs) * 1e-6 }

    /// A contact was given up, `silenceUs` after it last showed that it lives. It died somewhere in between.
    mutating func died(silenceUs: UInt64) {
        deaths += 1
        aliveSeconds += Double(silenceUs) / 2_000_000
        let excess = max(deaths / Self.mostDeaths, aliveSeconds / Self.mostSeconds)
        guard excess > 1 else { return }
        deaths /= excess
        aliveSeconds /= excess
        assert(deaths <= Self.mostDeaths + 0.001 && aliveSeconds > 0, "lives do not fade")
    }

    /// Mean life of a contact, in microseconds.
    var meanUs: UInt64 { UInt64(aliveSeconds / deaths * 1_000_000) }

    /// Silence after which a contact is dead with a probability of about `share` (0..<1), within bounds.
    func silenceUs(deadShare share: Double, within bounds: ClosedRange<UInt64>) -> UInt64 {
        let silenceUs = UInt64(Double(meanUs) * share)
        return min(max(silenceUs, bounds.lowerBound), bounds.upperBound)
    }
}
