// RO:WHAT  How operations end: what a caller of get, put, delete, provide, find providers or ping is told.
// RO:WHY   A caller must be able to tell "no node has it" from "no node said so", and a stored record from one that too
//          few nodes took.

/// Names an operation in progress. A stale name finds nothing.
public typealias OperationID = SlotID

/// Why a replica did not take a record, or a peer gave no answer.
public enum FailureCause: String, Sendable {
    case timeout, unreachable, closed, stale, full, refused, busy, error
    case tooLarge = "too_large"
}

/// A peer that failed a put, and why.
public struct PutFailure: Equatable, Sendable {
    public var peer: NodeID
    public var cause: FailureCause
}

/// How a put ended.
public struct PutResult: Equatable, Sendable {
    public var acks = 0
    /// Acks that make it a success: REPLICA, or every node there is when that is fewer.
    public var wanted = 0
    /// The version that was written.
    public var seq: UInt64 = 0
    public var ttlSeconds: UInt64 = 0
    public var hops = 0
    public var elapsedUs: UInt64 = 0
    public var failed: [PutFailure] = []
}

/// How a get ended.
public struct GetResult: Equatable, Sendable {
    /// The three ways; they are not the same thing to a caller.
    public enum Outcome: Equatable, Sendable {
        case found(value: [UInt8], seq: UInt64, ttlSeconds: UInt64)
        /// The closest nodes all answered, and none has it, or the newest version says that it was deleted.
        case notFound
        /// The deadline cut the search, or nobody answered.
        case timedOut
    }

    public var outcome: Outcome
    /// Length of the chain of referrals to the answer; 0 when it was here.
    public var hops = 0
    public var elapsedUs: UInt64 = 0
    /// Nodes that had a version of the record.
    public var copies = 0
    /// Who was asked, in order; empty unless the call was asked to explain itself.
    public var trace: [TraceStep] = []
}

/// One request of a lookup, for those who want to see how it went.
public struct TraceStep: Equatable, Sendable {
    /// How the peer answered, so far.
    public enum Answer: String, Sendable {
        case waiting, nodes, found, silent, late, unreachable, closed, refused
    }

    public var peer: Contact
    /// Bits of the target that the peer's id shares.
    public var sharedBits: Int
    /// Referrals that led to it.
    public var hop: Int
    /// When it was asked, in microseconds since the call began.
    public var askedUs: UInt64
    /// From asking to the answer; 0 while there is none.
    public var rttUs: UInt64 = 0
    public var answer = Answer.waiting
    /// Contacts that it named.
    public var contacts = 0
}

/// How a search for providers ended.
public struct ProvidersResult: Equatable, Sendable {
    /// A node that has the content, and the seconds its word is good for.
    public struct Provider: Equatable, Sendable {
        public var node: [UInt8]
        public var ttlSeconds: UInt64
    }

    /// Those with the longest life first.
    public var providers: [Provider]
    public var hops = 0
    public var elapsedUs: UInt64 = 0
    /// As many as were asked for, or all that the closest nodes know: nothing cut the search short.
    public var isComplete: Bool
}

/// How a search for one node ended.
public struct PingResult: Equatable, Sendable {
    public enum Outcome: Equatable, Sendable {
        case answered(at: EndpointID, rttUs: UInt64)
        /// Nobody could say where it is.
        case unknown
        /// It is known, and does not answer; or the deadline cut the search.
        case timedOut
    }

    public var outcome: Outcome
    public var hops = 0
    public var elapsedUs: UInt64 = 0
}

/// How an operation ended.
public enum OperationResult: Equatable, Sendable {
    case put(PutResult)
    case get(GetResult)
    case providers(ProvidersResult)
    case ping(PingResult)
}
