// RO:WHAT  Site: a host of the modelled network: a node with its overlay, a node behind a hub, or a hub.
// RO:WHY   Sites are named by number everywhere; a dead one keeps its number, so that nothing is confused.
// RO:INVARIANTS  a node that is up has a machine; a hub never has one.

import DhtLoop

/// A node and the calls it was asked to make. A class, because an array cannot hold a node.
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
    var pending: [Pending] = []
    /// Puts of the publisher that have not ended.
    var published: [OperationID] = []
    /// Answers to gets that it had handed back when it last sent one.
    private var getsHandedBack: UInt64 = 0

    init(_ node: consuming DhtNode) { self.node = node }

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
    /// Failed attempts to reach its hub since the last success.
    var redials = 0
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
