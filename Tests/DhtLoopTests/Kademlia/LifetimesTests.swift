// RO:WHAT  Lifetimes: what it learns of lives whose mean is known, and forgets; Graveyard: who is remembered.
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

@Suite("Graveyard")
struct GraveyardTests {
    private static let hourUs: UInt64 = 3600 * 1_000_000

    private func contact(_ number: UInt64) -> Contact {
        Contact(id: NodeID(number, 0, 0, 0), endpoint: EndpointID(rawValue: UInt32(number)))
    }

    /// Everyone it remembers.
    private func drawAll(_ graveyard: inout Graveyard, nowUs: UInt64) -> Set<NodeID> {
        var found: Set<NodeID> = []
        for random in UInt64(0)..<200 {
            if let contact = graveyard.draw(random, nowUs: nowUs) { found.insert(contact.id) }
        }
        return found
    }

    @Test("each who was buried is drawn some time, and nobody from an empty one")
    func draw() {
        var graveyard = Graveyard()
        let nobody = graveyard.draw(7, nowUs: 0)
        #expect(nobody == nil && graveyard.isEmpty)
        for number in UInt64(1)...5 { graveyard.bury(contact(number), nowUs: number) }
        let found = drawAll(&graveyard, nowUs: 10)
        #expect(found == Set((UInt64(1)...5).map { contact($0).id }))
    }

    @Test("nobody lies in two graves, and the later one names the endpoint and the time")
    func twice() {
        var graveyard = Graveyard()
        graveyard.bury(contact(1), nowUs: 0)
        var moved = contact(1)
        moved.endpoint = EndpointID(rawValue: 77)
        graveyard.bury(moved, nowUs: Self.hourUs)
        let drawn = graveyard.draw(0, nowUs: Self.hourUs + 5)
        #expect(drawn == moved)
        let (first, second) = (graveyard.remove(moved.id), graveyard.remove(moved.id))
        #expect(first && !second && graveyard.isEmpty)
    }

    @Test("the oldest gives way, so that it stays bounded")
    func bound() {
        var graveyard = Graveyard()
        for number in UInt64(1)...100 { graveyard.bury(contact(number), nowUs: number) }
        let found = drawAll(&graveyard, nowUs: 100)
        #expect(found == Set((UInt64(69)...100).map { contact($0).id }))
        var used: Set<EndpointID> = []
        graveyard.addEndpoints(to: &used)
        #expect(used.count == 32)
    }

    @Test("after an hour nobody comes back, and their endpoints are given free")
    func forgetting() {
        var graveyard = Graveyard()
        graveyard.bury(contact(1), nowUs: 0)
        graveyard.bury(contact(2), nowUs: 1_000)
        let remembered = drawAll(&graveyard, nowUs: Self.hourUs)
        #expect(remembered.count == 2)
        let younger = drawAll(&graveyard, nowUs: Self.hourUs + 1_000)
        #expect(younger == [contact(2).id])
        let nobody = graveyard.draw(3, nowUs: 2 * Self.hourUs)
        #expect(nobody == nil && graveyard.isEmpty)
    }
}
