// RO:WHAT  Call: one put, get or look around in progress; CallTable: all of them, by slot and generation.
// RO:WHY   A call outlives many events; a late reply must find it, or find that it is over.
// RO:INVARIANTS  a CallID of an ended call never finds another one; the table is bounded.

/// Names a call. A stale name finds nothing.
public struct CallID: Hashable, Sendable {
    public let slot: UInt32
    public let generation: UInt32
}

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

/// How a call ended.
public enum CallResult: Equatable, Sendable {
    case put(PutResult)
    case get(GetResult)
    case providers(ProvidersResult)
    case ping(PingResult)
}

/// A version of a record, as a search has met it.
struct Version {
    var seq: UInt64
    var ttlSeconds: UInt64
    var value: [UInt8]
    var isTombstone: Bool

    /// Whether this is to be kept of the two: the higher seq, then a tombstone, then the greater bytes.
    func wins(over other: Version) -> Bool {
        if seq != other.seq { return seq > other.seq }
        if isTombstone != other.isTombstone { return isTombstone }
        return other.value.lexicographicallyPrecedes(value)
    }
}

extension Version {
    /// A copy of what is stored here, with the life that it has left.
    init(stored: StoredRecord, _ nowUs: UInt64) {
        self.init(
            seq: stored.seq, ttlSeconds: DhtNode.secondsLeft(until: stored.expiresAtUs, nowUs),
            value: Array(stored.value), isTombstone: stored.isTombstone)
    }
}

/// A call in progress. Pooled: its arrays keep their memory from call to call.
final class Call {
    enum Kind { case get, put, provide, findProviders, ping, lookAround, region }

    var id = CallID(slot: 0, generation: 0)
    var kind = Kind.get
    var lookup = Lookup()
    var startUs: UInt64 = 0
    /// Fires when the call's time is up, or earlier, when it waits for busy peers.
    var deadline = TimerID.none
    /// Peers it comes back to when they may be asked.
    var busy: [BusyPeer] = []

    // A put, or a provide.

    /// The record being put, or the node URI being announced.
    var value: [UInt8] = []
    var isTombstone = false
    /// It has the default life, and is kept alive from here.
    var isPublished = false
    var result = PutResult()
    var isStoring = false
    /// Nodes that could store it, as far as the walk has heard.
    var nodesThere = 0
    /// The version was raised over one that a replica had; once is enough.
    var hasRaisedSeq = false
    /// Puts sent and neither answered nor given up.
    var storesInFlight = 0
    /// Those of them that are later than most answers come.
    var storesOverdue = 0
    /// Position in the lookup's peers of the next one to store at.
    var storeCursor = 0
    /// Peers that said they have it.
    var takers: [NodeID] = []
    /// Peers that were silent once and may be asked again.
    var storeRetries: [Contact] = []

    // A get, or a search for providers.

    /// Copies to compare before the newest is believed.
    var quorum = 1
    var best: Version?
    /// Who had which version.
    var holders: [(contact: Contact, version: Version)] = []
    /// Gets of the same key that share this walk.
    var followers: [CallID] = []
    var isExplained = false
    var trace: [TraceStep] = []
    /// Providers found so far, by URI.
    var found: [[UInt8]: UInt64] = [:]
    var limit = 0

    /// Forgets one call, and keeps memory for the next.
    func reset() {
        value = []
        busy.removeAll(keepingCapacity: true)
        (isTombstone, isPublished, isStoring) = (false, false, false)
        (hasRaisedSeq, isExplained) = (false, false)
        result = PutResult()
        (storesInFlight, storesOverdue, storeCursor, nodesThere) = (0, 0, 0, 0)
        takers.removeAll(keepingCapacity: true)
        storeRetries.removeAll(keepingCapacity: true)
        (quorum, limit) = (1, 0)
        best = nil
        holders.removeAll(keepingCapacity: true)
        followers.removeAll(keepingCapacity: true)
        trace = []
        found = [:]
    }
}

/// Calls by slot. Ended ones are reused.
struct CallTable {
    private var calls: [Call] = []
    private var isOpen: [Bool] = []
    private var free: [UInt32] = []
    private let limit: Int

    init(limit: Int) { self.limit = limit }

    var count: Int { calls.count - free.count }

    /// A fresh call; nil when the table is full.
    mutating func open(_ kind: Call.Kind, nowUs: UInt64) -> Call? {
        let call: Call
        if let slot = free.popLast() {
            call = calls[Int(slot)]
            isOpen[Int(slot)] = true
        } else {
            guard calls.count < limit else { return nil }
            call = Call()
            call.id = CallID(slot: UInt32(calls.count), generation: 1)
            calls.append(call)
            isOpen.append(true)
        }
        call.kind = kind
        call.startUs = nowUs
        return call
    }

    /// The call of that name, if it is still going on.
    subscript(id: CallID) -> Call? {
        guard id.slot < calls.count, isOpen[Int(id.slot)], calls[Int(id.slot)].id == id else { return nil }
        return calls[Int(id.slot)]
    }

    /// The call in a slot, for a timer that names no more than that.
    subscript(slot slot: Int) -> Call? { slot < calls.count && isOpen[slot] ? calls[slot] : nil }

    mutating func close(_ call: Call) {
        let slot = call.id.slot
        isOpen[Int(slot)] = false
        call.id = CallID(slot: slot, generation: call.id.generation &+ 1)
        call.reset()
        free.append(slot)
    }

    /// Adds the endpoints that calls in progress know of.
    func addEndpoints(to used: inout Set<EndpointID>) {
        for slot in calls.indices where isOpen[slot] {
            for peer in calls[slot].lookup.peers { used.insert(peer.contact.endpoint) }
            for contact in calls[slot].storeRetries { used.insert(contact.endpoint) }
        }
    }
}
