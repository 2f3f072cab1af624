// RO:WHAT  Lookup: who is asked, in what order, and when the walk is over.
import Testing

@testable import DhtLoop

@Suite("Lookup")
struct LookupTests {
    private let endpoint = EndpointID(rawValue: 1)

    private func contact(_ number: UInt64) -> Contact {
        Contact(id: NodeID(0, 0, 0, number), endpoint: endpoint)
    }

    private func lookup(k: Int, alpha: Int, _ numbers: [UInt64]) -> Lookup {
        var lookup = Lookup()
        lookup.start(target: .zero, ownID: NodeID(9, 9, 9, 9), plan: Lookup.Plan(width: k, k: k, alpha: alpha))
        for number in numbers { lookup.add(contact(number)) }
        return lookup
    }

    private func number(_ peer: Lookup.Peer?) -> UInt64? { peer?.contact.id.word(fromBit: 192) }

    @Test("the closest are asked first, alpha at a time")
    func order() {
        var walk = lookup(k: 3, alpha: 2, [5, 1, 9, 3])
        let asked = [number(walk.next()), number(walk.next()), number(walk.next())]
        #expect(asked == [1, 3, nil])
        let hop3 = walk.answered(contact(3).id)
        #expect(hop3 == 1)
        let following = number(walk.next())
        #expect(following == 5)
        #expect(!walk.isFinished)
    }

    @Test("it ends when the K closest known have answered, and not before a nearer one has had its turn")
    func ending() {
        var walk = lookup(k: 2, alpha: 2, [4, 6, 8])
        while walk.next() != nil {}
        let hop4 = walk.answered(contact(4).id)
        #expect(hop4 == 1)
        walk.add(contact(2), from: contact(4).id)
        let hop6 = walk.answered(contact(6).id)
        #expect(hop6 == 1)
        #expect(!walk.isFinished)
        let nearer = number(walk.next())
        #expect(nearer == 2)
        let hop2 = walk.answered(contact(2).id)
        #expect(hop2 == 2)
        #expect(walk.isFinished && walk.hops == 2 && walk.answers == 3)
    }

    @Test("a silent peer frees its slot, holds nobody up and is still heard when late")
    func silence() {
        var walk = lookup(k: 2, alpha: 1, [1, 2])
        let first = number(walk.next())
        #expect(first == 1)
        walk.silent(contact(1).id)
        let second = number(walk.next())
        #expect(second == 2)
        let hop2 = walk.answered(contact(2).id)
        #expect(hop2 == 1)
        #expect(walk.isFinished)
        let hop1 = walk.answered(contact(1).id)
        #expect(hop1 == 1)
        #expect(walk.answers == 2 && walk.inFlight == 0)
    }

    @Test("the own id, the zero id, clients and duplicates are not taken in")
    func refusals() {
        var walk = lookup(k: 2, alpha: 1, [1, 1])
        walk.add(Contact(id: NodeID(9, 9, 9, 9), endpoint: endpoint))
        walk.add(Contact(id: .zero, endpoint: endpoint))
        walk.add(Contact(id: NodeID(0, 0, 0, 2), endpoint: .none))
        #expect(walk.peers.count == 1)
    }

    @Test("whatever happens, peers stay sorted and bounded and slots balance", arguments: 1...20)
    func invariants(seed: Int) {
        var generator = SeededGenerator(seed: UInt64(seed))
        var walk = Lookup()
        walk.start(target: .random(using: &generator), ownID: .zero, plan: Lookup.Plan(width: 8, k: 8, alpha: 3))
        var known: [NodeID] = []
        for _ in 0..<500 {
            switch Int.random(in: 0..<5, using: &generator) {
            case 0, 1:
                known.append(.random(using: &generator))
                walk.add(Contact(id: known.last!, endpoint: endpoint))
            case 2: _ = walk.next()
            case 3: _ = known.randomElement(using: &generator).flatMap { walk.answered($0) }
            default:
                guard let id = known.randomElement(using: &generator) else { continue }
                if Bool.random(using: &generator) { walk.silent(id) } else { walk.failed(id) }
            }
            let distances = walk.peers.map(\.distance)
            let sorted = zip(distances, distances.dropFirst()).allSatisfy { $0 < $1 }
            let asked = walk.peers.count { $0.progress == .asked }
            #expect(sorted && asked == walk.inFlight && asked <= 3 && walk.peers.count <= 32, "seed \(seed)")
        }
    }
}
