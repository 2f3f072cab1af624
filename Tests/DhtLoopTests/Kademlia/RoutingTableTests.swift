// RO:WHAT  RoutingTable: the closest-K walk against a sort, full buckets, failures.
import Testing

@testable import DhtLoop

@Suite("RoutingTable")
struct RoutingTableTests {
    private let somewhere = EndpointID(rawValue: 1)

    private func contact(_ id: NodeID) -> Contact { Contact(id: id, endpoint: somewhere) }

    private func closest(_ table: RoutingTable, _ target: NodeID, _ wanted: Int) -> [NodeID] {
        var list = ContactList(capacity: 64)
        table.closest(to: target, wanted, into: &list)
        return (0..<list.count).map { list[$0].id }
    }

    @Test("closest-K is what sorting the whole table gives", arguments: 1...20)
    func closestAgainstSort(seed: Int) {
        var generator = SeededGenerator(seed: UInt64(seed))
        let own = NodeID.random(using: &generator)
        var table = RoutingTable(ownID: own, k: 20)
        var members: [NodeID] = []
        for index in 0..<1_500 {
            let id =
                index.isMultiple(of: 3)
                ? NodeID.random(using: &generator)
                : own.random(sharingPrefix: .random(in: 0..<200, using: &generator), using: &generator)
            if table.insert(contact(id), nowUs: 1) == .added { members.append(id) }
        }
        #expect(table.count == members.count)
        for round in 0..<200 {
            let target =
                switch round % 4 {
                case 0: own
                case 1: members.randomElement(using: &generator)!
                case 2: own.random(sharingPrefix: .random(in: 0..<40, using: &generator), using: &generator)
                default: NodeID.random(using: &generator)
                }
            let sorted = members.sorted { $0.distance(to: target) < $1.distance(to: target) }
            #expect(closest(table, target, 20) == Array(sorted.prefix(20)), "seed \(seed) round \(round)")
        }
    }

    @Test("a full bucket keeps its old contacts, pings the oldest once and holds newcomers as spares")
    func fullBucket() {
        var generator = SeededGenerator(seed: 3)
        var table = RoutingTable(ownID: .zero, k: 3)
        let ids = (0..<5).map { _ in NodeID.zero.random(sharingPrefix: 0, using: &generator) }
        for (index, id) in ids.prefix(3).enumerated() {
            #expect(table.insert(contact(id), nowUs: UInt64(10 + index)) == .added)
        }
        #expect(table.insert(contact(ids[0]), nowUs: 20) == .updated(silenceUs: 10))
        #expect(table.insert(contact(ids[3]), nowUs: 21) == .spare(probe: contact(ids[1])))
        #expect(table.insert(contact(ids[4]), nowUs: 22) == .spare(probe: nil))
        #expect(table.fail(ids[1], nowUs: 23) == .kept(isDoubted: false))
        #expect(table.fail(ids[1], nowUs: 23) == .replaced(by: contact(ids[4]), silenceUs: 12))
        #expect(table.state(of: ids[1]) == nil && table.count == 2, "the spare has its place once it answers")
    }

    @Test(
        "a contact with nobody behind it stays until its third failure, and is not told to others after two")
    func failures() {
        let id = NodeID(1, 0, 0, 0)
        var table = RoutingTable(ownID: .zero, k: 3)
        #expect(table.insert(contact(id), nowUs: 1) == .added)
        #expect(table.fail(id, nowUs: 2) == .kept(isDoubted: false))
        #expect(closest(table, id, 3) == [id])
        #expect(table.fail(id, nowUs: 2) == .kept(isDoubted: true))
        #expect(closest(table, id, 3).isEmpty)
        #expect(table.insert(contact(id), nowUs: 3) == .updated(silenceUs: 2))
        #expect(closest(table, id, 3) == [id])
        #expect(table.fail(id, weight: 3, nowUs: 4) == .evicted(silenceUs: 1))
        #expect(table.count == 0 && closest(table, id, 3).isEmpty)
    }

    @Test("the own id and clients never enter")
    func refusals() {
        var table = RoutingTable(ownID: NodeID(1, 2, 3, 4), k: 3)
        #expect(table.insert(contact(NodeID(1, 2, 3, 4)), nowUs: 1) == .refused)
        #expect(table.insert(Contact(id: .zero, endpoint: .none), nowUs: 1) == .refused)
    }
}
