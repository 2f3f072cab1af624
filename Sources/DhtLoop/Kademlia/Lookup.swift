// RO:WHAT  Lookup: one iterative walk towards a key, as a machine.
// RO:WHY   Kademlia paper, 2.3: ask alpha of the closest known at a time, until the closest known have all
//          answered. Who is asked next and when to stop is decided here, without a clock or a socket.
// RO:INVARIANTS  peers are sorted by distance, without duplicates, at most `capacity`; inFlight counts `asked`.
// RO:TEST  Tests/DhtLoopTests/Kademlia/LookupTests.swift

/// A walk towards `target`. Reused from call to call.
public struct Lookup: Sendable {
    /// How far a peer has come.
    public enum Progress: UInt8, Sendable {
        case fresh
        case asked
        /// Its time-out passed. It no longer holds a slot, but its answer still counts when it comes.
        case silent
        case answered
        /// It will not answer: unreachable, or it refused.
        case failed
    }

    /// A peer of the walk.
    public struct Peer: Sendable {
        public var contact: Contact
        public var distance: NodeID
        public var progress = Progress.fresh
        /// Referrals that led to it: 1 for a peer of the own table.
        public var hop: UInt8
    }

    public private(set) var target = NodeID.zero
    public private(set) var peers: [Peer] = []
    public private(set) var inFlight = 0
    /// Peers that answered.
    public private(set) var answers = 0
    /// The longest chain of referrals to a peer that answered.
    public private(set) var hops = 0
    private var width = 1
    private var k = 1
    private var alpha = 1
    private var ownID = NodeID.zero

    public init() {}

    /// Most peers a walk remembers: enough that K good ones are left when twice as many fail.
    private var capacity: Int { 3 * k + 8 }

    /// Begins a new walk. It ends once the `width` closest known have answered: K to find out that there is
    /// nothing, REPLICA to find out who should hold a record. `k` of them are what a reply may name.
    public mutating func start(target: NodeID, ownID: NodeID, width: Int, k: Int, alpha: Int) {
        (self.target, self.ownID, self.alpha) = (target, ownID, alpha)
        (self.width, self.k) = (width, k)
        (inFlight, answers, hops) = (0, 0, 0)
        peers.removeAll(keepingCapacity: true)
        peers.reserveCapacity(capacity)
    }

    /// Takes in a contact, from the own table (`hop` 1) or from a reply (the replier's hop + 1).
    public mutating func add(_ contact: Contact, hop: UInt8) {
        guard contact.id != ownID, !contact.id.isZero, contact.endpoint != .none else { return }
        let distance = contact.id.distance(to: target)
        let place = position(of: distance)
        if place < peers.count, peers[place].distance == distance { return }
        guard place < capacity else { return }
        if peers.count >= capacity { dropFarthest() }
        peers.insert(Peer(contact: contact, distance: distance, hop: hop), at: min(place, peers.count))
    }

    /// The next peer to ask, marked as asked: nil when alpha are in flight or none of use is left.
    public mutating func next() -> Peer? {
        guard inFlight < alpha else { return nil }
        var good = 0
        for index in peers.indices {
            switch peers[index].progress {
            case .fresh:
                peers[index].progress = .asked
                inFlight += 1
                return peers[index]
            case .asked, .answered:
                good += 1
                if good >= width { return nil }
            case .silent, .failed:
                break
            }
        }
        return nil
    }

    /// Whether the `width` closest known have all answered, silent and failed ones left out.
    public var isFinished: Bool {
        var answered = 0
        for peer in peers {
            switch peer.progress {
            case .fresh, .asked: return false
            case .answered:
                answered += 1
                if answered >= width { return true }
            case .silent, .failed: break
            }
        }
        return true
    }

    /// A peer answered. Returns its hop, or nil when it was not waited for.
    public mutating func answered(_ id: NodeID) -> UInt8? {
        guard let index = index(of: id) else { return nil }
        switch peers[index].progress {
        case .asked: inFlight -= 1
        case .silent: break
        case .fresh, .answered, .failed: return nil
        }
        peers[index].progress = .answered
        answers += 1
        hops = max(hops, Int(peers[index].hop))
        return peers[index].hop
    }

    /// How far a peer has come; nil for one that is not in the walk.
    func progress(of id: NodeID) -> Progress? { index(of: id).map { peers[$0].progress } }

    /// Referrals that led to a peer; 0 for one that is not in the walk.
    func hop(of id: NodeID) -> Int { index(of: id).map { Int(peers[$0].hop) } ?? 0 }

    /// A peer's time-out passed.
    public mutating func silent(_ id: NodeID) { leave(id, as: .silent) }

    /// A peer cannot be reached, or refused.
    public mutating func failed(_ id: NodeID) { leave(id, as: .failed) }

    /// A peer that had failed may be asked after all.
    mutating func revive(_ id: NodeID) {
        if let index = index(of: id), peers[index].progress == .failed { peers[index].progress = .fresh }
    }

    private mutating func leave(_ id: NodeID, as progress: Progress) {
        guard let index = index(of: id) else { return }
        switch peers[index].progress {
        case .asked: inFlight -= 1
        case .silent: break
        case .fresh, .answered, .failed: return
        }
        peers[index].progress = progress
    }

    private func index(of id: NodeID) -> Int? {
        let distance = id.distance(to: target)
        let place = position(of: distance)
        return place < peers.count && peers[place].distance == distance ? place : nil
    }

    /// The first place whose peer is not nearer than `distance`.
    private func position(of distance: NodeID) -> Int {
        var (low, high) = (0, peers.count)
        while low < high {
            let middle = (low + high) / 2
            if peers[middle].distance < distance { low = middle + 1 } else { high = middle }
        }
        return low
    }

    /// Makes room at the far end; a peer in flight gives its slot back.
    private mutating func dropFarthest() {
        if peers.removeLast().progress == .asked { inFlight -= 1 }
    }
}
