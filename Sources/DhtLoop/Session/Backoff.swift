// RO:WHAT  Backoff: how long to wait before dialling again.
// RO:WHY   Full jitter spreads the clients of a hub that comes back; a cap bounds how long each stays away.
// RO:TEST  Tests/DhtLoopTests/Session/BackoffTests.swift

/// Exponential backoff with full jitter: 0...min(cap, base * 2^attempt).
public struct Backoff: Equatable, Sendable {
    public static let baseUs: UInt64 = 200_000
    public static let capUs: UInt64 = 60_000_000

    /// Failures since the last `reset`.
    public private(set) var attempt = 0

    public init() {}

    /// Counts a failure and returns how long to wait after it, in microseconds.
    public mutating func nextDelayUs(using generator: inout some RandomNumberGenerator) -> UInt64 {
        let ceiling = min(Self.capUs, Self.baseUs << UInt64(min(attempt, 16)))
        attempt += 1
        return .random(in: 0...ceiling, using: &generator)
    }

    /// To be called after a success that lasted.
    public mutating func reset() { attempt = 0 }
}
