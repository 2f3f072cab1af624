// RO:WHAT  SessionPool over real sockets: dialling, reuse, keeping, caps, resolving.
import Glibc
import Testing

@testable import DhtLoop

/// Answers when its test says so.
private final class SlowResolver: Resolver {
    var asked: [(client: any ResolverClient, token: UInt32)] = []
    var cancelled: [UInt32] = []

    override func resolve(
        _ endpoint: UnsafeRawBufferPointer, for client: any ResolverClient, token: UInt32, nowUs: UInt64
    ) -> ResolverAnswer {
        asked.append((client, token))
        return .pending
    }

    override func cancel(client: any ResolverClient, token: UInt32) { cancelled.append(token) }
}

@Suite("SessionPool")
final class SessionPoolTests: PoolTests {
    /// The peer that `pool` reached through `listener`, after both HELLOs.
    private func open(_ listener: TestListener, with pool: SessionPool) throws -> TestPeer {
        let endpoint = try endpoint(of: listener)
        if !pool.uses(endpoint) {
            let sent = send([0], to: endpoint, with: pool)
            #expect(sent)
        }
        let peer = try listener.accept(driving: loop)
        peer.send(TestPeer.hello)
        drive(loop) { pool.isOpen(endpoint) }
        return peer
    }

    @Test("the first frame opens a session and leaves behind its HELLO, later ones use it, answers name it")
    func dialOnSend() throws {
        let (pool, listener) = (makePool(), try TestListener())
        let endpoint = try endpoint(of: listener)
        let first = send([1], to: endpoint, with: pool)
        let peer = try listener.accept(driving: loop)
        drive(loop) { peer.payloads == [[1]] }
        let second = send([2], to: endpoint, with: pool)
        #expect(first && second && pool.sessions == 1 && pool.openSessions == 0)
        peer.send(TestPeer.hello + TestPeer.frame([3]))
        drive(loop) { !owner.payloads.isEmpty && peer.payloads.count == 2 }
        #expect(peer.payloads == [[1], [2]] && owner.opened == [endpoint] && pool.openSessions == 1)
        #expect(owner.payloads.map(\.0) == [endpoint] && owner.payloads.map(\.1) == [[3]])
    }

    @Test("an endpoint that refuses is told after the call, not inside it, and can be dialled again")
    func refused() throws {
        let pool = makePool()
        let endpoint = try endpoint(of: try TestListener())
        for attempt in 1...2 {
            _ = send([1], to: endpoint, with: pool)
            #expect(owner.failed.count == attempt - 1)
            drive(loop) { owner.failed.count == attempt }
            #expect(!pool.uses(endpoint) && pool.sessions == 0)
        }
        #expect(owner.failed.allSatisfy { $0 == (endpoint, .failed(ECONNREFUSED)) } && owner.closed.isEmpty)
    }

    @Test("an owner that dials a hopeless endpoint again and again does not hang the loop")
    func hopeless() throws {
        let pool = makePool()
        let endpoint = try #require(endpoints.intern("no-such-name.example:1"))
        owner.onDialFailed = { [unowned self] in _ = send([1], to: $0, with: pool) }
        let sent = send([1], to: endpoint, with: pool)
        #expect(!sent)
        for _ in 0..<3 { loop.turn() }
        #expect(owner.failed.count > 3 && owner.failed.allSatisfy { $0 == (endpoint, .noAddress) })
        owner.onDialFailed = { _ in }
    }

    @Test("a kept session is opened without a frame and opened again when it ends")
    func keeping() throws {
        let (pool, listener) = (makePool(), try TestListener())
        let endpoint = try endpoint(of: listener)
        pool.keep(endpoint)
        for round in 1...3 {
            var peer: TestPeer? = try open(listener, with: pool)
            #expect(owner.opened.count == round && peer != nil)
            peer = nil
            drive(loop) { owner.closed.count == round }
            #expect(pool.uses(endpoint) && !pool.isOpen(endpoint))
        }
    }

    @Test("a frame for a kept endpoint that waits for its reconnect is dropped and counted")
    func waiting() throws {
        let pool = makePool()
        let endpoint = try endpoint(of: try TestListener())
        pool.keep(endpoint)
        drive(loop) { !owner.failed.isEmpty }
        let sent = send([1], to: endpoint, with: pool)
        #expect(!sent && pool.unsent == 1)
        drive(loop) { owner.failed.count == 3 }
        #expect(pool.sessions == 0 && owner.closed.isEmpty)
    }

    @Test("a released endpoint is not opened again")
    func releasing() throws {
        let (pool, listener) = (makePool(), try TestListener())
        let endpoint = try endpoint(of: listener)
        pool.keep(endpoint)
        var peer: TestPeer? = try open(listener, with: pool)
        pool.release(endpoint)
        #expect(pool.isOpen(endpoint) && peer != nil)
        peer = nil
        drive(loop) { owner.closed.count == 1 }
        #expect(!pool.uses(endpoint))
    }

    @Test("a session that nobody uses is closed, a kept one is not")
    func idle() throws {
        var policy = PoolPolicy()
        policy.idleTimeoutUs = 20_000
        let (pool, passing, kept) = (makePool(policy), try TestListener(), try TestListener())
        let (passingID, keptID) = (try endpoint(of: passing), try endpoint(of: kept))
        pool.keep(keptID)
        let keptPeer = try open(kept, with: pool)
        let peer = try open(passing, with: pool)
        drive(loop) { peer.wasClosed && !pool.uses(passingID) }
        #expect(owner.closed.count == 1 && owner.closed[0] == (passingID, .idle))
        #expect(pool.isOpen(keptID) && !keptPeer.wasClosed)
    }

    @Test("only Data counts: the other side's heartbeats do not keep a session")
    func dataOnly() throws {
        var policy = PoolPolicy()
        policy.idleTimeoutUs = 40_000
        let (pool, listener) = (makePool(policy), try TestListener())
        let peer = try open(listener, with: pool)
        drive(loop) {
            peer.send(TestPeer.frame([], kind: 2))
            return !owner.closed.isEmpty
        }
        #expect(try owner.closed.map(\.0) == [endpoint(of: listener)] && owner.closed[0].1 == .idle)
        #expect(pool.counters.ctrlIn > 0 && peer.wasClosed)
    }

    @Test("a quiet session sends heartbeats, so that a switch keeps it")
    func heartbeats() throws {
        var policy = PoolPolicy()
        policy.heartbeatUs = 10_000
        let (pool, listener) = (makePool(policy), try TestListener())
        pool.keep(try endpoint(of: listener))
        let peer = try open(listener, with: pool)
        drive(loop) { peer.frames.count >= 3 }
        #expect(peer.frames.allSatisfy { $0 == [2] })
    }

    @Test("frames for a kept endpoint that found no room are dropped, and it is dialled again")
    func keptWithoutRoom() throws {
        var policy = PoolPolicy()
        policy.maxSessions = 1
        let (pool, first, second) = (makePool(policy), try TestListener(), try TestListener())
        pool.keep(try endpoint(of: first))
        var peer: TestPeer? = try open(first, with: pool)
        pool.keep(try endpoint(of: second))
        let sent = send([1], to: try endpoint(of: second), with: pool)
        drive(loop) { owner.failed.count == 1 }
        #expect(try !sent && pool.unsent == 1 && owner.failed[0] == (endpoint(of: second), .noRoom))
        pool.release(try endpoint(of: first))
        #expect(peer != nil)
        peer = nil
        drive(loop) { pool.sessions == 1 && owner.closed.count == 1 }
        peer = try open(second, with: pool)
        #expect(try pool.home == endpoint(of: second) && peer != nil)
    }

    @Test("at the cap the session longest without a frame makes room; kept and opening ones stay")
    func cap() throws {
        var policy = PoolPolicy()
        policy.maxSessions = 3
        let pool = makePool(policy)
        let listeners = try (0..<5).map { _ in try TestListener() }
        let ids = try listeners.map { try endpoint(of: $0) }
        pool.keep(ids[0])
        var peers = try listeners[0...2].map { try open($0, with: pool) }
        loop.turn(maxWaitUs: 1_000)
        let touched = send([1], to: ids[1], with: pool)
        drive(loop) { peers[1].payloads.count == 2 }
        peers.append(try open(listeners[3], with: pool))
        #expect(touched && owner.closed.count == 1 && owner.closed[0] == (ids[2], .evicted))
        #expect(pool.sessions == 3 && pool.evictions == 1)
        pool.keep(ids[1])
        pool.keep(ids[3])
        let sent = send([1], to: ids[4], with: pool)
        drive(loop) { owner.failed.count == 1 }
        #expect(!sent && owner.failed[0] == (ids[4], .noRoom))
    }

    @Test("frames wait for a name that is resolved later")
    func slowName() throws {
        let (resolver, listener) = (SlowResolver(), try TestListener())
        let pool = makePool(resolver: resolver)
        let endpoint = try #require(endpoints.intern("somewhere.example:9700"))
        let sent = send([4], to: endpoint, with: pool)
        loop.turn(maxWaitUs: 0)
        let question = try #require(resolver.asked.first)
        question.client.resolved(listener.address, token: question.token, nowUs: loop.nowUs)
        let peer = try listener.accept(driving: loop)
        drive(loop) { peer.payloads == [[4]] }
        #expect(sent)
    }

    @Test("a name without an address fails, and one that takes too long is cancelled and fails")
    func failingName() throws {
        var policy = PoolPolicy()
        policy.connectTimeoutUs = 20_000
        let resolver = SlowResolver()
        let pool = makePool(policy, resolver: resolver)
        let endpoint = try #require(endpoints.intern("nowhere.example:9700"))
        _ = send([4], to: endpoint, with: pool)
        let question = try #require(resolver.asked.first)
        question.client.resolved(nil, token: question.token, nowUs: loop.nowUs)
        drive(loop) { owner.failed.count == 1 }
        _ = send([4], to: endpoint, with: pool)
        drive(loop) { owner.failed.count == 2 }
        #expect(owner.failed.map(\.1) == [.noAddress, .connectTimeout])
        #expect(resolver.cancelled.contains(resolver.asked[1].token))
        resolver.asked[1].client.resolved(nil, token: resolver.asked[1].token, nowUs: loop.nowUs)
    }

    @Test("after shutting down, every socket is closed and nothing is dialled")
    func shutDown() throws {
        let (pool, listener) = (makePool(), try TestListener())
        let endpoint = try endpoint(of: listener)
        pool.keep(endpoint)
        let peer = try open(listener, with: pool)
        pool.shutDown()
        drive(loop) { peer.wasClosed }
        let sent = send([1], to: endpoint, with: pool)
        pool.keep(endpoint)
        #expect(!sent && pool.sessions == 0 && !pool.uses(endpoint) && owner.closed.isEmpty)
        pools.removeAll()
    }
}
