// RO:WHAT  RpcPurpose: why a request was sent, and so which machine hears of its end.
// RO:WHY   The client of requests knows nothing of purposes; the router hands each end to the machine that this names.

/// Why a request was sent.
enum RpcPurpose: Equatable {
    /// A step of an operation's lookup.
    case lookup(OperationID)
    /// An operation's record, sent to a replica; `isRaised` when its version was raised over one met there.
    case store(OperationID, isRaised: Bool)
    /// To see whether a node that asked, or was named, can be reached.
    case verify
    /// To see whether a contact still lives.
    case probe
    /// A record for a node that lacks it, or has an old one; no caller waits.
    case gift
    /// Records for a node that should hold them.
    case copies
    /// On behalf of another node; which one, the forwarded request of that slot says.
    case forwarded(slot: Int)
    /// To any node that hears it at a bootstrap overlay.
    case anyone
}

/// Requests of a node.
typealias NodeRpcs = RpcClient<RpcPurpose>
