// RO:WHAT  RoutingTable: the closest-K walk against a sort, full buckets, failures, spares, what to tend.
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
        #expect(table.insert(contact(id), nowUs: 5) == .added)
        #expect(table.fail(id, nowUs: 6) == .kept(isDoubted: false))
        #expect(table.fail(id, weight: .max, nowUs: 6) == .evicted(silenceUs: 1))
    }

    @Test("the own id and clients never enter")
    func refusals() {
        var table = RoutingTable(ownID: NodeID(1, 2, 3, 4), k: 3)
        #expect(table.insert(contact(NodeID(1, 2, 3, 4)), nowUs: 1) == .refused)
        #expect(table.insert(Contact(id: .zero, endpoint: .none), nowUs: 1) == .refused)
    }

    @Test("of contacts seen since a time, the closest are told, and those silent longer are not")
    func seenSince() {
        var table = RoutingTable(ownID: .zero, k: 4)
        let ids = (UInt64(1)...4).map { NodeID($0 << 60, 0, 0, 0) }
        for (index, id) in ids.enumerated() {
            _ = table.insert(contact(id), nowUs: UInt64(index + 1) * 100)
        }
        var list = ContactList()
        table.closest(to: ids[0], 4, seenSinceUs: 300, into: &list)
        let told = (0..<list.count).map { list[$0].id }
        #expect(told == [ids[2], ids[3]])
        table.closest(to: ids[0], 1, seenSinceUs: 300, into: &list)
        let nearest = list.count
        #expect(nearest == 1)
    }

    @Test("whatever is inserted, heard of, lost and probed, the table stays whole", arguments: 1...20)
    func invariants(seed: Int) {
        var generator = SeededGenerator(seed: UInt64(seed))
        let own = NodeID.random(using: &generator)
        let k = Int.random(in: 1...8, using: &generator)
        var table = RoutingTable(ownID: own, k: k)
        let ids =
            (0..<80).map { _ in
                own.random(sharingPrefix: .random(in: 0...6, using: &generator), using: &generator)
            }
            + [own]
        var nowUs: UInt64 = 0
        for _ in 0..<1_500 {
            nowUs += .random(in: 0...5, using: &generator)
            let one = contact(ids.randomElement(using: &generator)!)
            let (hadRoom, known) = (table.hasRoom(for: one.id), table.state(of: one.id) != nil)
            switch Int.random(in: 0..<8, using: &generator) {
            case 0, 1:
                let outcome = table.insert(one, nowUs: nowUs, staleUs: 20)
                #expect((outcome == .added) == (hadRoom && !known), "seed \(seed)")
            case 2, 3: _ = table.hear(one, nowUs: nowUs, staleUs: 20)
            case 4, 5: _ = table.fail(one.id, weight: .random(in: 1...3, using: &generator), nowUs: nowUs)
            case 6: table.endProbe(of: one.id)
            default: _ = table.takeSpareForRoom()
            }
            #expect(table.brokenInvariant(nowUs: nowUs) == nil, "seed \(seed)")
            let isClean = table.buckets.prefix(8).allSatisfy { bucket in
                let spares = Set(bucket.spares.map(\.id))
                return spares.count == bucket.spares.count && spares.isDisjoint(with: bucket.ids)
            }
            #expect(isClean, "a spare is one once, and no contact; seed \(seed)")
        }
    }
}

extension RoutingTableTests {
    @Suite("Spares, and what to tend")
    struct TendedTests {
        private let somewhere = EndpointID(rawValue: 1)

        private func contact(_ id: NodeID) -> Contact { Contact(id: id, endpoint: somewhere) }

        /// `count` contacts of one bucket of the zero id.
        private func contacts(_ count: Int, bucket: Int, seed: UInt64 = 1) -> [Contact] {
            var generator = SeededGenerator(seed: seed)
            return (0..<count).map { _ in
                contact(NodeID.zero.random(sharingPrefix: bucket, using: &generator))
            }
        }

        private func spares(_ table: RoutingTable, _ bucket: Int) -> [Contact] {
            table.buckets[bucket].spares
        }

        @Test("spares that answered go before those that were only heard of, the latest to answer first")
        func order() {
            var table = RoutingTable(ownID: .zero, k: 4)
            let all = contacts(9, bucket: 0)
            for live in all[..<4] { _ = table.insert(live, nowUs: 1) }
            for heard in [all[4], all[5], all[4]] { _ = table.hear(heard, nowUs: 1, staleUs: 100) }
            for answered in [all[6], all[7]] { _ = table.insert(answered, nowUs: 1, staleUs: 100) }
            #expect(spares(table, 0) == [all[5], all[4], all[6], all[7]])
            _ = table.hear(all[8], nowUs: 1, staleUs: 100)
            #expect(spares(table, 0).count == 4 && !table.mayHear(of: all[8].id), "it displaces nobody")
            _ = table.insert(all[8], nowUs: 1, staleUs: 100)
            #expect(spares(table, 0) == [all[4], all[6], all[7], all[8]], "an answer does")
            let evictions = (0..<3).map { table.fail(all[$0].id, weight: 2, nowUs: 5) }
            #expect(
                evictions
                    == [all[8], all[7], all[6]].map {
                        RoutingTable.Eviction.replaced(by: $0, silenceUs: 4)
                    })
        }

        @Test("a contact is no spare, nor is the own id, nor one without an endpoint")
        func noSpares() {
            var table = RoutingTable(ownID: .zero, k: 4)
            let all = contacts(2, bucket: 0)
            _ = table.hear(all[0], nowUs: 1, staleUs: 0)
            #expect(spares(table, 0) == [all[0]])
            _ = table.insert(all[0], nowUs: 2)
            _ = table.hear(all[0], nowUs: 3, staleUs: 0)
            _ = table.hear(contact(.zero), nowUs: 3, staleUs: 0)
            _ = table.hear(Contact(id: all[1].id, endpoint: .none), nowUs: 3, staleUs: 0)
            #expect(spares(table, 0).isEmpty && table.count == 1)
        }

        @Test("who is heard of makes a long silent contact of a full bucket be pinged, once")
        func probe() {
            var table = RoutingTable(ownID: .zero, k: 2)
            let all = contacts(4, bucket: 3)
            let withRoom = table.hear(all[2], nowUs: 1_000, staleUs: 100)
            _ = table.insert(all[0], nowUs: 10)
            _ = table.insert(all[1], nowUs: 20)
            let early = table.hear(all[2], nowUs: 109, staleUs: 100)
            let due = table.hear(all[2], nowUs: 110, staleUs: 100)
            let again = table.hear(all[3], nowUs: 120, staleUs: 100)
            #expect(withRoom == nil && early == nil && due == all[0] && again == nil)
            table.endProbe(of: all[0].id)
            let next = table.hear(all[3], nowUs: 120, staleUs: 100)
            #expect(next == all[0])
        }

        @Test("there is room for a newcomer of a bucket that is not full, and for nobody who is there")
        func room() {
            var table = RoutingTable(ownID: .zero, k: 2)
            let all = contacts(3, bucket: 1)
            #expect(table.hasRoom(for: all[0].id) && !table.hasRoom(for: .zero) && !table.mayHear(of: .zero))
            _ = table.insert(all[0], nowUs: 1)
            #expect(!table.hasRoom(for: all[0].id) && table.hasRoom(for: all[1].id))
            _ = table.insert(all[1], nowUs: 1)
            #expect(!table.hasRoom(for: all[2].id) && table.mayHear(of: all[2].id))
        }

        @Test("a place is filled where the neighbours are, first")
        func spareForRoom() {
            var table = RoutingTable(ownID: .zero, k: 2)
            let (far, near, full) = (
                contacts(1, bucket: 0), contacts(2, bucket: 7), contacts(3, bucket: 9)
            )
            for live in full[..<2] { _ = table.insert(live, nowUs: 1) }
            for heard in far + near + [full[2]] { _ = table.hear(heard, nowUs: 1, staleUs: 10) }
            let taken = (0..<4).map { _ in table.takeSpareForRoom() }
            #expect(taken == [near[0], near[1], far[0], nil])
            #expect(spares(table, 9) == [full[2]], "a full bucket keeps its own")
        }

        @Test("the stalest is the one seen longest ago, of all or of the nearest")
        func stalest() {
            var table = RoutingTable(ownID: .zero, k: 4)
            let (far, near) = (contacts(3, bucket: 0), contacts(3, bucket: 5))
            for (index, one) in far.enumerated() { _ = table.insert(one, nowUs: 10 + UInt64(index)) }
            for (index, one) in near.enumerated() { _ = table.insert(one, nowUs: 50 - UInt64(index)) }
            #expect(table.stalest(nowUs: 100, staleUs: 20) == far[0])
            #expect(table.stalest(ofNearest: 3, nowUs: 100, staleUs: 20) == near[2])
            #expect(table.stalest(ofNearest: 4, nowUs: 100, staleUs: 20) == far[0])
            #expect(table.stalest(ofNearest: 3, nowUs: 100, staleUs: 52) == nil, "not yet")
            #expect(table.stalest(nowUs: 100, staleUs: 1_000) == nil)
            #expect(RoutingTable(ownID: .zero, k: 4).stalest(nowUs: 100, staleUs: 0) == nil)
        }

        @Test(
            "the first bucket to refresh is the farthest not looked into, no deeper than there are contacts")
        func unvisited() {
            var table = RoutingTable(ownID: .zero, k: 4)
            #expect(table.unvisitedBucket(sinceUs: 100) == nil)
            _ = table.insert(contacts(1, bucket: 2)[0], nowUs: 1)
            #expect(table.unvisitedBucket(sinceUs: 100) == 0)
            for bucket in [0, 2] { table.noteLookup(contacts(1, bucket: bucket)[0].id, nowUs: 100) }
            #expect(table.unvisitedBucket(sinceUs: 100) == 1, "empty, but somebody may be there by now")
            table.noteLookup(contacts(1, bucket: 1)[0].id, nowUs: 120)
            #expect(table.unvisitedBucket(sinceUs: 100) == nil && table.unvisitedBucket(sinceUs: 101) == 0)
        }

        @Test("sessions are kept to those of each bucket that answer soonest, the farthest buckets' first")
        func soonest() {
            var table = RoutingTable(ownID: .zero, k: 8)
            var row: UInt32 = 1
            for bucket in [6, 0] {
                for contact in contacts(4, bucket: bucket) {
                    let placed = Contact(id: contact.id, endpoint: EndpointID(rawValue: row))
                    _ = table.insert(placed, nowUs: 1)
                    table.update(contact.id) { $0.rtt.observe(1_000 * UInt64(10 - row)) }
                    row += 1
                }
            }
            let (unmeasured, failing) = (contacts(6, bucket: 0, seed: 2)[5], contacts(4, bucket: 0)[3])
            _ = table.insert(unmeasured, nowUs: 1)
            _ = table.fail(failing.id, nowUs: 2)
            #expect(table.soonest(perBucket: 2).map(\.rawValue) == [7, 6, 4, 3])
            #expect(table.soonest(perBucket: 0).isEmpty)
        }
    }
}
