// RO:WHAT  RoutingTable: 256 k-buckets around the own id, and the closest-K walk over them.
// RO:WHY   Bucket order by distance to any target follows from the bits of the target's distance, so the
//          closest K are found without sorting the table.
// RO:INVARIANTS  a contact lies in the bucket of its shared prefix; the own id is never in it;
//                bit i of `occupied` is set exactly when bucket i has a live contact.
// RO:TEST  Tests/DhtLoopTests/Kademlia/RoutingTableTests.swift

/// Contacts by shared prefix length with the own id (Kademlia paper, section 2.4).
public struct RoutingTable: Sendable {
    /// Unanswered requests after which a contact leaves though nobody waits for its place.
    public static let maxFailures: UInt8 = 3
    /// Unanswered requests after which a contact is no longer told to others.
    public static let quietFailures: UInt8 = 2

    /// What `insert` did.
    public enum Insertion: Equatable, Sendable {
        case added
        /// Known already; seen again after so many microseconds, perhaps at another endpoint.
        case updated(silenceUs: UInt64)
        /// The bucket is full: the newcomer is a spare, and this contact, long silent, should be pinged.
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
    /// Live contacts.
    public private(set) var count = 0
    public private(set) var buckets: [KBucket]
    private var occupied = NodeID.zero

    /// `k` is 1...64.
    public init(ownID: NodeID, k: Int) {
        self.ownID = ownID
        self.k = k
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

    /// Whether any contact shares more than `bucket` bits with the own id.
    func hasContacts(deeperThan bucket: Int) -> Bool { 255 - occupied.trailingZeroBitCount > bucket }

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
        if buckets[bucket].count < k {
            add(contact, to: bucket, nowUs: nowUs)
            return .added
        }
        buckets[bucket].addSpare(contact, limit: k)
        return .spare(probe: probe(in: bucket, nowUs: nowUs, staleUs: staleUs))
    }

    /// A full bucket's least recently seen contact, if that is `staleUs` ago and no ping is on its way.
    private mutating func probe(in bucket: Int, nowUs: UInt64, staleUs: UInt64) -> Contact? {
        guard !buckets[bucket].isProbing, let oldest = buckets[bucket].leastRecentlySeen,
            nowUs >= buckets[bucket].states[oldest].lastSeenUs + staleUs
        else { return nil }
        buckets[bucket].isProbing = true
        return buckets[bucket].contact(oldest)
    }

    /// Whether a newcomer with this id would find room.
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

    /// Notes `weight` unanswered requests. A contact with a spare behind it leaves at `quietFailures`, one
    /// without at `maxFailures`: an unsure contact is better than none.
    public mutating func fail(_ id: NodeID, weight: UInt8 = 1, nowUs: UInt64) -> Eviction {
        guard let bucket = bucketIndex(of: id), let index = buckets[bucket].index(of: id) else {
            return .unknown
        }
        buckets[bucket].update(index) {
            $0.failures = $0.failures.addingReportingOverflow(weight).partialValue
        }
        let state = buckets[bucket].states[index]
        let silenceUs = nowUs - min(nowUs, state.lastSeenUs)
        if state.failures >= Self.quietFailures, let spare = buckets[bucket].popSpare() {
            remove(index, from: bucket)
            return .replaced(by: spare, silenceUs: silenceUs)
        }
        guard state.failures >= Self.maxFailures else {
            return .kept(isDoubted: state.failures >= Self.quietFailures)
        }
        remove(index, from: bucket)
        return .evicted(silenceUs: silenceUs)
    }

    // MARK: - What to tend

    /// A contact that others are no longer told of: one more ping decides.
    func doubted() -> Contact? {
        for bucket in buckets {
            if let index = bucket.states.firstIndex(where: { $0.failures >= Self.quietFailures }) {
                return bucket.contact(index)
            }
        }
        return nil
    }

    /// The contacts at `endpoint` among the nearest `limit`, by whole buckets.
    func neighbours(at endpoint: EndpointID, ofNearest limit: Int) -> [Contact] {
        var (found, looked, left) = ([Contact](), 0, occupied)
        while !left.isZero, looked < limit {
            let bucket = 255 - left.trailingZeroBitCount
            left = left.flippingBit(bucket)
            for index in buckets[bucket].states.indices
            where buckets[bucket].states[index].endpoint == endpoint {
                found.append(buckets[bucket].contact(index))
            }
            looked += buckets[bucket].count
        }
        return found
    }

    /// The newest spare of the deepest bucket that has room for it, taken out.
    mutating func takeSpareForRoom() -> Contact? {
        let bucket = buckets.indices.last { !buckets[$0].spares.isEmpty && buckets[$0].count < k }
        return bucket.flatMap { buckets[$0].popSpare() }
    }

    /// The contact that was not seen for longest, if that is `staleUs` ago: of the `limit` nearest to the own
    /// id, or of all.
    func stalest(ofNearest limit: Int = .max, nowUs: UInt64, staleUs: UInt64) -> Contact? {
        var (best, oldestUs, looked) = (Contact?.none, nowUs - min(nowUs, staleUs), 0)
        var left = occupied
        while !left.isZero, looked < limit {
            let bucket = 255 - left.trailingZeroBitCount
            left = left.flippingBit(bucket)
            for index in buckets[bucket].states.indices
            where buckets[bucket].states[index].lastSeenUs < oldestUs {
                oldestUs = buckets[bucket].states[index].lastSeenUs
                best = buckets[bucket].contact(index)
            }
            looked += buckets[bucket].count
        }
        return best
    }

    /// The endpoints of the contacts that answer soonest, so many of each bucket, the fullest buckets' first: those
    /// hold the most of all keys.
    func soonest(perBucket limit: Int) -> [EndpointID] {
        var endpoints: [EndpointID] = []
        var left = occupied
        while !left.isZero {
            let bucket = left.leadingZeroBitCount
            left = left.flippingBit(bucket)
            let good = buckets[bucket].states.filter { $0.failures == 0 && $0.rtt.isMeasured }
            let fastest = good.sorted { $0.rtt.smoothedUs < $1.rtt.smoothedUs }.prefix(limit)
            for state in fastest where !endpoints.contains(state.endpoint) {
                endpoints.append(state.endpoint)
            }
        }
        return endpoints
    }

    /// A bucket in whose range nothing was looked up since `sinceUs`, of those that can hold anyone: no deeper
    /// than the deepest that does.
    func unvisitedBucket(sinceUs: UInt64) -> Int? {
        guard !occupied.isZero else { return nil }
        return (0...(255 - occupied.trailingZeroBitCount)).first { buckets[$0].lastLookupUs < sinceUs }
    }

    private mutating func add(_ contact: Contact, to bucket: Int, nowUs: UInt64) {
        buckets[bucket].append(contact, nowUs: nowUs)
        if buckets[bucket].count == 1 { occupied = occupied.flippingBit(bucket) }
        count += 1
    }

    private mutating func remove(_ index: Int, from bucket: Int) {
        buckets[bucket].remove(at: index)
        if buckets[bucket].count == 0 { occupied = occupied.flippingBit(bucket) }
        count -= 1
    }
}

// MARK: - Closest contacts

extension RoutingTable {
    /// Fills `list` with the `wanted` contacts closest to `target`, nearest first; of those seen since then, in
    /// microseconds.
    ///
    /// With d the distance from the own id to the target, the contacts of bucket i differ from the target
    /// first at bit i exactly when bit i of d is 0. So buckets at the one-bits of d come first, in ascending
    /// order, and those at the zero-bits follow in descending order; only within a bucket is anything sorted.
    public func closest(
        to target: NodeID, _ wanted: Int, seenSinceUs: UInt64 = 0, into list: inout ContactList
    ) {
        list.clear()
        let distance = ownID.distance(to: target)
        var nearer = occupied & distance
        while !nearer.isZero {
            let bucket = nearer.leadingZeroBitCount
            nearer = nearer.flippingBit(bucket)
            appendSorted(bucket, by: target, wanted, seenSinceUs, to: &list)
            if list.count >= wanted { return }
        }
        var farther = occupied & ~distance
        while !farther.isZero {
            let bucket = 255 - farther.trailingZeroBitCount
            farther = farther.flippingBit(bucket)
            appendSorted(bucket, by: target, wanted, seenSinceUs, to: &list)
            if list.count >= wanted { return }
        }
    }

    /// Appends the bucket's contacts nearest to `target` first, until `list` holds `wanted`.
    ///
    /// Contacts of one bucket agree in all bits up to the bucket's, so the 58 bits after it order them: a sort
    /// of plain words with the contact's index in the low 6 (K is at most 64).
    private func appendSorted(
        _ bucket: Int, by target: NodeID, _ wanted: Int, _ seenSinceUs: UInt64, to list: inout ContactList
    ) {
        buckets.withUnsafeBufferPointer { buckets in
            buckets[bucket].ids.withUnsafeBufferPointer { ids in
                buckets[bucket].states.withUnsafeBufferPointer { states in
                    Self.append(ids, states, fromBit: bucket + 1, by: target, wanted, seenSinceUs, to: &list)
                }
            }
        }
    }

    @inline(__always)
    private static func append(
        _ ids: UnsafeBufferPointer<NodeID>, _ states: UnsafeBufferPointer<PeerState>, fromBit bit: Int,
        by target: NodeID, _ wanted: Int, _ seenSinceUs: UInt64, to list: inout ContactList
    ) {
        withUnsafeTemporaryAllocation(of: UInt64.self, capacity: Limits.contactsPerMessage) { order in
            var filled = 0
            for index in ids.indices where states[index].isTold(seenSinceUs) {
                let key = ids[index].distance(to: target).word(fromBit: bit) & ~63 | UInt64(index)
                var place = filled
                while place > 0, order[place - 1] > key {
                    order[place] = order[place - 1]
                    place -= 1
                }
                order[place] = key
                filled += 1
            }
            for key in order[..<min(filled, wanted - list.count)] {
                let index = Int(key & 63)
                list.append(Contact(id: ids[index], endpoint: states[index].endpoint))
            }
        }
    }
}
