// RO:WHAT  CloseReason: why a session ended.
// RO:WHY   Each names a label, so that logs and metrics say the same and the set stays bounded.
// RO:METRICS  overlay_handshake_fail_total{reason}

import Glibc

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
    /// A system call on the connection failed, with this errno.
    case failed(Int32)
    /// The event loop could not go on watching its socket, with this errno of epoll_ctl: nothing would have woken it.
    case unwatched(Int32)
    /// It made room for a session that is needed more.
    case evicted
    /// As many sessions as there may be, and none of them can go.
    case noRoom
    /// Its ids were claimed by another, and it did not answer a probe.
    case silent
    /// This side shuts down.
    case shutdown

    /// What a failed call makes of the session it was for.
    init(_ error: SystemError) {
        self = error.operation == "epoll_ctl" ? .unwatched(error.code) : .failed(error.code)
    }

    /// Nobody needed the session: it says nothing of the peer, and no answer is missed.
    public var isDisuse: Bool { self == .idle || self == .shutdown }

    /// Whether the other side ended it, or could not be reached: its process may be gone.
    public var isRemote: Bool {
        switch self {
        case .idle, .shutdown, .evicted, .noRoom, .unwatched: false
        case .peerClosed, .refused, .connectTimeout, .handshakeTimeout, .noAddress, .failed, .silent: true
        }
    }

    /// What the system said, where it was the system that ended it.
    public var detail: String? {
        switch self {
        case .failed(let code): String(cString: strerror(code))
        case .unwatched(let code): SystemError(operation: "epoll_ctl", code: code).description
        default: nil
        }
    }

    /// Every label there is, for metrics that show a zero from the start.
    public static let labels =
        [
            "peer_closed", "connect_timeout", "timeout", "idle", "no_address", "io_error", "unwatched",
            "evicted", "no_room", "silent", "shutdown",
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
        case .unwatched: "unwatched"
        case .evicted: "evicted"
        case .noRoom: "no_room"
        case .silent: "silent"
        case .shutdown: "shutdown"
        }
    }
}
