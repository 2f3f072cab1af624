// RO:WHAT  The publisher's refresh: one walk for each region of the key space, then batches to those who hold it.
// RO:WHY   A hundred thousand records need a hundred thousand lookups when each is put again by itself. Those that
//          are near each other have the same holders, and one walk finds them all.
// RO:METRICS  dht_republished_total, dht_publications

extension DhtNode {
    /// Wait before a walk is tried again for which there was no free call, or that nobody answered.
    private static let republishRetryUs: UInt64 = 1_000_000

    /// A put with the default life has been stored somewhere: it is kept alive from here.
    mutating func publish(_ key: Key, seq: UInt64, value: [UInt8], _ nowUs: UInt64) {
        guard config.republishUs > 0 else { return }
        if !publications.set(key, seq: seq, value: value) { stats.errors[.unpublished] += 1 }
        if republishing.timer == .none, publications.count > 0 { armRepublish(nowUs) }
    }

    /// One bin after the other, so that each record is refreshed once in `republishUs` and the work is spread.
    private mutating func armRepublish(_ nowUs: UInt64, inUs: UInt64? = nil) {
        let meanUs = config.republishUs / UInt64(Publications.binCount)
        let waitUs = inUs ?? UInt64.random(in: (meanUs * 3 / 4)...(meanUs * 5 / 4), using: &generator)
        republishing.timer = wheel.schedule(
            atUs: nowUs + max(1, waitUs), token: TimerToken(.republish).packed)
    }

    /// The next bin's time has come, or a walk is tried again.
    mutating func republish(_ nowUs: UInt64) {
        republishing.timer = .none
        if republishing.left.isEmpty, republishing.walk == nil {
            republishing.left = publications.keys(inBin: republishing.bin)
            republishing.bin = (republishing.bin + 1) % Publications.binCount
        }
        if publications.count > 0 { armRepublish(nowUs) }
        republishOn(nowUs)
    }

    /// Walks to the nodes around the next key, unless the courier is behind.
    mutating func republishOn(_ nowUs: UInt64) {
        guard republishing.walk == nil, !courier.isFull, !replication.isLeaving else { return }
        while let key = republishing.left.last {
            guard publications.find(key) != nil else {
                republishing.left.removeLast()
                continue
            }
            guard let call = openCall(.region, target: key, nowUs) else {
                return tryAgain(nowUs)
            }
            republishing.walk = call.id
            return walk(call, nowUs)
        }
    }

    /// A walk has ended: all keys whose holders it has found go to them.
    mutating func regionFound(_ call: Call, _ nowUs: UInt64) {
        republishing.walk = nil
        let region = Region(around: call.lookup, k: config.k, replica: config.replica)
        let isCutOff = call.lookup.answers < min(config.replica, table.count)
        close(call)
        guard !replication.isLeaving else { return }
        // Who reaches nobody has not found out that there is nobody; nor who reaches fewer than a record needs, while
        // contacts are left: those that are gone leave the table.
        guard !isCutOff else { return tryAgain(nowUs) }
        while let key = republishing.left.last, region.covers(key) {
            republishing.left.removeLast()
            if let published = publications.find(key) { refresh(key, published, region, nowUs) }
        }
        dispatch(nowUs)
        republishOn(nowUs)
    }

    private mutating func tryAgain(_ nowUs: UInt64) {
        wheel.cancel(republishing.timer)
        armRepublish(nowUs, inUs: Self.republishRetryUs)
    }

    private mutating func refresh(
        _ key: Key, _ published: Publications.Publication, _ region: Region, _ nowUs: UInt64
    ) {
        guard store.find(key, nowUs: nowUs).map({ $0.seq <= published.seq }) ?? true else {
            return publications.remove(key)
        }
        stats.republished += 1
        let holders = region.holders(of: key, replica: config.replica)
        let ownDistance = config.id.distance(to: key)
        let keepsHere = holders.count { $0.id.distance(to: key) < ownDistance } < config.replica
        if keepsHere {
            _ = published.value.withUnsafeBytes { value in
                keep(
                    key, seq: published.seq, ttlSeconds: config.ttlSeconds, value: value,
                    isTombstone: false, nowUs)
            }
        }
        for contact in holders.prefix(config.replica - (keepsHere ? 1 : 0)) { courier.add(key, to: contact) }
    }
}

/// The nodes around a key, and how far around it they are all the nodes there are.
struct Region {
    private let center: NodeID
    private let contacts: [Contact]
    /// Keys that share so many bits with the center have all their closest nodes among `contacts`.
    private let sharedBits: Int

    /// What a finished walk has found. Its K closest name every node that shares more bits with the center than
    /// the farthest of them does; those are the closest to any key that shares as many, if they are enough.
    init(around lookup: Lookup, k: Int, replica: Int) {
        center = lookup.target
        let found = lookup.peers.filter { $0.progress == .answered || $0.progress == .fresh }.prefix(k)
        contacts = found.map(\.contact)
        let shared = found.map(\.distance.leadingZeroBitCount)
        let bits = found.count < k ? 0 : (shared.last ?? 0) + 1
        let isEnough = found.count < k || shared.count { $0 >= bits } >= replica
        sharedBits = isEnough ? bits : 256
    }

    /// Whether the walk has found the nodes that should hold `key`.
    func covers(_ key: Key) -> Bool {
        key == center || key.distance(to: center).leadingZeroBitCount >= sharedBits
    }

    /// The `replica` closest of them to `key`, nearest first.
    func holders(of key: Key, replica: Int) -> ArraySlice<Contact> {
        contacts.sorted { $0.id.distance(to: key) < $1.id.distance(to: key) }.prefix(replica)
    }
}
