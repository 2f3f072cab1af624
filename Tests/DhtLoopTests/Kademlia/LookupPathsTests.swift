// RO:WHAT  Lookup on several paths, and with peers that are later than most answers come.
// RO:WHY   Disjoint paths are worth their messages only while they stay disjoint; hedges only while bounded.
import Testing

@testable import DhtLoop

extension LookupTests {
    @Suite("Disjoint paths")
    struct PathsTests {
        private let tests = LookupTests()

        @Test("contacts of the table are dealt to the paths in turn, and each path has a slot")
        func dealing() {
            var walk = tests.lookup(k: 8, alpha: 2, [1, 2, 3, 4, 5, 6, 7, 8]) { $0.paths = 4 }
            #expect(walk.peers.map(\.path) == [0, 1, 2, 3, 0, 1, 2, 3])
            let asked = tests.askAll(&walk)
            #expect(asked == [1, 2, 3, 4])
            #expect(walk.inFlight == 4 && walk.hedges == 0)
            _ = walk.answered(tests.contact(3).id)
            let following = tests.askAll(&walk)
            #expect(following == [7], "the slot that came free belongs to its path")
        }

        @Test("alpha is shared among the paths")
        func sharing() {
            var walk = tests.lookup(k: 8, alpha: 6, [1, 2, 3, 4, 5, 6, 7, 8]) { $0.paths = 2 }
            let asked = tests.askAll(&walk)
            #expect(asked == [1, 2, 3, 4, 5, 6])
        }

        @Test("no refused contact costs a path its turn")
        func refusedTurn() {
            let walk = tests.lookup(k: 8, alpha: 2, [1, 1, 2, 1, 2, 3]) { $0.paths = 3 }
            #expect(walk.peers.map(\.path) == [0, 1, 2])
        }

        @Test("what a liar names stays on its path, and takes no peer from another")
        func liar() {
            var walk = tests.lookup(k: 4, alpha: 2, [100, 101, 102, 103]) { $0.paths = 2 }
            _ = tests.askAll(&walk)
            _ = walk.answered(tests.contact(100).id)
            for number in UInt64(1)...10 { walk.add(tests.contact(number), from: tests.contact(100).id) }
            walk.add(tests.contact(103), from: tests.contact(100).id)
            _ = walk.answered(tests.contact(101).id)
            walk.add(tests.contact(11), from: tests.contact(101).id)
            walk.add(tests.contact(3), from: tests.contact(101).id)
            let paths = Dictionary(uniqueKeysWithValues: walk.peers.map { (tests.number($0)!, $0.path) })
            #expect((UInt64(1)...10).allSatisfy { paths[$0] == 0 } && walk.peers.count == 15)
            #expect(paths[11] == 1 && paths[103] == 1)
            let asked = Set(tests.askAll(&walk))
            #expect(asked == [1, 11], "the honest path goes on where it was led")
        }

        @Test("it ends when every path has ended, and a path without anyone left has")
        func ending() {
            var walk = tests.lookup(k: 2, alpha: 2, [1, 2, 3, 4]) { $0.paths = 2 }
            _ = tests.askAll(&walk)
            _ = walk.answered(tests.contact(1).id)
            #expect(!walk.isFinished, "the other path waits for its first answer")
            walk.failed(tests.contact(2).id)
            #expect(!walk.isFinished, "it has another to ask")
            let asked = tests.askAll(&walk)
            #expect(asked == [4], "one answer is enough for the first path")
            walk.failed(tests.contact(4).id)
            #expect(walk.isFinished && walk.inFlight == 0)
        }

        @Test("a peer of one path is no candidate of another, however quick it is")
        func soonestOfPath() {
            var walk = tests.lookup(k: 8, alpha: 2, []) { $0.paths = 2 }
            walk.add(tests.contact(8), rttUs: 90)
            walk.add(tests.contact(9), rttUs: 1)
            walk.add(tests.contact(10), rttUs: 50)
            walk.add(tests.contact(11), rttUs: 2)
            let asked = tests.askAll(&walk)
            #expect(asked == [10, 9])
        }
    }

    @Suite("Peers that are overdue")
    struct OverdueTests {
        private let tests = LookupTests()

        @Test("one lends its slot to another, up to beta, and these are counted as hedges")
        func hedging() {
            var walk = tests.lookup(k: 8, alpha: 2, [1, 2, 3, 4, 5, 6]) { $0.beta = 1 }
            _ = tests.askAll(&walk)
            #expect(walk.inFlight == 2 && walk.hedges == 0)
            walk.overdue(tests.contact(1).id)
            let first = tests.askAll(&walk)
            #expect(first == [3] && walk.inFlight == 3 && walk.hedges == 1)
            walk.overdue(tests.contact(2).id)
            let second = tests.askAll(&walk)
            #expect(second == [], "beta is used up")
            let hop1 = walk.answered(tests.contact(1).id)
            let third = tests.askAll(&walk)
            #expect(hop1 == 1 && third == [4] && walk.hedges == 1)
            walk.silent(tests.contact(2).id)
            let fourth = tests.askAll(&walk)
            #expect(fourth == [] && walk.inFlight == 2 && walk.hedges == 0)
        }

        @Test("who has more to tell holds a slot until then; the end of that takes none of a request")
        func telling() {
            var walk = tests.lookup(k: 8, alpha: 2, [1, 2, 3, 4])
            let first = tests.askAll(&walk)
            #expect(first == [1, 2])
            walk.hasTold(tests.contact(1).id)
            #expect(walk.inFlight == 2 && walk.brokenInvariant == nil)
            _ = walk.answered(tests.contact(1).id, isMoreToCome: true)
            let held = tests.askAll(&walk)
            #expect(held == [] && walk.inFlight == 2 && walk.brokenInvariant == nil)
            walk.hasTold(tests.contact(1).id)
            walk.hasTold(tests.contact(1).id)
            #expect(walk.inFlight == 1 && walk.brokenInvariant == nil)
            let next = tests.askAll(&walk)
            #expect(next == [3])
        }

        @Test("without beta nobody is asked in its place")
        func noBeta() {
            var walk = tests.lookup(k: 8, alpha: 2, [1, 2, 3, 4])
            _ = tests.askAll(&walk)
            walk.overdue(tests.contact(1).id)
            let more = tests.askAll(&walk)
            #expect(more == [] && walk.inFlight == 2)
        }

        @Test("only who was asked can be overdue, and once")
        func onlyAsked() {
            var walk = tests.lookup(k: 8, alpha: 2, [1, 2, 3]) { $0.beta = 2 }
            _ = tests.askAll(&walk)
            _ = walk.answered(tests.contact(1).id)
            for number: UInt64 in [1, 2, 2, 3, 7] { walk.overdue(tests.contact(number).id) }
            #expect(walk.peers.map(\.progress) == [.answered, .overdue, .fresh])
            walk.failed(tests.contact(2).id)
            #expect(walk.inFlight == 0 && walk.brokenInvariant == nil)
        }

        @Test("each path has its own hedges")
        func hedgesOfPaths() {
            var walk = tests.lookup(k: 8, alpha: 2, [1, 2, 3, 4, 5, 6]) { ($0.beta, $0.paths) = (1, 2) }
            _ = tests.askAll(&walk)
            walk.overdue(tests.contact(1).id)
            let first = tests.askAll(&walk)
            walk.overdue(tests.contact(2).id)
            let second = tests.askAll(&walk)
            #expect(first == [3] && second == [4] && walk.hedges == 2)
        }

        @Test("a walk to write ends without the overdue once enough others have answered")
        func writing() {
            var walk = tests.lookup(k: 3, alpha: 2, [1, 2, 3, 4, 5]) {
                ($0.beta, $0.waitsForOverdue) = (1, false)
            }
            _ = tests.askAll(&walk)
            walk.overdue(tests.contact(1).id)
            for number: UInt64 in [2, 3, 4] {
                _ = tests.askAll(&walk)
                #expect(!walk.isFinished)
                _ = walk.answered(tests.contact(number).id)
            }
            let more = tests.askAll(&walk)
            #expect(more == [] && walk.isFinished && walk.progress(of: tests.contact(1).id) == .overdue)
        }

        @Test("it waits for them when too few others are left")
        func writingToFew() {
            var walk = tests.lookup(k: 3, alpha: 2, [1, 2, 3]) { ($0.beta, $0.waitsForOverdue) = (1, false) }
            _ = tests.askAll(&walk)
            walk.overdue(tests.contact(1).id)
            _ = tests.askAll(&walk)
            _ = walk.answered(tests.contact(2).id)
            _ = walk.answered(tests.contact(3).id)
            #expect(!walk.isFinished)
            walk.silent(tests.contact(1).id)
            #expect(walk.isFinished)
        }

        @Test("an exhaustive walk waits for them, and asks another once they are given up")
        func exhaustive() {
            var walk = tests.lookup(k: 3, alpha: 2, [1, 2, 3, 4]) { $0.beta = 1 }
            _ = tests.askAll(&walk)
            walk.overdue(tests.contact(1).id)
            let hedge = tests.askAll(&walk)
            _ = walk.answered(tests.contact(2).id)
            _ = walk.answered(tests.contact(3).id)
            let early = tests.askAll(&walk)
            #expect(hedge == [3] && early == [] && !walk.isFinished)
            walk.silent(tests.contact(1).id)
            let late = tests.askAll(&walk)
            #expect(late == [4])
            _ = walk.answered(tests.contact(4).id)
            #expect(walk.isFinished)
        }
    }
}
