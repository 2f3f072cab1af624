// RO:WHAT  PoolOwner: who uses a session pool, and is told what comes of it.
// RO:WHY   One virtual call a frame; no closure is allocated.

/// Told of a pool's sessions by endpoint. None of these is called from inside a call to the pool.
open class PoolOwner {
    public init() {}

    /// The session to `endpoint` is open.
    open func poolOpened(_ endpoint: EndpointID, nowUs: UInt64) {}

    /// A Data frame came from `endpoint`. `payload` is valid until the call returns. Answer with `SessionPool.send`.
    open func poolReceived(_ endpoint: EndpointID, payload: UnsafeRawBufferPointer, nowUs: UInt64) {}

    /// The open session to `endpoint` ended: what was asked over it will not be answered.
    open func poolClosed(_ endpoint: EndpointID, reason: CloseReason, nowUs: UInt64) {}

    /// No session to `endpoint` came about: what was queued for it is lost.
    open func poolDialFailed(_ endpoint: EndpointID, reason: CloseReason, nowUs: UInt64) {}
}

/// Limits and time-outs of a pool; times in microseconds.
public struct PoolPolicy: Equatable, Sendable {
    /// Sessions at once, those kept included.
    public var maxSessions = 256
    /// Resolving and connecting, and then the peer's HELLO: each of them. The time-out of one RPC.
    public var connectTimeoutUs: UInt64 = 2_000_000
    /// Without a Data frame, until a session that is not kept is closed.
    public var idleTimeoutUs: UInt64 = 120_000_000
    /// Without sending, until a session sends a heartbeat: half of a switch's idle time-out.
    public var heartbeatUs: UInt64 = 450_000_000
    /// An open session that lasts this long makes the next reconnect start from a short delay.
    public var stableUs: UInt64 = 10_000_000
    /// Between two dials for the warm set: it fills slowly, so that a node that starts does not wake a network.
    public var warmPaceUs: UInt64 = 50_000
    /// Sessions on their way, whatever for, beyond which the warm set waits.
    public var dialsAtOnce = 8
    /// Whether the first frames of a session may leave with its SYN.
    public var fastOpen = FastOpen.cookie

    public init() {}

    /// A session's own time-outs. The plan closes an idle one; one that it leaves open TCP keep-alive watches, and
    /// heartbeats keep.
    var session: SessionPolicy {
        var policy = SessionPolicy(
            connectTimeoutUs: connectTimeoutUs, handshakeTimeoutUs: connectTimeoutUs, idleTimeoutUs: .max)
        policy.heartbeatUs = heartbeatUs
        return policy
    }
}
