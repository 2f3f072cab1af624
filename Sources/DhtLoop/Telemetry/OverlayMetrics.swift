// RO:WHAT  OverlayMetrics: every number a switch shows to Prometheus, as plain fields.
// RO:WHY   Filled from the switch's counters when asked, by svc-overlay and by a node that embeds a switch.
// RO:INVARIANTS  every family is written on every page, at zero when nothing happened yet.
// RO:METRICS  overlay_*
// RO:TEST  Tests/DhtLoopTests/Telemetry/MetricsPageTests.swift

/// One scrape of a switch. Counters only grow; histograms are in seconds.
public struct OverlayMetrics: Sendable {
    public var sessionsActive = 0
    /// From accept to a complete HELLO.
    public var acceptLatency = Histogram(bounds: Histogram.latencyBounds)
    public var connectionLifetime = Histogram(bounds: Histogram.lifetimeBounds)
    /// By what was wrong with the HELLO.
    public var handshakeFailures = LabelledCounters(label: "reason", values: SwitchStats.handshakeLabels)
    /// By why an open session ended.
    public var sessionEnds = LabelledCounters(label: "reason", values: CloseReason.labels)
    public var peerDropped: UInt64 = 0
    /// Frames waiting in the fullest queue.
    public var peerQueueDepth = 0
    /// By the way a frame took.
    public var frames = LabelledCounters(label: "path", values: SwitchStats().frames.map(\.path))

    public init() {}

    /// What a switch has counted so far.
    public init(_ overlay: OverlaySwitch) {
        let stats = overlay.stats
        (sessionsActive, peerQueueDepth) = (overlay.openSessions, overlay.txDepthMax)
        (acceptLatency, connectionLifetime) = (stats.acceptLatency, stats.lifetime)
        for (label, count) in zip(SwitchStats.handshakeLabels, stats.handshakeFailures) {
            handshakeFailures[label] = count
        }
        for (label, count) in zip(CloseReason.labels, stats.sessionEnds) { sessionEnds[label] = count }
        for (path, count) in stats.frames { frames[path] = count }
        frames["ctrl"] = overlay.counters.ctrlIn
        peerDropped = overlay.counters.txDropped
    }

    /// Writes every family of the switch.
    public func render(into page: inout PrometheusText, build: BuildInfo) {
        page.info(
            "overlay_build_info", "The build that is running.",
            [("version", build.version), ("git", build.git)])
        page.gauge("overlay_sessions_active", "Open sessions.", sessionsActive)
        page.histogram("overlay_accept_latency_seconds", "Time from accept to HELLO.", acceptLatency)
        page.histogram("overlay_conn_lifetime_seconds", "Life of a closed session.", connectionLifetime)
        page.counters("overlay_handshake_fail_total", "Sessions without a good HELLO.", handshakeFailures)
        page.counters("overlay_session_end_total", "Open sessions that ended, by why.", sessionEnds)
        page.counter("overlay_peer_dropped_total", "Frames dropped because a queue was full.", peerDropped)
        page.gauge("overlay_peer_queue_depth", "Frames in the fullest send queue.", peerQueueDepth)
        page.counters("overlay_frames_total", "Frames received, by the way they took.", frames)
    }
}
