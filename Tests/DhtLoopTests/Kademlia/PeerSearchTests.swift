// RO:WHAT  PeerSearch: how long a node waits between looks for peers, what each look does, and what hastens the next.
import Testing

@testable import DhtLoop

@Suite("PeerSearch")
struct PeerSearchTests {
    private static let second = CoreStage.second

    /// A search with the context that it runs in, and nothing else of a node.
    private final class Stage {
        var search = PeerSearch()
        var context: NodeContext
        var nowUs = 100 * PeerSearchTests.second

        init(seed: UInt64 = 1) {
            var config = NodeConfig(id: CoreStage.local)
            (config.k, config.refreshUs) = (4, 600 * PeerSearchTests.second)
            context = NodeContext(
                config: config, endpoints: EndpointTable(), generator: SeededGenerator(seed: seed),
                nowUs: nowUs)
        }

        /// The time for a look has come. Returns what it does, and the wait until the next.
        func look(contacts: Int) -> (look: PeerSearch.Look, waitUs: UInt64) {
            context.timers.callOff(.bootstrap)
            let look = search.begin(contacts: contacts, nowUs, &context)
            return (look, waitUs ?? 0)
        }

        func add(contacts: Int, wasEvicted: Bool = false) {
            search.noteAdded(contacts: contacts, wasEvicted: wasEvicted, nowUs, &context)
        }

        var waitUs: UInt64? { context.timers.dueUs(.bootstrap).map { $0 - nowUs } }
    }

    @Test(
        "alone, the longest wait doubles up to ten seconds, and a session begins it anew", arguments: 1...10)
    func alone(seed: UInt64) {
        let stage = Stage(seed: seed)
        for attempt in UInt64(1)...8 {
            let longest = min(500_000 << attempt, 10 * Self.second)
            let waitUs = stage.look(contacts: 0).waitUs
            #expect((longest / 2...longest).contains(waitUs), "seed \(seed), attempt \(attempt)")
        }
        stage.search.reset()
        let waitUs = stage.look(contacts: 0).waitUs
        #expect((500_000...1_000_000).contains(waitUs), "seed \(seed)")
    }

    @Test("a table that may miss some is looked after each minute at least, a full one in the set time")
    func sparse() {
        for seed in UInt64(1)...40 {
            let stage = Stage(seed: seed)
            let first = stage.look(contacts: 3).waitUs
            #expect((8 * Self.second...16 * Self.second).contains(first), "seed \(seed)")
            for _ in 0..<5 { _ = stage.look(contacts: 3) }
            let later = stage.look(contacts: 3).waitUs
            #expect((30 * Self.second...60 * Self.second).contains(later), "seed \(seed)")
            let full = stage.look(contacts: 4).waitUs
            #expect((300 * Self.second...900 * Self.second).contains(full), "seed \(seed)")
        }
    }

    @Test(
        "with fewer than K contacts it asks the bootstrap overlays; with any it looks around, one look at a time"
    )
    func whatIsDone() {
        let stage = Stage()
        let looks = [0, 3, 4].map { stage.look(contacts: $0).look }
        #expect(looks.map(\.asksBootstrap) == [true, true, false])
        #expect(looks.map(\.looksAround) == [false, true, true])
        stage.search.lookBegan()
        let during = stage.look(contacts: 3).look
        stage.search.lookEnded()
        let after = stage.look(contacts: 3).look
        #expect(!during.looksAround && during.asksBootstrap && after.looksAround)
    }

    @Test(
        "newcomers in a row put the look off, but no longer than four seconds after the first",
        arguments: 1...10)
    func newcomers(seed: UInt64) throws {
        let stage = Stage(seed: seed)
        let startUs = stage.nowUs
        stage.add(contacts: 1)
        let first = try #require(stage.waitUs)
        #expect((500_000...1_000_000).contains(first), "seed \(seed)")
        while stage.nowUs < startUs + 3_500_000 {
            stage.nowUs += 400_000
            stage.add(contacts: 2)
            let dueUs = stage.nowUs + (try #require(stage.waitUs))
            let earliest = min(stage.nowUs + 500_000, startUs + 4 * Self.second)
            #expect(dueUs >= earliest && dueUs <= startUs + 4 * Self.second, "seed \(seed)")
        }
    }

    @Test("a newcomer to more than K is no reason to look, unless it had been given up")
    func reunion() {
        let stage = Stage()
        stage.add(contacts: 5)
        #expect(stage.waitUs == nil)
        stage.add(contacts: 5, wasEvicted: true)
        #expect(stage.waitUs ?? .max <= 1_000_000)
        let back = stage.look(contacts: 5).look
        #expect(back.looksAround)
        stage.add(contacts: 4)
        let oneOfMany = stage.look(contacts: 5).look
        let next = stage.look(contacts: 5).look
        #expect(!oneOfMany.looksAround && next.looksAround)
    }

    @Test("after a look come the buckets that know of fewer than half of K, each once, spares counted")
    func poorBuckets() {
        let stage = CoreStage { $0.k = 4 }
        for (bits, number) in [(0, 1), (1, 2), (1, 3), (4, 4)] {
            stage.meet(stage.contact(sharing: bits, UInt64(number)))
        }
        for number in UInt64(5)...6 { stage.core.hear(stage.contact(sharing: 2, number), stage.nowUs) }
        var search = PeerSearch()
        let buckets = (0..<4).map { _ in search.nextPoorBucket(of: stage.core.peers.table) }
        #expect(buckets == [0, 3, nil, 0])
    }
}
