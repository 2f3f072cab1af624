// RO:WHAT  Site: a host of the modelled network: a node with its overlay, a node behind a hub, or a hub.
// RO:WHY   Sites are named by number everywhere; a dead one keeps its number, so that nothing is confused.
// RO:INVARIANTS  a node that is up has a machine; a hub never has one. A slot of a plan that has a session has a
//          place in `SessionTable`.

import DhtLoop

/// A node, its sessions' plan, and the calls it was asked to make. A class, because an array cannot hold a node.
final class Machine {
    /// A call of the workload that has not ended.
    struct Pending {
        var call: OperationID
        var record: Int
        var isMeasured: Bool
        /// When it began, as seen from the planned fault.
        var period: FaultPeriod
    }

    var node: DhtNode
    var plan: SessionPlan
    /// Place of each session, by the plan's slot; -1 for none.
    private var places: [Int32] = []
    var pending: [Pending] = []
    /// Puts of the publisher that have not ended.
    var published: [OperationID] = []
    /// Answers to gets that it had handed back when it last sent one.
    private var getsHandedBack: UInt64 = 0

    init(_ node: consuming DhtNode, _ plan: consuming SessionPlan) {
        self.node = node
        self.plan = plan
    }

    /// Places of its sessions.
    var sessions: [Int] { places.compactMap { $0 < 0 ? nil : Int($0) } }

    /// The place of the session in a slot of the plan.
    func session(in slot: Int) -> Int? {
        slot < places.count && places[slot] >= 0 ? Int(places[slot]) : nil
    }

    /// The session at `place` is in `slot`.
    func hold(_ place: Int, in slot: Int) {
        if slot >= places.count { places += repeatElement(-1, count: slot + 1 - places.count) }
        assert(places[slot] < 0, "one session a slot")
        places[slot] = Int32(place)
    }

    /// Takes the session out of `slot`.
    func takeSession(in slot: Int) -> Int? {
        guard let place = session(in: slot) else { return nil }
        places[slot] = -1
        return place
    }

    /// What the answer was to that it hands back now.
    func purposeOfHandedBack() -> Purpose {
        let gets = node.stats.handedBack[.get]
        defer { getsHandedBack = gets }
        return gets > getsHandedBack ? .get : .findNode
    }
}

/// A host.
struct Site {
    /// The overlay that reaches its node: its own, or a hub's.
    var endpoint: EndpointID
    /// The site of that overlay.
    var home: Int
    var machine: Machine?
    var id = NodeID.zero
    /// Whether its process runs.
    var isUp = false
    /// When it is down: whether connections to it time out instead of being refused.
    var isSilent = false
    /// Ten times slower than others.
    var isSlow = false
    /// Has turned against the others, or will.
    var isAdversary = false
    /// The half of the network it is in when that is cut in two.
    var half = false
    /// Position among the callers; -1 when it is none.
    var callerIndex = -1
    var wake = TimerID.none
    var wakeUs = UInt64.max

    init(endpoint: EndpointID, home: Int) {
        self.endpoint = endpoint
        self.home = home
    }
}

/// Sites by number. Not an array: reading one field of an array's element copies all of it, references too.
struct SiteTable: ~Copyable {
    private var base: UnsafeMutablePointer<Site>
    private var capacity = 64
    private(set) var count = 0

    init() { base = .allocate(capacity: capacity) }

    deinit {
        base.deinitialize(count: count)
        base.deallocate()
    }

    var indices: Range<Int> { 0..<count }

    subscript(site: Int) -> Site {
        @inline(__always) _read {
            precondition(site >= 0 && site < count, "no such site")
            yield base[site]
        }
        @inline(__always) _modify {
            precondition(site >= 0 && site < count, "no such site")
            yield &base[site]
        }
    }

    mutating func append(_ site: Site) {
        if count == capacity { grow() }
        (base + count).initialize(to: site)
        count += 1
    }

    private mutating func grow() {
        let bigger = UnsafeMutablePointer<Site>.allocate(capacity: capacity * 2)
        bigger.moveInitialize(from: base, count: count)
        base.deallocate()
        (base, capacity) = (bigger, capacity * 2)
    }
}
