// RO:WHAT  Lookup: one iterative walk towards a key, on one path or on several disjoint ones, as a machine.
// RO:WHY   Kademlia paper, 2.3: ask alpha of the closest known at a time, until the closest known have all
//          answered. Who is asked next and when to stop is decided here, without a clock or a socket.
//          S/Kademlia, 4.4: on disjoint paths a liar spoils only the path that it is on; and who named nobody
//          that is there is believed last.
// RO:INVARIANTS  peers are sorted by distance, without duplicates, at most `capacity` a path; a path's
//                inFlight counts its `asked` and `overdue` ones, and those who have more to tell.
// RO:TEST  Tests/DhtLoopTests/Kademlia/LookupTests.swift

/// A walk towards `target`. Reused from call to call.
public struct Lookup: Sendable {
    /// How a walk goes.
    public struct Plan: Sendable {
        /// It ends once so many of the closest known have answered: K to find out that there is nothing,
        /// fewer to find out who should hold a record.
        public var width: Int
        /// Contacts that a reply may name.
        public var k: Int
        /// Requests in flight, shared among the paths; each path has at least one.
        public var alpha: Int
        /// Requests that may be sent beyond alpha, one for each that is overdue.
        public var beta = 0
        /// Disjoint paths: no peer is asked on two.
        public var paths = 1
        /// Whether the end waits for those that are overdue though `width` others have answered.
        public var waitsForOverdue = true

        public init(width: Int, k: Int, alpha: Int) { (self.width, self.k, self.alpha) = (width, k, alpha) }
    }

    /// How far a peer has come.
    public enum Progress: UInt8, Sendable {
        case fresh
        case asked
        /// Asked, and later than most answers come.
        case overdue
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
        /// Smoothed round-trip time in microseconds; `UInt32.max` while it was never measured.
        public var rttUs: UInt32
        public var progress = Progress.fresh
        /// Referrals that led to it: 1 for a peer of the own table.
        public var hop: UInt8
        /// The path it belongs to.
        public var path: UInt8
        /// It answered, and will hand on what others tell it: until then it holds a slot.
        fileprivate(set) var isTelling = false
        /// Who named it, in `referrers`.
        fileprivate var referrer: UInt8
    }

    /// What became of those whom one peer has named.
    private struct Referrer {
        var id: NodeID
        var answered = 0
        var lost = 0

        /// Three were asked, and none was there: the others it named are asked when nobody else is left.
        var isDoubted: Bool { answered == 0 && lost >= 3 }
    }

    /// What there is on a path.
    private struct Path {
        var peers = 0
        var inFlight = 0
        var overdue = 0
    }

    public private(set) var target = NodeID.zero
    public private(set) var peers: [Peer] = []
    /// Peers that answered.
    public private(set) var answers = 0
    /// The longest chain of referrals to a peer that answered.
    public private(set) var hops = 0
    private var plan = Plan(width: 1, k: 1, alpha: 1)
    private var paths: [Path] = [Path()]
    /// The own table, and then those who named peers; bounded, as a peer's reference to them is.
    private var referrers = [Referrer(id: .zero)]
    /// The path whose turn it is: to be given a peer of the table, or to ask.
    private var turn = 0
    private var ownID = NodeID.zero

    public init() {}

    /// Requests that hold a slot.
    public var inFlight: Int { paths.reduce(0) { $0 + $1.inFlight } }
    /// Requests in flight beyond alpha.
    public var hedges: Int { paths.reduce(0) { $0 + max(0, $1.inFlight - pathAlpha) } }

    /// Most peers a path remembers: enough that K good ones are left when twice as many fail.
    private var capacity: Int { 3 * plan.k / paths.count + 8 }
    private var pathAlpha: Int { max(1, plan.alpha / paths.count) }
    private var pathWidth: Int { (plan.width + paths.count - 1) / paths.count }

    /// Begins a new walk.
    public mutating func start(target: NodeID, ownID: NodeID, plan: Plan) {
        (self.target, self.ownID, self.plan) = (target, ownID, plan)
        (answers, hops, turn) = (0, 0, 0)
        paths.removeAll(keepingCapacity: true)
        for _ in 0..<max(1, plan.paths) { paths.append(Path()) }
        referrers.removeAll(keepingCapacity: true)
        referrers.append(Referrer(id: ownID))
        peers.removeAll(keepingCapacity: true)
        peers.reserveCapacity(capacity * paths.count)
        assert(
            inFlight == 0 && paths.count == max(1, plan.paths),
            "a new walk begins with the old one's requests")
    }

    /// Takes in a contact of the own table. They are dealt to the paths in turn.
    public mutating func add(_ contact: Contact, rttUs: UInt32 = .max) {
        if insert(contact, rttUs: rttUs, hop: 1, path: turn, referrer: 0) { turn = (turn + 1) % paths.count }
    }

    /// Takes in a contact that `referrer`, who is in the walk, has named: itself, or by handing on what others told
    /// it, `steps` referrals away.
    public mutating func add(
        _ contact: Contact, rttUs: UInt32 = .max, from referrer: NodeID, steps: UInt8 = 1
    ) {
        guard let index = index(of: referrer) else { return }
        let hop = UInt8(min(Int(peers[index].hop) + Int(steps), 255))
        let path = Int(peers[index].path)
        _ = insert(contact, rttUs: rttUs, hop: hop, path: path, referrer: place(ofReferrer: referrer))
    }

    private mutating func place(ofReferrer id: NodeID) -> UInt8 {
        if referrers[referrers.count - 1].id == id { return UInt8(referrers.count - 1) }
        if let place = referrers.firstIndex(where: { $0.id == id }) { return UInt8(place) }
        guard referrers.count <= Int(UInt8.max) else { return UInt8.max }
        referrers.append(Referrer(id: id))
        assert(referrers.count <= Int(UInt8.max) + 1, "a referrer that no peer can name")
        return UInt8(referrers.count - 1)
    }

    private mutating func insert(
        _ contact: Contact, rttUs: UInt32, hop: UInt8, path: Int, referrer: UInt8
    ) -> Bool {
        guard contact.id != ownID, !contact.id.isZero, contact.endpoint != .none else { return false }
        let distance = contact.id.distance(to: target)
        let place = position(of: distance)
        if place < peers.count, peers[place].distance == distance {
            if isDoubted(peers[place]), Int(peers[place].path) == path { peers[place].referrer = referrer }
            return false
        }
        if paths[path].peers >= capacity {
            guard dropFarthest(of: path, beyond: place) else { return false }
        }
        let peer = Peer(
            contact: contact, distance: distance, rttUs: rttUs, hop: hop,
            path: UInt8(truncatingIfNeeded: path), referrer: referrer)
        peers.insert(peer, at: place)
        paths[path].peers += 1
        assert(paths[path].peers <= capacity, "a path over its capacity")
        assert(place == 0 || peers[place - 1].distance < distance, "peers out of order")
        assert(place + 1 == peers.count || distance < peers[place + 1].distance, "peers out of order")
        return true
    }

    /// Makes room by forgetting a path's farthest peer, if that is farther than `place`; a peer in flight
    /// gives its slot back.
    private mutating func dropFarthest(of path: Int, beyond place: Int) -> Bool {
        var last = peers.count - 1
        while last >= place, Int(peers[last].path) != path { last -= 1 }
        guard last >= place else { return false }
        releaseSlot(of: last)
        peers.remove(at: last)
        paths[path].peers -= 1
        return true
    }

    /// The next peer to ask, marked as asked: nil when enough are in flight or none of use is left.
    public mutating func next() -> Peer? {
        for step in paths.indices {
            let path = (turn + step) % paths.count
            let limit = pathAlpha + min(paths[path].overdue, plan.beta)
            guard paths[path].inFlight < limit, let index = nextFresh(on: path) else { continue }
            turn = (path + 1) % paths.count
            peers[index].progress = .asked
            paths[path].inFlight += 1
            assert(paths[path].inFlight <= limit, "more requests than the plan allows")
            return peers[index]
        }
        return nil
    }

    private func isDoubted(_ peer: Peer) -> Bool { referrers[Int(peer.referrer)].isDoubted }

    /// The closest peer of a path that was not asked, unless enough closer ones were; of those that are as
    /// close, to the bit, the one that answers soonest. Those whom a doubted referrer named come last.
    private func nextFresh(on path: Int) -> Int? {
        var (good, doubted) = (0, Int?.none)
        for index in peers.indices where Int(peers[index].path) == path {
            switch peers[index].progress {
            case .fresh where isDoubted(peers[index]):
                doubted = doubted ?? index
            case .fresh:
                return soonest(from: index)
            case .asked, .answered:
                good += 1
                if good >= pathWidth { return nil }
            case .overdue:
                good += plan.beta > 0 && !plan.waitsForOverdue ? 0 : 1
                if good >= pathWidth { return nil }
            case .silent, .failed:
                break
            }
        }
        return doubted
    }

    private func soonest(from first: Int) -> Int {
        var best = first
        let magnitude = peers[first].distance.leadingZeroBitCount
        for index in peers.indices[first...].dropFirst() {
            guard peers[index].distance.leadingZeroBitCount == magnitude else { break }
            let isCandidate =
                peers[index].progress == .fresh && peers[index].path == peers[first].path
                && !isDoubted(peers[index])
            if isCandidate, peers[index].rttUs < peers[best].rttUs { best = index }
        }
        return best
    }

    /// Whether the `width` closest known have all answered, silent and failed ones left out, and those whom a
    /// doubted referrer named.
    public var isFinished: Bool { paths.indices.allSatisfy { isFinished($0) } }

    private func isFinished(_ path: Int) -> Bool {
        var (answered, isAnyOpen) = (0, false)
        for peer in peers where Int(peer.path) == path {
            switch peer.progress {
            case .fresh where isDoubted(peer): isAnyOpen = true
            case .fresh, .asked: return false
            case .overdue:
                if plan.waitsForOverdue { return false }
                isAnyOpen = true
            case .answered:
                answered += 1
                if answered >= pathWidth { return true }
                if peer.isTelling { isAnyOpen = true }
            case .silent, .failed: break
            }
        }
        return !isAnyOpen
    }

    /// A peer answered, and perhaps has more to tell later. Returns its hop, or nil when it was not waited for.
    public mutating func answered(_ id: NodeID, isMoreToCome: Bool = false) -> UInt8? {
        guard let index = index(of: id), leave(index, as: .answered) else { return nil }
        if isMoreToCome {
            peers[index].isTelling = true
            paths[Int(peers[index].path)].inFlight += 1
        }
        answers += 1
        hops = max(hops, Int(peers[index].hop))
        assert(brokenInvariant == nil, "the counters of a walk do not agree with its peers")
        return peers[index].hop
    }

    /// A peer has told all, or takes too long over it. One that was forgotten meanwhile and asked anew keeps the slot
    /// of its new request.
    mutating func hasTold(_ id: NodeID) {
        if let index = index(of: id), peers[index].isTelling { releaseSlot(of: index) }
    }

    /// How far a peer has come; nil for one that is not in the walk.
    func progress(of id: NodeID) -> Progress? { index(of: id).map { peers[$0].progress } }

    /// Referrals that led to a peer; 0 for one that is not in the walk.
    func hop(of id: NodeID) -> Int { index(of: id).map { Int(peers[$0].hop) } ?? 0 }

    /// A peer is later than most answers come: another may be asked in its place.
    public mutating func overdue(_ id: NodeID) {
        guard let index = index(of: id), peers[index].progress == .asked else { return }
        peers[index].progress = .overdue
        paths[Int(peers[index].path)].overdue += 1
        assert(brokenInvariant == nil, "the counters of a walk do not agree with its peers")
    }

    /// A peer's time-out passed.
    public mutating func silent(_ id: NodeID) {
        if let index = index(of: id) { _ = leave(index, as: .silent) }
    }

    /// A peer cannot be reached, or refused.
    public mutating func failed(_ id: NodeID) {
        if let index = index(of: id) { _ = leave(index, as: .failed) }
    }

    /// A peer that had failed may be asked after all.
    mutating func revive(_ id: NodeID) {
        if let index = index(of: id), peers[index].progress == .failed { peers[index].progress = .fresh }
    }

    /// Ends the wait for a peer; false when nobody waited.
    private mutating func leave(_ index: Int, as progress: Progress) -> Bool {
        switch peers[index].progress {
        case .asked, .overdue: releaseSlot(of: index)
        case .silent: break
        case .fresh, .answered, .failed: return false
        }
        if progress == .answered {
            referrers[Int(peers[index].referrer)].answered += 1
        } else if peers[index].progress != .silent {
            referrers[Int(peers[index].referrer)].lost += 1
        }
        peers[index].progress = progress
        return true
    }

    private mutating func releaseSlot(of index: Int) {
        let path = Int(peers[index].path)
        switch peers[index].progress {
        case .asked: paths[path].inFlight -= 1
        case .overdue:
            paths[path].inFlight -= 1
            paths[path].overdue -= 1
        case .answered where peers[index].isTelling:
            paths[path].inFlight -= 1
            peers[index].isTelling = false
        case .fresh, .silent, .answered, .failed: break
        }
        assert(
            paths[path].overdue >= 0 && paths[path].overdue <= paths[path].inFlight,
            "a path's requests in flight are miscounted")
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
}
