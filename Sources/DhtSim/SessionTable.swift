// RO:WHAT  SessionTable: the TCP sessions of all sites, by who dialled whom.
// RO:WHY   What a session costs (a round trip, a place in a pool, packets) is what this network is about.
// RO:INVARIANTS  one session a (dialler, overlay); each is in its dialler's row, the least recently used
//          first, and in its overlay's row; a slot's generation grows when its session ends.

/// One direction of a session.
struct Lane {
    /// When its last frame arrives: TCP keeps the order.
    var lastArrivalUs: UInt64 = 0
    /// When the frames queued so far have left.
    var busyUntilUs: UInt64 = 0
    /// Frames that wait; out of date once `busyUntilUs` has passed.
    var queued = 0
}

/// A session that site `dialler` opened to the overlay of site `overlay`.
struct Session {
    enum State: UInt8 {
        /// Usable from `openUs` on.
        case good
        /// Will not come about; its end is scheduled.
        case failing
        /// The other side is silent; its end is scheduled.
        case dying
    }

    var dialler: Int32
    var overlay: Int32
    /// When the dialler's first frame may leave.
    var openUs: UInt64 = 0
    var lastUsedUs: UInt64 = 0
    var up = Lane()
    var down = Lane()
    var generation: UInt32 = 0
    var state = State.good
    /// Until then it does not idle out: its dialler wants it open.
    var warmUntilUs: UInt64 = 0
    /// Never idle, never evicted: a node's session to its hub.
    var isKept = false
    fileprivate var newer: Int32 = -1
    fileprivate var older: Int32 = -1
    fileprivate var nextInbound: Int32 = -1
    fileprivate var previousInbound: Int32 = -1
}

/// All sessions.
struct SessionTable {
    private struct Ends {
        var newest: Int32 = -1
        var oldest: Int32 = -1
        var firstInbound: Int32 = -1
        var dialled: Int32 = 0
        var inbound: Int32 = 0
    }

    private var slots: [Session] = []
    private var free: [Int32] = []
    private var ends: [Ends] = []
    private var map = FlatMap()
    /// Sessions there are.
    var count: Int { map.count }

    private static func key(_ dialler: Int, _ overlay: Int) -> UInt64 {
        UInt64(dialler) << 32 | UInt64(overlay)
    }

    /// Makes room for one more site.
    mutating func addSite() { ends.append(Ends()) }

    func find(_ dialler: Int, _ overlay: Int) -> Int? { map[Self.key(dialler, overlay)].map { Int($0) } }

    subscript(slot: Int) -> Session {
        get { slots[slot] }
        _modify { yield &slots[slot] }
    }

    /// Whether `slot` still holds the session it held when `generation` was read.
    func holds(_ slot: Int, generation: UInt32) -> Bool { slots[slot].generation == generation }

    /// Sessions that `site` has dialled.
    func dialled(by site: Int) -> Int { Int(ends[site].dialled) }

    /// The session that `site` has dialled and used least recently.
    func oldest(of site: Int) -> Int? { ends[site].oldest < 0 ? nil : Int(ends[site].oldest) }

    /// The next more recently used one of the same dialler.
    func newer(than slot: Int) -> Int? { slots[slot].newer < 0 ? nil : Int(slots[slot].newer) }

    /// Sessions that others have opened to `site`, the newest first.
    func inbound(to site: Int) -> [Int] {
        var result: [Int] = []
        var slot = ends[site].firstInbound
        while slot >= 0 {
            result.append(Int(slot))
            slot = slots[Int(slot)].nextInbound
        }
        return result
    }

    /// Sessions that `site` has dialled.
    func dialledSessions(of site: Int) -> [Int] {
        var result: [Int] = []
        var slot = ends[site].oldest
        while slot >= 0 {
            result.append(Int(slot))
            slot = slots[Int(slot)].newer
        }
        return result
    }

    /// Adds a session that does not exist yet, as its dialler's most recently used.
    mutating func add(_ dialler: Int, _ overlay: Int) -> Int {
        let slot = free.popLast() ?? Int32(slots.count)
        if Int(slot) == slots.count {
            slots.append(Session(dialler: Int32(dialler), overlay: Int32(overlay)))
        } else {
            let generation = slots[Int(slot)].generation
            slots[Int(slot)] = Session(dialler: Int32(dialler), overlay: Int32(overlay))
            slots[Int(slot)].generation = generation
        }
        map.set(Self.key(dialler, overlay), UInt32(slot))
        linkNewest(slot)
        let first = ends[overlay].firstInbound
        slots[Int(slot)].nextInbound = first
        if first >= 0 { slots[Int(first)].previousInbound = slot }
        ends[overlay].firstInbound = slot
        ends[dialler].dialled += 1
        ends[overlay].inbound += 1
        return Int(slot)
    }

    /// Notes that a frame went over the session.
    mutating func touch(_ slot: Int, _ nowUs: UInt64) {
        slots[slot].lastUsedUs = nowUs
        let site = Int(slots[slot].dialler)
        guard ends[site].newest != Int32(slot) else { return }
        unlinkUse(Int32(slot))
        linkNewest(Int32(slot))
    }

    /// Ends a session.
    mutating func remove(_ slot: Int) {
        let session = slots[slot]
        map.remove(Self.key(Int(session.dialler), Int(session.overlay)))
        unlinkUse(Int32(slot))
        let (next, previous) = (session.nextInbound, session.previousInbound)
        if previous < 0 {
            ends[Int(session.overlay)].firstInbound = next
        } else {
            slots[Int(previous)].nextInbound = next
        }
        if next >= 0 { slots[Int(next)].previousInbound = previous }
        ends[Int(session.dialler)].dialled -= 1
        ends[Int(session.overlay)].inbound -= 1
        slots[slot].generation &+= 1
        free.append(Int32(slot))
    }

    private mutating func linkNewest(_ slot: Int32) {
        let site = Int(slots[Int(slot)].dialler)
        let newest = ends[site].newest
        slots[Int(slot)].older = newest
        slots[Int(slot)].newer = -1
        if newest >= 0 { slots[Int(newest)].newer = slot } else { ends[site].oldest = slot }
        ends[site].newest = slot
    }

    private mutating func unlinkUse(_ slot: Int32) {
        let (site, newer, older) =
            (Int(slots[Int(slot)].dialler), slots[Int(slot)].newer, slots[Int(slot)].older)
        if newer < 0 { ends[site].newest = older } else { slots[Int(newer)].older = older }
        if older < 0 { ends[site].oldest = newer } else { slots[Int(older)].newer = newer }
    }
}
