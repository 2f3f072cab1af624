// RO:WHAT  RoutingTable: 256 k-buckets around the own id, who gets a place in them, and who loses it.
// RO:WHY   Who is near knows who is nearer (Kademlia paper, 2.2): a few contacts at each distance lead everywhere.
// RO:INVARIANTS  a contact lies in the bucket of its shared prefix; the own id is never in it;
//                bit i of `occupied` is set exactly when bucket i has a live contact.
// RO:TEST  Tests/DhtLoopTests/Kademlia/RoutingTableTests.swift

/// Contacts by shared prefix length with the own id (Kademlia paper, section 2.4).
public struct RoutingTable {
    /// Unanswered requests after which a contact leaves though nobody waits for its place.
    public static let maxFailures: UInt8 = 3
    /// Unanswered requests after which a contact is no longer told to others.
    public static let quietFailures = PeerState.quietFailures

    /// What `insert` did.
    public enum Insertion: Equatable, Sendable {
        case added
        /// Known already; seen again after so many microseconds, perhaps at another endpoint.
        case updated(silenceUs: UInt64)
        /// The newcomer took the place of this contact, whose network held more than its share; that is a spare now.
        case exchanged(for: Contact)
        /// The bucket is full, or the newcomer's network holds its share: it is a spare, and this contact, long
        /// silent, should be pinged.
        case spare(probe: Contact?)
        /// The own id, or a contact without an endpoint.
        case refused
    }

    /// What a failure led to.
    public enum Eviction: Equatable, Sendable {
        /// The contact stays; doubted when others are no longer told of it.
        case kept(isDoubted: Bool)
        /// The contact left, so many microseconds after it was last seen.
        case evicted(silenceUs: UInt64)
        /// So it did, and this spare may have its place once it answers.
        case replaced(by: Contact, silenceUs: UInt64)
        case unknown
    }

    public let ownID: NodeID
    /// Bucket size.
    public let k: Int
    let cap: DiversityCap
    /// Tells the networks of contacts.
    let endpoints: EndpointTable?
    /// Live contacts.
    public private(set) var count = 0
    public private(set) var buckets: [KBucket]
    private(set) var occupied = NodeID.zero

    /// `k` is 1...64; `diversityShare` is how much of a bucket and of the table one network may hold, 0...1, where
    /// `endpoints`, which names the contacts' endpoints, tells that it has one.
    public init(ownID: NodeID, k: Int, diversityShare: Double = 1, endpoints: EndpointTable? = nil) {
        self.ownID = ownID
        self.k = k
        self.endpoints = endpoints
        cap = DiversityCap(share: endpoints == nil ? 1 : diversityShare, k: k)
        buckets = [KBucket](repeating: KBucket(), count: 256)
    }

    /// The bucket of `id`: the length of the prefix it shares with the own id. Nil for the own id.
    @inline(__always)
    public func bucketIndex(of id: NodeID) -> Int? {
        let prefix = ownID.distance(to: id).leadingZeroBitCount
        return prefix < 256 ? prefix : nil
    }

    /// The state of a live contact.
    public func state(of id: NodeID) -> PeerState? {
        guard let bucket = bucketIndex(of: id), let index = buckets[bucket].index(of: id) else { return nil }
        return buckets[bucket].states[index]
    }

    /// Adds the endpoints of contacts and spares.
    func addEndpoints(to used: inout Set<EndpointID>) {
        for bucket in buckets {
            for state in bucket.states { used.insert(state.endpoint) }
            for spare in bucket.spares { used.insert(spare.endpoint) }
        }
    }

    /// The buckets that hold a contact, the deepest first: there lie the nearest.
    var deepestFirst: DeepestFirst { DeepestFirst(occupied) }

    /// The deepest bucket that holds a contact; nil when none does.
    var deepest: Int? { deepestFirst.first { _ in true } }

    /// Changes the state of `id` if it is a live contact; false when it is not.
    @discardableResult
    @inline(__always)
    mutating func update(_ id: NodeID, _ change: (inout PeerState) -> Void) -> Bool {
        guard let bucket = bucketIndex(of: id), let index = buckets[bucket].index(of: id) else {
            return false
        }
        buckets[bucket].update(index, change)
        return true
    }

    /// Takes in a contact that answered us. In a full bucket it waits as a spare, for whose sake a contact is
    /// pinged that was not seen for `staleUs`.
    public mutating func insert(_ contact: Contact, nowUs: UInt64, staleUs: UInt64 = 0) -> Insertion {
        guard let bucket = bucketIndex(of: contact.id), contact.endpoint != .none else { return .refused }
        var silenceUs: UInt64 = 0
        let known = update(contact.id) { state in
            silenceUs = nowUs - min(nowUs, state.lastSeenUs)
            state.endpoint = contact.endpoint
            state.lastSeenUs = nowUs
            state.failures = 0
        }
        if known { return .updated(silenceUs: silenceUs) }
        return settle(contact, in: bucket, nowUs: nowUs, staleUs: staleUs)
    }

    /// Finds a newcomer a place, its own or that of a contact whose network has more than its share.
    private mutating func settle(
        _ contact: Contact, in bucket: Int, nowUs: UInt64, staleUs: UInt64
    ) -> Insertion {
        let isFull = buckets[bucket].count >= k
        let excess = overdrawn(in: bucket, besides: network(of: contact.endpoint))
        guard !isFull || excess != nil, admits(contact.endpoint, to: bucket) else {
            addSpare(contact, to: bucket)
            return .spare(probe: isFull ? probe(in: bucket, nowUs: nowUs, staleUs: staleUs) : nil)
        }
        guard let excess else {
            add(contact, to: bucket, nowUs: nowUs)
            return .added
        }
        let leaver = buckets[bucket].contact(excess)
        remove(excess, from: bucket)
        add(contact, to: bucket, nowUs: nowUs)
        addSpare(leaver, to: bucket)
        return .exchanged(for: leaver)
    }

    private mutating func addSpare(_ contact: Contact, to bucket: Int) {
        buckets[bucket].addSpare(contact)
        if buckets[bucket].spares.count > k { buckets[bucket].takeSpare(at: dispensableSpare(in: bucket)) }
        assert(buckets[bucket].spares.count <= k, "more spares than contacts")
    }

    /// A full bucket's least recently seen contact, if that is `staleUs` ago and no ping is on its way.
    private mutating func probe(in bucket: Int, nowUs: UInt64, staleUs: UInt64) -> Contact? {
        guard !buckets[bucket].isProbing, let oldest = buckets[bucket].leastRecentlySeen,
            nowUs >= buckets[bucket].states[oldest].lastSeenUs + staleUs
        else { return nil }
        assert(buckets[bucket].count >= k, "a contact is asked for its place while one is free")
        buckets[bucket].isProbing = true
        return buckets[bucket].contact(oldest)
    }

    /// Whether there is a free place where a contact with this id belongs; its network may yet have its share.
    public func hasRoom(for id: NodeID) -> Bool {
        guard let bucket = bucketIndex(of: id), buckets[bucket].count < k else { return false }
        return buckets[bucket].index(of: id) == nil
    }

    /// Whether `hear` would make a spare of it, or look for a place for it.
    @inline(__always)
    func mayHear(of id: NodeID) -> Bool {
        guard let bucket = bucketIndex(of: id) else { return false }
        return buckets[bucket].spares.count < k
    }

    /// Notes a contact that somebody named, or that asked us: a spare, if that displaces nobody, until it
    /// answers. Returns a contact that should be pinged for its sake.
    mutating func hear(_ contact: Contact, nowUs: UInt64, staleUs: UInt64) -> Contact? {
        guard let bucket = bucketIndex(of: contact.id), contact.endpoint != .none,
            buckets[bucket].index(of: contact.id) == nil
        else { return nil }
        buckets[bucket].hear(contact, limit: k)
        return buckets[bucket].count < k ? nil : probe(in: bucket, nowUs: nowUs, staleUs: staleUs)
    }

    /// Notes that a key near `target` is being looked up.
    mutating func noteLookup(_ target: NodeID, nowUs: UInt64) {
        if let bucket = bucketIndex(of: target) { buckets[bucket].lastLookupUs = nowUs }
    }

    /// The ping of a full bucket's oldest contact has ended, either way.
    mutating func endProbe(of id: NodeID) {
        if let bucket = bucketIndex(of: id) { buckets[bucket].isProbing = false }
    }

    /// Notes `weight` unanswered requests, 1 or more. A contact with a spare behind it leaves at `quietFailures`, one
    /// without at `maxFailures`: an unsure contact is better than none.
    public mutating func fail(_ id: NodeID, weight: UInt8 = 1, nowUs: UInt64) -> Eviction {
        guard let bucket = bucketIndex(of: id), let index = buckets[bucket].index(of: id) else {
            return .unknown
        }
        buckets[bucket].update(index) { $0.failures += min(weight, .max - $0.failures) }
        let state = buckets[bucket].states[index]
        let silenceUs = nowUs - min(nowUs, state.lastSeenUs)
        let spares = buckets[bucket].spares
        if state.failures >= Self.quietFailures,
            let place = spares.lastIndex(where: {
                admits($0.endpoint, to: bucket, insteadOf: state.endpoint)
            })
        {
            let spare = buckets[bucket].takeSpare(at: place)
            remove(index, from: bucket)
            return .replaced(by: spare, silenceUs: silenceUs)
        }
        guard state.failures >= Self.maxFailures else {
            return .kept(isDoubted: state.failures >= Self.quietFailures)
        }
        remove(index, from: bucket)
        return .evicted(silenceUs: silenceUs)
    }

    /// The newest spare that may have a place in the deepest bucket that has one for it, taken out.
    mutating func takeSpareForRoom() -> Contact? {
        for bucket in buckets.indices.reversed() where !buckets[bucket].spares.isEmpty {
            if let place = promisingSpare(in: bucket) { return buckets[bucket].takeSpare(at: place) }
        }
        return nil
    }

    private mutating func add(_ contact: Contact, to bucket: Int, nowUs: UInt64) {
        assert(bucketIndex(of: contact.id) == bucket, "a contact in another's bucket")
        buckets[bucket].append(contact, nowUs: nowUs)
        if buckets[bucket].count == 1 { occupied = occupied.flippingBit(bucket) }
        assert(buckets[bucket].count <= k && occupied.bit(bucket), "a bucket over its size, or not marked")
        count += 1
    }

    private mutating func remove(_ index: Int, from bucket: Int) {
        buckets[bucket].remove(at: index)
        if buckets[bucket].count == 0 { occupied = occupied.flippingBit(bucket) }
        assert(count > 0 && occupied.bit(bucket) == (buckets[bucket].count > 0), "contacts are miscounted")
        count -= 1
    }
}

/// The one-bits of an id, the last first.
struct DeepestFirst: Sequence, IteratorProtocol {
    private var left: NodeID

    init(_ bits: NodeID) { left = bits }

    mutating func next() -> Int? {
        guard !left.isZero else { return nil }
        let bit = 255 - left.trailingZeroBitCount
        left = left.flippingBit(bit)
        return bit
    }
}
