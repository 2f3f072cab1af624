// RO:WHAT  EvictedContacts: which of those given up are remembered, and for how long.
import Testing

@testable import DhtLoop

@Suite("EvictedContacts")
struct EvictedContactsTests {
    private static let hourUs: UInt64 = 3600 * 1_000_000

    private func contact(_ number: UInt64) -> Contact {
        Contact(id: NodeID(number, 0, 0, 0), endpoint: EndpointID(rawValue: UInt32(number)))
    }

    /// Everyone it remembers.
    private func drawAll(_ evicted: inout EvictedContacts, nowUs: UInt64) -> Set<NodeID> {
        var found: Set<NodeID> = []
        for random in UInt64(0)..<200 {
            if let contact = evicted.draw(random, nowUs: nowUs) { found.insert(contact.id) }
        }
        return found
    }

    @Test("each who was buried is drawn some time, and nobody from an empty one")
    func draw() {
        var evicted = EvictedContacts()
        let nobody = evicted.draw(7, nowUs: 0)
        #expect(nobody == nil && evicted.isEmpty)
        for number in UInt64(1)...5 { evicted.note(contact(number), nowUs: number) }
        let found = drawAll(&evicted, nowUs: 10)
        #expect(found == Set((UInt64(1)...5).map { contact($0).id }))
    }

    @Test("nobody lies in two graves, and the later one names the endpoint and the time")
    func twice() {
        var evicted = EvictedContacts()
        evicted.note(contact(1), nowUs: 0)
        var moved = contact(1)
        moved.endpoint = EndpointID(rawValue: 77)
        evicted.note(moved, nowUs: Self.hourUs)
        let drawn = evicted.draw(0, nowUs: Self.hourUs + 5)
        #expect(drawn == moved)
        let (first, second) = (evicted.remove(moved.id), evicted.remove(moved.id))
        #expect(first && !second && evicted.isEmpty)
    }

    @Test("the oldest gives way, so that it stays bounded")
    func bound() {
        var evicted = EvictedContacts()
        for number in UInt64(1)...100 { evicted.note(contact(number), nowUs: number) }
        let found = drawAll(&evicted, nowUs: 100)
        #expect(found == Set((UInt64(69)...100).map { contact($0).id }))
        var used: Set<EndpointID> = []
        evicted.addEndpoints(to: &used)
        #expect(used.count == 32)
    }

    @Test("after an hour nobody comes back, and their endpoints are given free")
    func forgetting() {
        var evicted = EvictedContacts()
        evicted.note(contact(1), nowUs: 0)
        evicted.note(contact(2), nowUs: 1_000)
        let remembered = drawAll(&evicted, nowUs: Self.hourUs)
        #expect(remembered.count == 2)
        let younger = drawAll(&evicted, nowUs: Self.hourUs + 1_000)
        #expect(younger == [contact(2).id])
        let nobody = evicted.draw(3, nowUs: 2 * Self.hourUs)
        #expect(nobody == nil && evicted.isEmpty)
    }
}
