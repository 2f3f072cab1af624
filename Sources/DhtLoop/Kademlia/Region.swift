// RO:WHAT  Region: the nodes around a key, and how far around it they are all the nodes there are.
// RO:WHY   Records that are near each other have the same holders: one walk finds them for all.
// RO:TEST  Tests/DhtLoopTests/Kademlia/RepublishTests.swift

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
        assert(contacts.count <= k && sharedBits <= 256, "a region of more nodes than a walk finds")
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
