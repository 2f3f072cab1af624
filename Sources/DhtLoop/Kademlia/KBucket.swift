// RO:WHAT  KBucket: up to k contacts that share one prefix length with the own id, and spares behind them.
// RO:WHY   Long-lived contacts are the ones that stay (Kademlia paper, 2.2 and 4.1): a full bucket keeps its
//          old ones, and a newcomer waits in the replacement cache until one of them fails.
// RO:INVARIANTS  at most k contacts and k spares; no id twice; the first `heard` spares never answered us.
// RO:TEST  Tests/DhtLoopTests/Kademlia/RoutingTableTests.swift

/// What is known of a contact besides its id.
public struct PeerState: Equatable, Sendable {
    /// Unanswered requests after which a contact is no longer told to others.
    public static let quietFailures: UInt8 = 2

    public var endpoint: EndpointID
    public var rtt = RttEstimator()
    /// When it last answered or asked, in microseconds.
    public var lastSeenUs: UInt64
    /// Unanswered requests since then.
    public var failures: UInt8 = 0

    /// Whether others should hear of it.
    @inline(__always)
    func isTold(_ seenSinceUs: UInt64) -> Bool {
        failures < Self.quietFailures && lastSeenUs >= seenSinceUs
    }
}

/// One bucket. Order is by `lastSeenUs`, found when needed: noting a peer costs one store, not a move.
public struct KBucket: Sendable {
    /// Ids apart from the rest, so that a search by id reads no more than it must.
    public private(set) var ids: [NodeID] = []
    public private(set) var states: [PeerState] = []
    /// Those that answered us last, behind those that were only heard of.
    public private(set) var spares: [Contact] = []
    /// How many of the spares were only heard of.
    private(set) var heard = 0
    /// Whether the least recently seen contact is being pinged for a newcomer's sake.
    var isProbing = false
    /// When a key of the bucket's range was last looked up, in microseconds.
    var lastLookupUs: UInt64 = 0

    public var count: Int { ids.count }

    /// The position of `id` among the live contacts.
    @inline(__always)
    public func index(of id: NodeID) -> Int? {
        for index in ids.indices where ids[index] == id { return index }
        return nil
    }

    /// The live contact that was seen longest ago; nil when the bucket is empty.
    public var leastRecentlySeen: Int? {
        states.indices.min { states[$0].lastSeenUs < states[$1].lastSeenUs }
    }

    func contact(_ index: Int) -> Contact { Contact(id: ids[index], endpoint: states[index].endpoint) }

    @inline(__always)
    mutating func update(_ index: Int, _ change: (inout PeerState) -> Void) { change(&states[index]) }

    mutating func append(_ contact: Contact, nowUs: UInt64) {
        dropSpare(contact.id)
        assert(index(of: contact.id) == nil, "a contact is in its bucket twice")
        ids.append(contact.id)
        states.append(PeerState(endpoint: contact.endpoint, lastSeenUs: nowUs))
        assert(ids.count == states.count, "ids and states differ in number")
    }

    mutating func remove(at index: Int) {
        ids.remove(at: index)
        states.remove(at: index)
        assert(ids.count == states.count, "ids and states differ in number")
    }

    /// Puts `contact`, which answered us, last among the spares.
    mutating func addSpare(_ contact: Contact) {
        dropSpare(contact.id)
        spares.append(contact)
        assert(index(of: contact.id) == nil && heard < spares.count, "a contact is its own spare")
    }

    /// Puts a contact that was only heard of first, where it displaces nobody.
    mutating func hear(_ contact: Contact, limit: Int) {
        guard spares.count < limit, !spares.contains(where: { $0.id == contact.id }) else { return }
        spares.insert(contact, at: 0)
        heard += 1
        assert(heard <= spares.count && spares.count <= limit, "spares are miscounted")
    }

    /// Takes a spare out.
    @discardableResult
    mutating func takeSpare(at index: Int) -> Contact {
        assert(heard >= 0 && heard <= spares.count, "spares are miscounted")
        if index < heard { heard -= 1 }
        return spares.remove(at: index)
    }

    private mutating func dropSpare(_ id: NodeID) {
        if let index = spares.firstIndex(where: { $0.id == id }) { takeSpare(at: index) }
    }
}
