// RO:WHAT  Lookup: who is asked, in what order, and when the walk is over.
import Testing

@testable import DhtLoop

@Suite("Lookup")
struct LookupTests {
    let endpoint = EndpointID(rawValue: 1)

    func contact(_ number: UInt64) -> Contact {
        Contact(id: NodeID(0, 0, 0, number), endpoint: endpoint)
    }

    /// A walk towards zero, so that a contact's number is its distance.
    func lookup(
        k: Int, alpha: Int, _ numbers: [UInt64], _ adjust: (inout Lookup.Plan) -> Void = { _ in }
    ) -> Lookup {
        var plan = Lookup.Plan(width: k, k: k, alpha: alpha)
        adjust(&plan)
        var lookup = Lookup()
        lookup.start(target: .zero, ownID: NodeID(9, 9, 9, 9), plan: plan)
        for number in numbers { lookup.add(contact(number)) }
        return lookup
    }

    func number(_ peer: Lookup.Peer?) -> UInt64? { peer?.contact.id.word(fromBit: 192) }

    /// Asks until nobody is left to ask.
    func askAll(_ walk: inout Lookup) -> [UInt64] {
        var asked: [UInt64] = []
        while let next = number(walk.next()) { asked.append(next) }
        return asked
    }

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

    @Test("a peer that had failed may be asked after all, and only such a one")
    func revival() {
        var walk = lookup(k: 2, alpha: 2, [1, 2, 3])
        _ = askAll(&walk)
        walk.failed(contact(1).id)
        _ = walk.answered(contact(2).id)
        for number: UInt64 in [1, 2, 3, 7] { walk.revive(contact(number).id) }
        #expect(walk.peers.map(\.progress) == [.fresh, .answered, .fresh])
        let asked = askAll(&walk)
        #expect(asked == [1] && walk.inFlight == 1)
    }

    @Test("of those that are as close, to the bit, the one that answers soonest is asked first")
    func soonest() {
        var walk = lookup(k: 8, alpha: 6, [4])
        walk.add(contact(8))
        walk.add(contact(9), rttUs: 50)
        walk.add(contact(10), rttUs: 20)
        walk.add(contact(11), rttUs: 20)
        walk.add(contact(16), rttUs: 1)
        let asked = askAll(&walk)
        #expect(asked == [4, 10, 11, 9, 8, 16])
    }

    @Test("whatever happens, peers stay sorted and bounded and slots balance", arguments: 1...20)
    func invariants(seed: Int) {
        var generator = SeededGenerator(seed: UInt64(seed))
        var plan = Lookup.Plan(
            width: .random(in: 1...8, using: &generator), k: 8, alpha: .random(in: 1...6, using: &generator))
        plan.paths = .random(in: 1...8, using: &generator)
        plan.beta = .random(in: 0...2, using: &generator)
        plan.waitsForOverdue = Bool.random(using: &generator)
        var walk = Lookup()
        walk.start(target: .random(using: &generator), ownID: .zero, plan: plan)
        var known: [NodeID] = []
        for _ in 0..<500 {
            Self.disturb(&walk, &known, endpoint, &generator)
            let paths = Dictionary(grouping: walk.peers, by: \.path).values
            let most = max(1, plan.alpha / plan.paths) + plan.beta
            let isBounded = paths.allSatisfy { peers in
                let inFlight = peers.count { $0.progress == .asked || $0.progress == .overdue }
                return peers.count <= 24 / plan.paths + 8 && inFlight <= most
            }
            #expect(walk.brokenInvariant == nil, "seed \(seed)")
            #expect(isBounded && paths.count <= plan.paths, "seed \(seed)")
            #expect(walk.hedges <= plan.beta * plan.paths, "seed \(seed)")
        }
    }

    /// Does one random thing to a walk.
    private static func disturb(
        _ walk: inout Lookup, _ known: inout [NodeID], _ endpoint: EndpointID,
        _ generator: inout SeededGenerator
    ) {
        let one = known.randomElement(using: &generator) ?? .zero
        switch Int.random(in: 0..<9, using: &generator) {
        case 0:
            known.append(.random(using: &generator))
            walk.add(
                Contact(id: known.last!, endpoint: endpoint), rttUs: .random(in: 1...9, using: &generator))
        case 1:
            known.append(.random(using: &generator))
            walk.add(Contact(id: known.last!, endpoint: endpoint), from: one)
        case 2, 3: _ = walk.next()
        case 4: _ = walk.answered(one)
        case 5: walk.overdue(one)
        case 6: walk.silent(one)
        case 7: walk.revive(one)
        default: walk.failed(one)
        }
    }

    @Test("it ends once nobody is waited for, knowing the closest there are", arguments: 1...20)
    func wholeWalk(seed: Int) {
        var generator = SeededGenerator(seed: UInt64(seed))
        var plan = Lookup.Plan(width: 8, k: 8, alpha: .random(in: 1...4, using: &generator))
        plan.paths = .random(in: 1...8, using: &generator)
        plan.beta = .random(in: 0...2, using: &generator)
        plan.waitsForOverdue = Bool.random(using: &generator)
        let target = NodeID.random(using: &generator)
        let everyone = (0..<300).map { _ in NodeID.random(using: &generator) }
            .sorted { $0.distance(to: target) < $1.distance(to: target) }
        // Who does not answer, and in which way it ends.
        var mute: [NodeID: Bool] = [:]
        for id in everyone.dropFirst(8) where Int.random(in: 0..<4, using: &generator) == 0 {
            mute[id] = Bool.random(using: &generator)
        }
        var walk = Lookup()
        walk.start(target: target, ownID: .zero, plan: plan)
        for id in everyone.shuffled(using: &generator).prefix(24) {
            walk.add(Contact(id: id, endpoint: endpoint))
        }
        var (inFlight, askedOn): ([NodeID], [NodeID: UInt8]) = ([], [:])
        for _ in 0..<5_000 where !walk.isFinished {
            while let peer = walk.next() {
                #expect(askedOn.updateValue(peer.path, forKey: peer.contact.id) == nil, "seed \(seed)")
                inFlight.append(peer.contact.id)
            }
            guard let place = inFlight.indices.randomElement(using: &generator) else { break }
            let id = inFlight[place]
            if Int.random(in: 0..<3, using: &generator) == 0 {
                walk.overdue(id)
                continue
            }
            inFlight.remove(at: place)
            if let isSilent = mute[id] {
                if isSilent { walk.silent(id) } else { walk.failed(id) }
                continue
            }
            _ = walk.answered(id)
            // It knows a half of all, and its neighbours.
            let named = everyone.filter { $0.bit(5) == id.bit(6) || $0.bit(7) == id.bit(7) }.prefix(8)
            for other in named { walk.add(Contact(id: other, endpoint: endpoint), from: id) }
        }
        #expect(walk.isFinished && walk.brokenInvariant == nil, "seed \(seed)")
        if plan.waitsForOverdue { #expect(inFlight.isEmpty || walk.answers >= plan.width, "seed \(seed)") }
        let nearest = walk.peers.filter { $0.progress != .failed && $0.progress != .silent }
            .prefix(3).map(\.contact.id)
        #expect(nearest == Array(everyone.prefix(3)), "seed \(seed)")
    }
}
