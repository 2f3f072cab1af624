// RO:WHAT  RpcTable: the requests we wait on, by slot.
// RO:WHY   A reply names its request by a 64-bit id; the slot is in the id, so finding it is one load.
// RO:INVARIANTS  an id is never given out twice while its request is pending; the table is bounded.
// RO:SECURITY  48 bits of an id are random, and source and session must agree as well.
// RO:TEST  Tests/DhtLoopTests/Kademlia/RpcTableTests.swift

/// Why a request was sent.
enum RpcPurpose: Equatable {
    /// A step of a call's lookup.
    case lookup(CallID)
    /// A call's record, sent to a replica; `isRaised` when its version was raised over one met there.
    case store(CallID, isRaised: Bool)
    /// To see whether a node that asked us can be reached.
    case verify
    /// To see whether a full bucket's oldest contact still lives.
    case probe
    /// A record for a node that lacks it, or has an old one; nobody waits.
    case gift
    /// Records for a node that should hold them.
    case copies
    /// On behalf of another node; which one, the recursion of that slot says.
    case recursion(UInt16)
    /// To whoever hears it at a bootstrap overlay.
    case anyone

    /// Whether a caller waits for it.
    var isPartOfCall: Bool {
        switch self {
        case .lookup, .store: true
        case .verify, .probe, .gift, .copies, .recursion, .anyone: false
        }
    }
}

/// A request on its way.
struct PendingRpc {
    /// What its timer waits for.
    enum Patience {
        /// The working time-out; nobody is asked in the peer's place before.
        case timeout
        /// The time when most answers are there.
        case expected
        /// The working time-out, that time having passed.
        case overdue
        /// The end of all waiting: the time-out has passed, and an answer still counts.
        case late
        /// It is answered, and a further answer should be there by now, with what others told the peer.
        case further
        /// The end of all waiting for a further answer.
        case furtherLate
    }

    var id: UInt64
    /// Whom it asks; zero for anyone.
    var dst: NodeID
    /// The overlay it went to; the reply must come from there.
    var endpoint: EndpointID
    var sentUs: UInt64
    var op: RpcOp
    var purpose: RpcPurpose
    var timer = TimerID.none
    var patience = Patience.timeout
    /// Whether the peer's round trip was never measured before.
    var isFirst = false
    /// The working time-out, in microseconds.
    var timeoutUs: UInt32 = 0
    /// Someone answered a request to anyone.
    var isAnswered = false
    /// Steps that it may be passed on; so many further answers may follow the first.
    var recursion: UInt8 = 0
    /// Further answers taken.
    var furtherAnswers: UInt8 = 0

    /// Whom it asks, and where.
    var contact: Contact { Contact(id: dst, endpoint: endpoint) }
    var isLate: Bool { patience == .late }
    var isFurther: Bool { patience == .further || patience == .furtherLate }
}

/// Pending requests.
struct RpcTable {
    private static let slotMask: UInt64 = 0xFFFF

    private var slots: [PendingRpc?] = []
    private var free: [Int] = []
    private let limit: Int

    /// `limit` is 1...65536.
    init(limit: Int) { self.limit = min(limit, Int(Self.slotMask) + 1) }

    /// Requests pending.
    var count: Int { slots.count - free.count }
    var isFull: Bool { count >= limit }

    /// Adds a request and gives it its id; nil when the table is full.
    mutating func open(_ rpc: PendingRpc, random: UInt64) -> UInt64? {
        let slot: Int
        if let reused = free.popLast() {
            slot = reused
        } else {
            guard slots.count < limit else { return nil }
            slot = slots.count
            slots.append(nil)
        }
        var rpc = rpc
        rpc.id = random & ~Self.slotMask | UInt64(slot)
        slots[slot] = rpc
        return rpc.id
    }

    /// The request with that id.
    subscript(id: UInt64) -> PendingRpc? {
        get {
            let slot = Int(id & Self.slotMask)
            guard slot < slots.count, let rpc = slots[slot], rpc.id == id else { return nil }
            return rpc
        }
        set { if self[id] != nil { slots[Int(id & Self.slotMask)] = newValue } }
    }

    /// The request in a slot, for a timer that names no more than that.
    subscript(slot slot: Int) -> PendingRpc? { slot < slots.count ? slots[slot] : nil }

    /// The slot that an id names.
    static func slot(of id: UInt64) -> UInt64 { id & slotMask }

    /// Forgets a request.
    mutating func close(_ id: UInt64) {
        guard self[id] != nil else { return }
        let slot = Int(id & Self.slotMask)
        slots[slot] = nil
        free.append(slot)
    }

    /// Adds the endpoints that requests went to.
    func addEndpoints(to used: inout Set<EndpointID>) {
        for case let rpc? in slots { used.insert(rpc.endpoint) }
    }

    /// The ids of the requests that went to `endpoint`.
    func ids(to endpoint: EndpointID) -> [UInt64] {
        slots.compactMap { $0?.endpoint == endpoint ? $0?.id : nil }
    }
}
