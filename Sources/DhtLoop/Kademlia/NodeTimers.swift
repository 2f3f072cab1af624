// RO:WHAT  NodeTimers: all timers of one node: one for each request and operation, and one for each chore.
// RO:WHY   A chore is planned, hastened and called off in one way, and what a timer's token means is written in one place.
// RO:INVARIANTS  a chore holds one timer at most, armed exactly while it is planned.
// RO:TEST  Tests/DhtLoopTests/Kademlia/NodeTimersTests.swift

/// Work that a node does by itself, each kind at most once at a time.
enum Chore: UInt8, CaseIterable {
    /// Looking for peers: at the bootstrap overlays, or by a lookup of the local id.
    case bootstrap
    /// Letting expired records go.
    case sweep
    /// The one thing that the routing table needs most.
    case tend
    /// Looking through records for copies that are missing.
    case replicate
    /// Sending batches again that had to wait.
    case courier
    /// Refreshing publications.
    case republish
}

/// What a timer that fired was for.
enum DueTimer: Equatable {
    case rpc(slot: Int)
    case operation(slot: Int)
    case chore(Chore)
}

/// The timers of one node. All times are microseconds of its monotonic clock.
struct NodeTimers: ~Copyable {
    private struct Plan {
        var timer = TimerID.none
        var dueUs: UInt64 = 0
    }

    private var wheel: TimerWheel
    /// By chore.
    private var plans: [Plan]

    init(nowUs: UInt64) {
        wheel = TimerWheel(nowUs: nowUs)
        plans = [Plan](repeating: Plan(), count: Chore.allCases.count)
    }

    /// Timers armed.
    var count: Int { wheel.count }
    /// Chores that are planned.
    var plannedChores: Int { Chore.allCases.count { isPlanned($0) } }
    /// When the next timer is due; nil while none is armed.
    var nextDeadlineUs: UInt64? { wheel.nextDeadlineUs }

    /// Arms the timer of the request in a slot.
    @inline(__always)
    mutating func scheduleRpc(slot: Int, atUs: UInt64) -> TimerID {
        wheel.schedule(atUs: atUs, token: Self.token(.rpc, UInt64(slot)))
    }

    /// Arms the timer of the operation in a slot.
    mutating func scheduleOperation(slot: Int, atUs: UInt64) -> TimerID {
        wheel.schedule(atUs: atUs, token: Self.token(.operation, UInt64(slot)))
    }

    /// Disarms a timer of a request or an operation; one that fired is none.
    @inline(__always)
    mutating func cancel(_ timer: TimerID) { wheel.cancel(timer) }

    /// Whether a chore is planned.
    func isPlanned(_ chore: Chore) -> Bool { plans[Int(chore.rawValue)].timer != .none }

    /// When a chore is due; nil when it is not planned.
    func dueUs(_ chore: Chore) -> UInt64? { isPlanned(chore) ? plans[Int(chore.rawValue)].dueUs : nil }

    /// Plans a chore for then, instead of when it was planned for.
    mutating func plan(_ chore: Chore, atUs: UInt64) {
        callOff(chore)
        let timer = wheel.schedule(atUs: atUs, token: Self.token(.chore, UInt64(chore.rawValue)))
        plans[Int(chore.rawValue)] = Plan(timer: timer, dueUs: atUs)
        assert(isPlanned(chore), "a chore is planned without a timer")
    }

    /// Plans a chore for then, unless it is planned for a time that is no later: events may hasten a chore, and never
    /// put it off.
    mutating func planNoLater(_ chore: Chore, atUs: UInt64) {
        if let dueUs = dueUs(chore), dueUs <= atUs { return }
        plan(chore, atUs: atUs)
        assert(dueUs(chore) == atUs, "a chore is not hastened")
    }

    /// Plans a chore no more.
    mutating func callOff(_ chore: Chore) {
        wheel.cancel(plans[Int(chore.rawValue)].timer)
        plans[Int(chore.rawValue)].timer = .none
    }

    /// The next timer that is due; nil when none is. A chore that is due is planned no more.
    mutating func next(dueBy nowUs: UInt64) -> DueTimer? {
        guard let token = wheel.next(dueBy: nowUs) else { return nil }
        let value = token & Self.valueMask
        switch Kind(rawValue: token >> Self.kindShift) {
        case .rpc: return .rpc(slot: Int(value))
        case .operation: return .operation(slot: Int(value))
        case .chore, nil:
            guard let chore = Chore(rawValue: UInt8(truncatingIfNeeded: value)) else {
                preconditionFailure("a timer for no chore")
            }
            assert(isPlanned(chore), "a chore falls due that is not planned")
            plans[Int(chore.rawValue)].timer = .none
            return .chore(chore)
        }
    }

    // A token is the kind of timer in its upper byte and a slot, or a chore, below.

    private enum Kind: UInt64 {
        case rpc = 1
        case operation, chore
    }

    private static let kindShift: UInt64 = 56
    private static let valueMask: UInt64 = 0xFFFF_FFFF

    private static func token(_ kind: Kind, _ value: UInt64) -> UInt64 { kind.rawValue << kindShift | value }
}
