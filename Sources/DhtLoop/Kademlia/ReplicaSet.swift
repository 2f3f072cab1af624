// RO:WHAT  ReplicaSet: the nodes that should hold a record, and which of them lack it because of nodes that came and went.
// RO:WHY   A record belongs on the REPLICA nodes closest to its key. Which these are changes only when a neighbour
//          comes or goes; so it is then that copies are made, of what that node's coming or going concerns.
// RO:INVARIANTS  a node is remembered as come or as gone, never as both; both lists are bounded.
// RO:TEST  Tests/DhtLoopTests/Kademlia/ReplicationTests.swift

/// Neighbours that came and went.
struct NeighbourChanges {
    /// Most that are remembered of either kind; the oldest give way. Peers come and go as they like while a look
    /// waits for a slow one.
    static let most = 256

    private(set) var joined: [NodeID] = []
    private(set) var left: [NodeID] = []

    var isEmpty: Bool { joined.isEmpty && left.isEmpty }

    /// A neighbour came. If it had left, copies were made for its going, or are not needed now; it gets its own.
    mutating func join(_ id: NodeID) {
        left.removeAll { $0 == id }
        Self.note(id, in: &joined)
    }

    mutating func leave(_ id: NodeID) {
        joined.removeAll { $0 == id }
        Self.note(id, in: &left)
    }

    private static func note(_ id: NodeID, in ids: inout [NodeID]) {
        guard !ids.contains(id) else { return }
        if ids.count >= most { ids.removeFirst() }
        ids.append(id)
        assert(ids.count <= most, "more changes than are remembered")
    }
}

/// Who should hold a record, as far as this node's table tells.
struct ReplicaSet {
    /// Contacts among the closest REPLICA, nearest first; this node may be one of them.
    private(set) var contacts: [Contact] = []
    /// Holders nearer to the key than this node: all but newcomers. Nil when, without these, it would not be one
    /// of the closest: a holder whom newcomers displace still gives them the record.
    private(set) var ownRank: Int?
    /// The nearest contact that is not among them; nil when there is none.
    private(set) var next: Contact?

    /// Fills the set for `key` from the closest contacts, of which `nearest` holds one more than `replica`.
    mutating func settle(
        _ key: Key, ownID: NodeID, replica: Int, nearest: borrowing ContactList, newcomers: [NodeID]
    ) {
        contacts.removeAll(keepingCapacity: true)
        (ownRank, next) = (nil, nil)
        let ownDistance = ownID.distance(to: key)
        var (place, rank, isPlaced) = (0, 0, false)
        for index in 0..<nearest.count {
            let contact = nearest[index]
            if !isPlaced, ownDistance < contact.id.distance(to: key) {
                isPlaced = true
                if rank < replica { ownRank = rank }
                place += 1
            }
            if place < replica { contacts.append(contact) } else if next == nil { next = contact }
            place += 1
            if !newcomers.contains(contact.id) { rank += 1 }
        }
        if !isPlaced, rank < replica { ownRank = rank }
        assert(contacts.count <= replica && ownRank ?? 0 < max(1, replica), "a set of more than REPLICA")
    }

    /// The members that lack the record because of who came and who went. The set held the record before: of
    /// those who were there before, a member is new when there were REPLICA nearer ones, the gone included.
    func lacking(_ changes: NeighbourChanges, key: Key, ownID: NodeID, replica: Int) -> [Contact] {
        let ownDistance = ownID.distance(to: key)
        var nearer = 0
        return contacts.filter { contact in
            guard !changes.joined.contains(contact.id) else { return true }
            let distance = contact.id.distance(to: key)
            let gone = changes.left.count { $0.distance(to: key) < distance }
            defer { nearer += 1 }
            return nearer + gone + (ownDistance < distance ? 1 : 0) >= replica
        }
    }
}
