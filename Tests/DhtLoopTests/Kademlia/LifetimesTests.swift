// RO:WHAT  Lifetimes: what it learns of lives whose mean is known, and forgets.
import Glibc
import Testing

@testable import DhtLoop

@Suite("Lifetimes")
struct LifetimesTests {
    private static let second: UInt64 = 1_000_000

    /// Contacts with exponential lives, each looked at every `everySeconds` until it is found dead.
    private func observe(
        _ lifetimes: inout Lifetimes, lives: Int, meanSeconds: Double, everySeconds: Double,
        _ generator: inout SeededGenerator
    ) {
        for _ in 0..<lives {
            let life = -log(Double.random(in: 0.000_001..<1, using: &generator)) * meanSeconds
            for _ in 0..<Int(life / everySeconds) {
                lifetimes.survived(silenceUs: UInt64(everySeconds * 1_000_000))
            }
            lifetimes.died(silenceUs: UInt64(everySeconds * 1_000_000))
        }
    }

    @Test("before anything is known a contact lives for an hour")
    func beginning() {
        #expect(Lifetimes().meanUs == 3600 * Self.second)
    }

    @Test("it learns the mean life, however often contacts are looked at", arguments: 1...12)
    func mean(seed: Int) {
        var generator = SeededGenerator(seed: UInt64(seed))
        let meanSeconds = [120.0, 900, 7_200].randomElement(using: &generator)!
        let everySeconds = meanSeconds / .random(in: 2...20, using: &generator)
        var lifetimes = Lifetimes()
        observe(&lifetimes, lives: 600, meanSeconds: meanSeconds, everySeconds: everySeconds, &generator)
        let found = Double(lifetimes.meanUs) / 1_000_000
        #expect((0.6...1.7).contains(found / meanSeconds), "seed \(seed): \(found) for \(meanSeconds)")
    }

    @Test("what it learned long ago fades: twice as many deaths as it remembers turn it round")
    func fading() {
        var generator = SeededGenerator(seed: 5)
        var lifetimes = Lifetimes()
        observe(&lifetimes, lives: 500, meanSeconds: 3600, everySeconds: 600, &generator)
        observe(&lifetimes, lives: 250, meanSeconds: 100, everySeconds: 20, &generator)
        #expect(lifetimes.meanUs < 300 * Self.second)
    }

    @Test("years without a death do not outweigh the deaths that follow")
    func longQuiet() {
        var lifetimes = Lifetimes()
        for _ in 0..<100_000 { lifetimes.survived(silenceUs: 3600 * Self.second) }
        #expect(lifetimes.meanUs > 300_000_000 * Self.second)
        for _ in 0..<256 { lifetimes.died(silenceUs: 60 * Self.second) }
        #expect(lifetimes.meanUs < 3 * 3600 * Self.second)
    }

    @Test("the silence to look after is the asked share of the mean, within its bounds")
    func silence() {
        let lifetimes = Lifetimes()
        let tenth = lifetimes.silenceUs(deadShare: 0.1, within: 0...UInt64.max)
        #expect(tenth / 1_000 == 360_000)
        let low = lifetimes.silenceUs(deadShare: 0.1, within: 500 * Self.second...600 * Self.second)
        let high = lifetimes.silenceUs(deadShare: 0.1, within: 1...100 * Self.second)
        #expect(low == 500 * Self.second && high == 100 * Self.second)
    }
}
