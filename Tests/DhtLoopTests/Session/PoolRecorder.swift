// RO:WHAT  PoolRecorder: notes what a pool tells its owner.  PoolTests: what all tests of pools begin with.
import Testing

@testable import DhtLoop

/// Notes what it is told; `onDialFailed` runs inside the callback.
final class PoolRecorder: PoolOwner {
    var opened: [EndpointID] = []
    var payloads: [(EndpointID, [UInt8])] = []
    var closed: [(EndpointID, CloseReason)] = []
    var failed: [(EndpointID, CloseReason)] = []
    var onDialFailed: (EndpointID) -> Void = { _ in }

    override func poolOpened(_ endpoint: EndpointID, nowUs: UInt64) { opened.append(endpoint) }

    override func poolReceived(_ endpoint: EndpointID, payload: UnsafeRawBufferPointer, nowUs: UInt64) {
        payloads.append((endpoint, Array(payload)))
    }

    override func poolClosed(_ endpoint: EndpointID, reason: CloseReason, nowUs: UInt64) {
        closed.append((endpoint, reason))
    }

    override func poolDialFailed(_ endpoint: EndpointID, reason: CloseReason, nowUs: UInt64) {
        failed.append((endpoint, reason))
        onDialFailed(endpoint)
    }
}

/// A loop, and pools on it that end with the test.
class PoolTests {
    let loop: EventLoop
    let endpoints = EndpointTable()
    let owner = PoolRecorder()
    var pools: [SessionPool] = []

    init() throws { loop = try EventLoop() }

    deinit { for pool in pools { pool.shutDown() } }

    func makePool(_ policy: PoolPolicy = PoolPolicy(), resolver: Resolver = Resolver()) -> SessionPool {
        let pool = SessionPool(
            loop: loop, endpoints: endpoints, owner: owner, policy: policy, resolver: resolver, seed: 1)
        pools.append(pool)
        return pool
    }

    func endpoint(of listener: TestListener) throws -> EndpointID {
        try #require(endpoints.intern(listener.address.description))
    }

    func send(_ payload: [UInt8], to endpoint: EndpointID, with pool: SessionPool) -> Bool {
        payload.lend { pool.send($0, to: endpoint) }
    }
}
