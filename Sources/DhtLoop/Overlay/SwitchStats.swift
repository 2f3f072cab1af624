// RO:WHAT  SwitchStats: what the switch did since it started.
// RO:WHY   One thread counts with plain integers; a page of metrics reads them when it is asked for.
// RO:METRICS  overlay_frames_total{path}, overlay_handshake_fail_total{reason}, overlay_session_end_total{reason},
//          overlay_accept_latency_seconds, overlay_conn_lifetime_seconds

/// Counts by what became of a frame and of a session.
public struct SwitchStats: Sendable {
    /// Frames sent on to the session that holds their destination.
    public internal(set) var forwarded: UInt64 = 0
    /// Frames handed to the local port.
    public internal(set) var local: UInt64 = 0
    /// Copies of frames for "any node".
    public internal(set) var gossiped: UInt64 = 0
    /// Payloads that are no envelope, sent back.
    public internal(set) var echoed: UInt64 = 0
    /// Frames whose destination nobody holds.
    public internal(set) var unreachable: UInt64 = 0
    /// Answers to probes.
    public internal(set) var probeAnswers: UInt64 = 0
    /// Frames from an id that another session holds.
    public internal(set) var refusedClaims: UInt64 = 0
    /// Frames from one id more than a session may hold.
    public internal(set) var refusedIDs: UInt64 = 0
    /// Frames from the zero id, or the switch's own, and those whose envelope is broken where it had to be read.
    public internal(set) var refusedSources: UInt64 = 0
    /// Answers of the local port to sessions that have ended.
    public internal(set) var staleReplies: UInt64 = 0

    /// Connections accepted.
    public internal(set) var accepted: UInt64 = 0
    /// Connections closed at once because there were `SwitchPolicy.maxSessions`.
    public internal(set) var overCapacity: UInt64 = 0
    /// Probes sent to holders of claimed ids, and sessions that stayed silent.
    public internal(set) var probes: UInt64 = 0
    public internal(set) var silentPeers: UInt64 = 0
    /// Sessions that ended before they were open, by `handshakeLabels`.
    public internal(set) var handshakeFailures = [UInt64](repeating: 0, count: handshakeLabels.count)
    /// Sessions that were open and ended, by `CloseReason.labels`.
    public internal(set) var sessionEnds = [UInt64](repeating: 0, count: CloseReason.labels.count)
    /// From accepted to open, in seconds.
    public internal(set) var acceptLatency = Histogram(bounds: Histogram.latencyBounds)
    /// From accepted to closed, in seconds.
    public internal(set) var lifetime = Histogram(bounds: Histogram.lifetimeBounds)

    /// Labels of `handshakeFailures`: why a session may end before it is open.
    public static let handshakeLabels = [
        "bad_magic", "bad_version", "missing_gossip", "timeout", "peer_closed", "io_error",
        "unwatched",
    ]

    /// Frames by what became of them: `overlay_frames_total{path}`.
    public var frames: [(path: String, count: UInt64)] {
        [
            ("forward", forwarded), ("local", local), ("gossip", gossiped), ("echo", echoed),
            ("unreachable", unreachable), ("probe_answer", probeAnswers), ("refused_claim", refusedClaims),
            ("refused_id", refusedIDs), ("refused_source", refusedSources), ("stale_reply", staleReplies),
        ]
    }

    mutating func countSessionEnd(_ reason: CloseReason) {
        guard let index = CloseReason.labels.firstIndex(of: reason.label) else { return }
        sessionEnds[index] += 1
    }

    mutating func countHandshakeFailure(_ reason: CloseReason) {
        guard let index = Self.handshakeLabels.firstIndex(of: reason.label) else { return }
        handshakeFailures[index] += 1
    }
}
