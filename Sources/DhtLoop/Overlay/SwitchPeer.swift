// RO:WHAT  What the switch knows of one session, how others name it, and the switch's limits.
// RO:WHY   A link outlives its session in somebody's hands: slot and generation tell a successor apart.

/// Names the session that a frame came in on, to answer over it.
public struct SwitchLink: Hashable, Sendable {
    /// Slot and generation in one word, for those who store it.
    public let rawValue: UInt64

    public init(rawValue: UInt64) { self.rawValue = rawValue }

    init(slot: Int, generation: UInt32) { rawValue = UInt64(generation) << 32 | UInt64(slot) }

    /// The local port itself: what is sent there is delivered at the end of the turn.
    public static let local = SwitchLink(rawValue: .max)

    var slot: Int { Int(rawValue & 0xFFFF_FFFF) }
    var generation: UInt32 { UInt32(truncatingIfNeeded: rawValue >> 32) }
}

/// The switch's limits; times in microseconds.
public struct SwitchPolicy: Equatable, Sendable {
    /// Sessions at once; a connection over it is closed as soon as it is accepted.
    public var maxSessions = 1024
    public var handshakeTimeoutUs: UInt64 = 2_000_000
    /// Without a byte from a session, until it is closed; after half of it in silence it gets a heartbeat.
    public var idleTimeoutUs: UInt64 = 900_000_000
    /// From a probe until its session is closed for its silence.
    public var probeTimeoutUs: UInt64 = 2_000_000
    /// Ids that one session may hold.
    public var idsPerSession = 64
    /// Sessions that one frame for "any node" goes to.
    public var gossipFanout = 8
    /// Whether the first frames of a session may come with its SYN.
    public var fastOpen = FastOpen.cookie

    public init() {}
}

/// One slot of the switch's table of sessions.
struct SwitchPeer {
    /// A node id that the session was first to send from, with the network it did so in.
    struct Claim {
        var id: NodeID
        var net: UInt64
    }

    static let noMember = -1

    var session: OverlaySession?
    /// Grows when the session ends.
    var generation: UInt32 = 0
    /// Source of the latest frame, known to be this session's; zero for none.
    var lastSource = NodeID.zero
    var claims: [Claim] = []
    /// Place in the list of sessions that hold an id.
    var memberIndex = Self.noMember
    /// Armed while an answer to a probe is awaited.
    var probe = Alarm()
    var probedUs: UInt64 = 0
}
