// RO:WHAT  Replication: who came and who went since records were last looked through, and how far the look is.
// RO:WHY   A record belongs on the REPLICA nodes closest to its key. Who these are changes only when a neighbour
//          comes or goes; so it is then that copies are made, of what that node's coming or going concerns.
// RO:INVARIANTS  the timer is armed exactly while there is something to look through, or a look is under way.
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
    }
}

/// The state of a node's re-replication.
struct Replication {
    /// Why the store is being looked through.
    enum Reason {
        case changes(NeighbourChanges)
        /// This node is about to stop: what it holds goes to those who take its place.
        case leaving
    }

    /// A walk through the store.
    struct Pass {
        var reason: Reason
        /// Where to go on, see `RecordStore.visitKeys`; nil once all was seen.
        var position: UInt64? = 0
    }

    /// Longest wait between a change and the look for what it concerns: others who come with it are dealt
    /// with in one.
    static let patienceUs: UInt64 = 1_000_000
    /// Records looked at in one turn, and the time between two turns.
    static let turnRecords = 256
    static let turnUs: UInt64 = 5_000
    /// How many of the closest holders make a copy that is missing. One may not have noticed, or be gone.
    static let senders = 2
    /// Of the other holders each does so at a chance that makes it one in so many changes: those who seem to be the
    /// closest holders may be newcomers who never got the record, and then nobody else would see to it.
    static let sparesEvery = 2

    var changes = NeighbourChanges()
    var pass: Pass?
    var timer = TimerID.none
    /// No change is followed any more: the node is leaving.
    var isLeaving = false
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
