// RO:WHAT  SessionTable: the TCP connections of all sites, as the network sees them.
// RO:WHY   Which there are is for each node's SessionPlan to say; what is on its way over them is known here.
// RO:INVARIANTS  each is in its overlay's row, the newest first; a place's generation grows when its session ends.

/// One direction of a session.
struct Lane {
    /// When its last frame arrives: TCP keeps the order.
    var lastArrivalUs: UInt64 = 0
    /// When the frames queued so far have left.
    var busyUntilUs: UInt64 = 0
    /// Frames that wait; out of date once `busyUntilUs` has passed.
    var queued = 0
}

/// A session that site `dialler` dialled to the overlay of site `overlay`.
struct Session {
    enum State: UInt8 {
        /// Usable from `connectedUs` on.
        case good
        /// Will not come about; its end is scheduled.
        case failing
        /// The other side is silent; its end is scheduled.
        case dying
    }

    /// No site is at the endpoint.
    static let nobody: Int32 = -1

    var dialler: Int32
    var overlay: Int32
    /// Its slot in the dialler's plan.
    var slot: Int32
    /// When the dialler's first frame may leave.
    var connectedUs: UInt64 = 0
    var lastUsedUs: UInt64 = 0
    var up = Lane()
    var down = Lane()
    var generation: UInt32 = 0
    var state = State.good
    fileprivate var nextInbound: Int32 = -1
    fileprivate var previousInbound: Int32 = -1
}

/// All sessions, by place.
struct SessionTable {
    private var places: [Session] = []
    private var free: [Int32] = []
    /// The newest session to each site; -1 for none.
    private var firstInbound: [Int32] = []
    /// Sessions there are.
    private(set) var count = 0

    /// Makes room for one more site.
    mutating func addSite() { firstInbound.append(-1) }

    subscript(place: Int) -> Session {
        get { places[place] }
        _modify { yield &places[place] }
    }

    /// Whether `place` still holds the session it held when `generation` was read.
    func holds(_ place: Int, generation: UInt32) -> Bool { places[place].generation == generation }

    /// Sessions that others have opened to `site`, the newest first.
    func inbound(to site: Int) -> [Int] {
        var result: [Int] = []
        var place = firstInbound[site]
        while place >= 0 {
            result.append(Int(place))
            place = places[Int(place)].nextInbound
        }
        return result
    }

    /// Adds a session; `overlay` is nil where nobody is.
    mutating func add(_ dialler: Int, _ overlay: Int?, slot: Int) -> Int {
        var session = Session(
            dialler: Int32(dialler), overlay: overlay.map { Int32($0) } ?? Session.nobody, slot: Int32(slot))
        let place = Int(free.popLast() ?? Int32(places.count))
        if place < places.count { session.generation = places[place].generation }
        if let overlay {
            session.nextInbound = firstInbound[overlay]
            if session.nextInbound >= 0 { places[Int(session.nextInbound)].previousInbound = Int32(place) }
            firstInbound[overlay] = Int32(place)
        }
        if place == places.count { places.append(session) } else { places[place] = session }
        count += 1
        return place
    }

    /// Ends a session.
    mutating func remove(_ place: Int) {
        let session = places[place]
        let (next, previous) = (session.nextInbound, session.previousInbound)
        if previous >= 0 {
            places[Int(previous)].nextInbound = next
        } else if session.overlay != Session.nobody {
            firstInbound[Int(session.overlay)] = next
        }
        if next >= 0 { places[Int(next)].previousInbound = previous }
        places[place].generation &+= 1
        free.append(Int32(place))
        count -= 1
    }
}
