// RO:WHAT  CloseReason: why a session ended.
// RO:WHY   Each names a label, so that logs and metrics say the same and the set stays bounded.
// RO:METRICS  overlay_handshake_fail_total{reason}

/// Why a session ended.
public enum CloseReason: Equatable, Sendable {
    /// The peer ended the connection.
    case peerClosed
    /// The peer sent bytes that no peer may send.
    case refused(OapError)
    /// No connection within the time-out.
    case connectTimeout
    /// No complete HELLO within the time-out.
    case handshakeTimeout
    /// Nothing came for the idle time-out.
    case idle
    /// The endpoint's text has no address.
    case noAddress
    /// A system call failed, with this errno.
    case failed(Int32)
    /// It made room for a session that is needed more.
    case evicted
    /// As many sessions as there may be, and none of them can go.
    case noRoom
    /// Its ids were claimed by another, and it did not answer a probe.
    case silent
    /// This side shuts down.
    case shutdown

    /// Nobody needed the session: it says nothing of the peer, and no answer is missed.
    public var isDisuse: Bool { self == .idle || self == .shutdown }

    /// Whether the other side ended it, or could not be reached: its process may be gone.
    public var isRemote: Bool { !isDisuse && self != .evicted && self != .noRoom }

    /// Every label there is, for metrics that show a zero from the start.
    public static let labels =
        [
            "peer_closed", "connect_timeout", "timeout", "idle", "no_address", "io_error", "evicted",
            "no_room", "silent", "shutdown",
        ] + OapError.allCases.map(\.rawValue)

    /// A metric label.
    public var label: String {
        switch self {
        case .peerClosed: "peer_closed"
        case .refused(let error): error.rawValue
        case .connectTimeout: "connect_timeout"
        case .handshakeTimeout: "timeout"
        case .idle: "idle"
        case .noAddress: "no_address"
        case .failed: "io_error"
        case .evicted: "evicted"
        case .noRoom: "no_room"
        case .silent: "silent"
        case .shutdown: "shutdown"
        }
    }
}
