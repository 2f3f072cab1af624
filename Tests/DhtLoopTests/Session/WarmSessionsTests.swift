// RO:WHAT  SessionPool's warm set: pace, bounds, who hears of what.
import Glibc
import Testing

@testable import DhtLoop

@Suite("Warm sessions")
final class WarmSessionsTests: PoolTests {
    private func makeWarmPool(_ change: (inout PoolPolicy) -> Void = { _ in }) -> SessionPool {
        var policy = PoolPolicy()
        policy.warmPaceUs = 1_000
        policy.fastOpen = .always
        change(&policy)
        return makePool(policy)
    }

    private func makeListeners(_ count: Int) throws -> ([TestListener], [EndpointID]) {
        let listeners = try (0..<count).map { _ in try TestListener() }
        return (listeners, try listeners.map { try endpoint(of: $0) })
    }

    /// The other end of a session that is dialled, after both HELLOs.
    private func answer(_ listener: TestListener, _ pool: SessionPool) throws -> TestPeer {
        let peer = try listener.accept(driving: loop)
        peer.send(TestPeer.hello)
        let endpoint = try endpoint(of: listener)
        drive(loop) { pool.isOpen(endpoint) }
        return peer
    }

    @Test("warm sessions are opened without a frame, one after the other in the order of the set")
    func pace() throws {
        let pool = makeWarmPool()
        let (listeners, ids) = try makeListeners(5)
        pool.keepWarm(ids)
        #expect(pool.sessions == 0 && ids.allSatisfy { pool.uses($0) })
        for count in 1...5 {
            drive(loop) { pool.sessions >= count }
            #expect(pool.sessions == count && pool.hasSession(ids[count - 1]))
        }
        let peers = try listeners.map { try answer($0, pool) }
        #expect(peers.allSatisfy { $0.payloads.isEmpty } && owner.opened == ids && pool.warmSessions == 5)
    }

    @Test("a warm session does not idle out until it is no longer wanted")
    func idle() throws {
        let pool = makeWarmPool { $0.idleTimeoutUs = 20_000 }
        let (listeners, ids) = try makeListeners(2)
        let sent = send([1], to: ids[0], with: pool)
        pool.keepWarm([ids[0]])
        let peers = try listeners.map { listener in
            _ = try send([1], to: endpoint(of: listener), with: pool)
            return try answer(listener, pool)
        }
        drive(loop) { owner.closed.count == 1 }
        #expect(sent && owner.closed[0] == (ids[1], .idle) && pool.isOpen(ids[0]))
        pool.keepWarm([])
        drive(loop) { owner.closed.count == 2 }
        #expect(owner.closed[1] == (ids[0], .idle) && !pool.uses(ids[0]) && peers[0].wasClosed)
    }

    @Test("a new set keeps what it shares with the old one, and forgets what was still to be dialled")
    func replaced() throws {
        let pool = makeWarmPool { $0.idleTimeoutUs = 20_000 }
        let (listeners, ids) = try makeListeners(4)
        pool.keepWarm([ids[0], ids[1], ids[2]])
        let first = try answer(listeners[0], pool)
        let second = try answer(listeners[1], pool)
        pool.keepWarm([ids[1], ids[3]])
        let fourth = try answer(listeners[3], pool)
        drive(loop) { first.wasClosed }
        #expect(pool.warmSessions == 2 && owner.opened.filter { $0 == ids[1] }.count == 1)
        #expect(!second.wasClosed && !fourth.wasClosed)
    }

    @Test("the warm set is half of the pool at most, and makes nobody leave")
    func bounds() throws {
        let pool = makeWarmPool { $0.maxSessions = 6 }
        let (listeners, ids) = try makeListeners(10)
        var peers: [TestPeer] = []
        for index in 5..<10 {
            _ = send([1], to: ids[index], with: pool)
            peers.append(try answer(listeners[index], pool))
        }
        pool.keepWarm(Array(ids[..<5]))
        #expect(!pool.uses(ids[3]) && pool.uses(ids[2]))
        peers.append(try answer(listeners[0], pool))
        drive(loop) { !pool.uses(ids[1]) && !pool.uses(ids[2]) }
        #expect(pool.sessions == 6 && pool.evictions == 0 && owner.failed.isEmpty)
    }

    @Test("a session that is needed makes a warm one leave when there is no other, never a kept one")
    func eviction() throws {
        let pool = makeWarmPool { $0.maxSessions = 3 }
        let (listeners, ids) = try makeListeners(5)
        pool.keep(ids[0])
        pool.keepWarm([ids[1]])
        var peers = [try answer(listeners[0], pool), try answer(listeners[1], pool)]
        loop.turn(maxWaitUs: 1_000)
        for (index, evicted) in [(2, nil), (3, ids[2]), (4, ids[3])] as [(Int, EndpointID?)] {
            _ = send([1], to: ids[index], with: pool)
            peers.append(try answer(listeners[index], pool))
            #expect(owner.closed.last?.0 == evicted)
        }
        pool.keep(ids[4])
        _ = send([1], to: ids[2], with: pool)
        drive(loop) { owner.closed.count == 3 }
        #expect(owner.closed[2] == (ids[1], .evicted) && pool.isOpen(ids[0]) && peers.count == 5)
    }

    @Test("one that fails or ends is told, leaves the set, and is dialled again when it is handed over again")
    func ends() throws {
        let pool = makeWarmPool()
        let (listeners, ids) = try makeListeners(1)
        let nobody = try endpoint(of: try TestListener())
        pool.keepWarm([nobody, ids[0]])
        var peer: TestPeer? = try answer(listeners[0], pool)
        drive(loop) { owner.failed.count == 1 }
        #expect(owner.failed[0] == (nobody, .failed(ECONNREFUSED)) && peer != nil)
        peer = nil
        drive(loop) { owner.closed.count == 1 }
        #expect(owner.closed[0].0 == ids[0] && !owner.closed[0].1.isDisuse)
        #expect(!pool.uses(ids[0]) && pool.warmSessions == 0)
        pool.keepWarm(ids)
        peer = try answer(listeners[0], pool)
        #expect(pool.warmSessions == 1)
    }

    @Test("the warm set waits while as many sessions as may be are on their way")
    func yields() throws {
        let pool = makeWarmPool {
            $0.dialsAtOnce = 2
            $0.connectTimeoutUs = 200_000
        }
        let (deaf, fillers) = try TestListener.deaf()
        let (listeners, ids) = try makeListeners(1)
        _ = send([1], to: try endpoint(of: deaf), with: pool)
        let silent = try TestListener()
        _ = send([1], to: try endpoint(of: silent), with: pool)
        pool.keepWarm(ids)
        let peers = try listeners.map { try answer($0, pool) }
        #expect(owner.failed.count >= 1 && peers.count == 1 && fillers.count == 1)
    }

    @Test(
        "what a peer's end leaves of a session is told in the turn that sees it, an idle end is told as such")
    func detector() throws {
        let pool = makeWarmPool()
        let (listeners, ids) = try makeListeners(2)
        for (index, isReset) in [false, true].enumerated() {
            _ = send([1], to: ids[index], with: pool)
            var peer: TestPeer? = try answer(listeners[index], pool)
            drive(loop) { peer?.payloads == [[1]] }
            if isReset { peer?.reset() }
            peer = nil
            loop.turn(maxWaitUs: 1_000_000)
            #expect(owner.closed.count == index + 1 && !pool.uses(ids[index]))
        }
        #expect(owner.closed.allSatisfy { !$0.1.isDisuse } && CloseReason.idle.isDisuse)
    }

    @Test("only who dialled a session ends it for being idle: a switch waits much longer")
    func acceptorWaits() {
        let (pool, hub) = (PoolPolicy(), SwitchPolicy())
        #expect(pool.idleTimeoutUs * 4 < hub.idleTimeoutUs && pool.heartbeatUs * 2 <= hub.idleTimeoutUs)
    }

    @Test("after shutting down, nothing is dialled for the warm set")
    func shutDown() throws {
        let pool = makeWarmPool()
        let (_, ids) = try makeListeners(3)
        pool.keepWarm(ids)
        pool.shutDown()
        pool.keepWarm(ids)
        for _ in 0..<5 { loop.turn(maxWaitUs: 2_000) }
        #expect(pool.sessions == 0 && ids.allSatisfy { !pool.uses($0) })
        pools.removeAll()
    }
}
