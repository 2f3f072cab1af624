// RO:WHAT  WarmSet: what is still to be dialled before there is anything to send.
// RO:WHY   They are dialled one after the other, so that a node that starts does not wake a network.
// RO:INVARIANTS  the timer is armed while there is something to dial.
// RO:TEST  Tests/DhtLoopTests/Session/SessionPlanTests.swift, Tests/DhtLoopTests/Session/WarmSessionsTests.swift

/// What is still to be dialled for the warm set, and when the next of it is.
struct WarmSet {
    /// Counts the sets handed over, so that a slot says which last named it.
    private(set) var round: UInt32 = 0
    /// The first to dial is last.
    private var toDial: [EndpointID] = []
    private var pace = TimerID.none

    var isEmpty: Bool { toDial.isEmpty }
    var isPacing: Bool { pace != .none }

    func holds(_ endpoint: EndpointID) -> Bool { toDial.contains(endpoint) }

    mutating func beginRound() {
        round &+= 1
        toDial.removeAll(keepingCapacity: true)
    }

    /// `endpoints` are the most wanted first.
    mutating func wait(_ endpoints: some Sequence<EndpointID>) { toDial = endpoints.reversed() }

    mutating func next() -> EndpointID? { toDial.popLast() }

    mutating func arm(_ wheel: inout TimerWheel, atUs: UInt64) {
        if pace == .none { pace = wheel.schedule(atUs: atUs, token: SessionPlan.paceToken) }
    }

    mutating func fired() { pace = .none }

    mutating func shutDown(_ wheel: inout TimerWheel) {
        toDial.removeAll()
        wheel.cancel(pace)
        pace = .none
    }
}
