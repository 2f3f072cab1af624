// RO:WHAT  SessionPolicy: a session's time-outs.  SessionCounters: what an owner's sessions did, summed.
// RO:WHY   A switch waits for its clients, a pool for its plan: same machine, other numbers.

/// A session's time-outs, in microseconds; `.max` is never.
public struct SessionPolicy: Equatable, Sendable {
    /// Resolving and connecting.
    public var connectTimeoutUs: UInt64
    /// From connected to the peer's complete HELLO.
    public var handshakeTimeoutUs: UInt64
    /// Without a byte from the other side, until the session is closed.
    public var idleTimeoutUs: UInt64
    /// Without sending, until an empty Ctrl frame is sent.
    public var heartbeatUs: UInt64

    /// `idleTimeoutUs` is that of the other side too, as far as it is known: half of it passes between heartbeats.
    public init(
        connectTimeoutUs: UInt64 = 2_000_000, handshakeTimeoutUs: UInt64 = 2_000_000,
        idleTimeoutUs: UInt64 = 900_000_000
    ) {
        self.connectTimeoutUs = connectTimeoutUs
        self.handshakeTimeoutUs = handshakeTimeoutUs
        self.idleTimeoutUs = idleTimeoutUs
        heartbeatUs = idleTimeoutUs == .max ? .max : idleTimeoutUs / 2
    }
}

/// Sums over all sessions of one owner, since the start.
public final class SessionCounters {
    /// Data frames.
    public internal(set) var framesIn: UInt64 = 0
    public internal(set) var framesOut: UInt64 = 0
    public internal(set) var bytesIn: UInt64 = 0
    public internal(set) var bytesOut: UInt64 = 0
    /// Ctrl frames, which are read and ignored.
    public internal(set) var ctrlIn: UInt64 = 0
    /// Frames that found their TX queue full.
    public internal(set) var txDropped: UInt64 = 0

    public init() {}
}
