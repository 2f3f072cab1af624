// RO:WHAT  PendingRpc: one request on its way, what its timer waits for, and how it may end.
// RO:WHY   Silence is first a hint (the lookup moves on, the answer still counts when late), then a failure; each of
//          these is a state of its own.

/// A request on its way. `Owner` says what it is for; the client never looks at it.
struct PendingRpc<Owner: Equatable> {
    /// What its timer waits for.
    enum Patience {
        /// The working time-out; no other peer is asked in its place before.
        case timeout
        /// The time when most answers are there.
        case expected
        /// The working time-out, that time having passed.
        case overdue
        /// The end of all waiting: the time-out has passed, and an answer still counts.
        case late
        /// It is answered, and a further answer should be there by now, with what others told the peer.
        case further
        /// The end of all waiting for a further answer.
        case furtherLate
    }

    var id: UInt64
    /// The node it asks; zero for any.
    var dst: NodeID
    /// The overlay it went to; the reply must come from there.
    var endpoint: EndpointID
    var sentUs: UInt64
    var op: RpcOp
    var owner: Owner
    var timer = TimerID.none
    var patience = Patience.timeout
    /// Whether the peer's round trip was never measured before.
    var isFirst = false
    /// The working time-out, in microseconds.
    var timeoutUs: UInt32 = 0
    /// A node answered a request to any.
    var isAnswered = false
    /// Steps that it may be passed on; so many further answers may follow the first.
    var recursion: UInt8 = 0
    /// Further answers taken.
    var furtherAnswers: UInt8 = 0

    /// The node it asks, and where.
    var contact: Contact { Contact(id: dst, endpoint: endpoint) }
    /// Whether any node that hears it may answer.
    var isToAnyone: Bool { dst.isZero }
    var isLate: Bool { patience == .late }
    var isFurther: Bool { patience == .further || patience == .furtherLate }
    /// Whether its owner still counts it as in flight.
    var isAwaited: Bool { patience != .late && patience != .furtherLate }
}

/// What the timer of a request, having fired, says of it.
enum RpcExpiry<Owner: Equatable> {
    /// It is later than most answers come; its timer waits for the time-out now.
    case overdue(PendingRpc<Owner>)
    /// Its working time-out has passed; a late answer still counts.
    case timedOut(PendingRpc<Owner>)
    /// No answer came to a request to any node. It is over.
    case unheard(PendingRpc<Owner>)
    /// No answer counts any more. It is over.
    case givenUp(PendingRpc<Owner>)
    /// A further answer is later than most; it still counts when it comes.
    case stuck(PendingRpc<Owner>)
    /// No further answer counts any more. It is over.
    case toldAll(PendingRpc<Owner>)
}
