// RO:WHAT  GetPhase: which version wins, what the caller is told, and which nodes get a copy afterwards.
import Testing

@testable import DhtLoop

@Suite("GetPhase")
struct GetPhaseTests {
    private static func version(
        _ seq: UInt64, _ value: [UInt8] = [1], ttl: UInt64 = 60, isTombstone: Bool = false
    )
        -> Version
    {
        Version(seq: seq, ttlSeconds: ttl, value: value, isTombstone: isTombstone)
    }

    private static func phase(quorum: Int = 1, best: Version? = nil) -> GetPhase {
        GetPhase(quorum: quorum, isExplained: false, best: best)
    }

    private static func contact(_ number: UInt64) -> Contact {
        Contact(id: NodeID(number, 0, 0, 1), endpoint: EndpointID(rawValue: UInt32(number)))
    }

    @Test(
        "of two versions the higher one wins, then a tombstone, then the greater bytes, whichever came first")
    func newest() {
        let order = [
            Self.version(1, [9]), Self.version(2, [1]), Self.version(2, [1, 0]), Self.version(2, [2]),
            Self.version(2, [], isTombstone: true), Self.version(3, []),
        ]
        for (older, newer) in zip(order, order.dropFirst()) {
            for pair in [[older, newer], [newer, older]] {
                var phase = Self.phase(quorum: 9, best: pair[0])
                _ = phase.took(pair[1], from: Self.contact(1))
                #expect(phase.best == newer)
            }
        }
    }

    @Test("a quorum is met by as many copies of others; the one that is here is none")
    func quorum() {
        var phase = Self.phase(quorum: 2, best: Self.version(1))
        let isMet = (1...3).map { phase.took(Self.version(1), from: Self.contact(UInt64($0))) }
        #expect(isMet == [false, true, true])
        #expect(phase.result(isComplete: true, hops: 4).copies == 3)
    }

    @Test("no version is not found when all have answered, and a time-out when not; a tombstone is not found")
    func outcomes() {
        let outcome = { (best: Version?, isComplete: Bool) in
            Self.phase(best: best).result(isComplete: isComplete, hops: 2).outcome
        }
        #expect(outcome(nil, true) == .notFound && outcome(nil, false) == .timedOut)
        #expect(outcome(Self.version(1, [], isTombstone: true), false) == .notFound)
        #expect(outcome(Self.version(7, [8]), false) == .found(value: [8], seq: 7, ttlSeconds: 60))
    }

    // MARK: - Mending

    /// Ends a get that has met `versions`, by peer, on a walk of which `answered` have answered; returns what is sent.
    private func mend(
        _ versions: [(UInt64, Version)], quorum: Int = 1, answered: [UInt64], peers: UInt64 = 4,
        _ adjust: (inout NodeConfig) -> Void = { _ in }
    ) throws -> (sent: [UInt64: EnvelopeImage.Body], stats: NodeStats) {
        let stage = WalkTests.Stage(peers: peers, alpha: Int(peers), adjust)
        stage.ask()
        _ = stage.base.take()
        for number in answered { try stage.answer(number) }
        var phase = Self.phase(quorum: quorum)
        for (number, version) in versions { _ = phase.took(version, from: stage.base.peer(number)) }
        phase.mend(stage.walk, stage.base.nowUs, &stage.base.core)
        let sent = stage.base.take().map { ($0.image.dst.w0 >> 32, $0.image.body) }
        return (Dictionary(uniqueKeysWithValues: sent), stage.base.core.context.stats)
    }

    private func put(_ seq: UInt64, ttl: UInt64) -> EnvelopeImage.Body {
        .put(.init(key: .zero, seq: seq, ttl: ttl, value: [1]))
    }

    @Test("nodes that gave an older version get the newest, the others nothing")
    func repair() throws {
        let (sent, stats) = try mend(
            [(1, Self.version(2)), (2, Self.version(5)), (3, Self.version(4))], quorum: 3,
            answered: [1, 2, 3, 4])
        #expect(sent == [1: put(5, ttl: 60), 3: put(5, ttl: 60)])
        #expect(stats.repairs == 2 && stats.cached == 0)
    }

    @Test("after a plain get the closest that answered and lacks it keeps a copy for half its life")
    func cached() throws {
        let (sent, stats) = try mend([(3, Self.version(5))], answered: [2, 3, 4])
        #expect(sent == [2: put(5, ttl: 30)] && stats.cached == 1 && stats.repairs == 0)
    }

    @Test(
        "a copy's life is halved for each node nearer than the last replica, and ten seconds are worth a message"
    )
    func lives() throws {
        for (replica, ttl, life) in [(1, 60, 15), (2, 60, 30), (2, 20, 10)] as [(Int, UInt64, UInt64)] {
            let (sent, _) = try mend([(1, Self.version(5, ttl: ttl))], answered: [1, 2]) {
                $0.replica = replica
            }
            #expect(sent == [2: put(5, ttl: life)], "\(replica) replicas, \(ttl) s")
        }
        let (sent, stats) = try mend([(1, Self.version(5, ttl: 19))], answered: [1, 2])
        #expect(sent.isEmpty && stats.cached == 0)
    }

    @Test("neither a tombstone nor what was here before is cached")
    func notCached() throws {
        let (sent, _) = try mend([(3, Self.version(5, [], isTombstone: true))], answered: [1, 2, 3])
        let (none, _) = try mend([], answered: [1, 2, 3])
        #expect(sent.isEmpty && none.isEmpty)
    }

    // MARK: - Trace

    @Test("a trace tells in order which peers were asked, and how the latest request to each ended")
    func trace() throws {
        let stage = WalkTests.Stage(peers: 3)
        var phase = Self.phase()
        stage.ask()
        for (number, peer) in stage.walk.lookup.peers.enumerated() { phase.traceAsked(peer, UInt64(number)) }
        let rpcs = try (UInt64(1)...3).map { try #require(stage.base.requests(to: stage.id($0)).first) }
        phase.traceAnswered(rpcs[0], .nodes(isMoreToCome: false), contacts: 4, stage.base.nowUs + 9)
        phase.traceLost(rpcs[1], .unreachable)
        phase.traceLost(rpcs[2], .timeout)
        let trace = phase.result(isComplete: true, hops: 1).trace
        #expect(trace.map(\.answer) == [.nodes, .unreachable, .silent] && trace.map(\.askedUs) == [0, 1, 2])
        #expect(trace.map(\.contacts) == [4, 0, 0] && trace.map(\.rttUs) == [9, 0, 0])
        #expect(trace.map(\.peer.id) == [stage.id(1), stage.id(2), stage.id(3)])
    }
}
