// RO:WHAT  TimerWheel: a hierarchical timer wheel, 64 slots a level, 1 ms a tick.
// RO:WHY   O(1) schedule and cancel, and the next expiry out of bitmaps, so that a loop sleeps and never ticks.
// RO:INVARIANTS  a timer on level L shares every 6-bit digit above L with `elapsed` and has a greater digit L
//          (on level 0: an equal one means due); so the lowest bit of the lowest used level is the next expiry.
// RO:TEST  Tests/DhtLoopTests/Base/TimerWheelTests.swift

/// Names one armed timer: slab slot and that slot's generation. Stale names are harmless.
public struct TimerID: Hashable, Sendable {
    fileprivate let packed: UInt64

    /// Names no timer.
    public static let none = TimerID(packed: 0)

    fileprivate init(packed: UInt64) { self.packed = packed }

    fileprivate init(slot: UInt32, generation: UInt32) { packed = UInt64(generation) << 32 | UInt64(slot) }

    fileprivate var slot: UInt32 { UInt32(truncatingIfNeeded: packed) }
    fileprivate var generation: UInt32 { UInt32(truncatingIfNeeded: packed >> 32) }
}

/// Timers by deadline. All times are microseconds of one monotonic clock; tick n is the instant n * 1000 us.
public struct TimerWheel: ~Copyable {
    private static let digitBits: UInt64 = 6
    private static let slotsPerLevel = 64
    /// Seven digits of ticks: 139 years of clock.
    private static let levels = 7
    /// Deadlines past this tick are clamped to it, and the clock stops just short of it.
    private static let lastTick: UInt64 = (1 << (digitBits * UInt64(levels))) - 1
    private static let usPerTick: UInt64 = 1000

    private var slab: TimerSlab
    private let lists: UnsafeMutablePointer<TimerList>
    /// Bit n of word L: slot n of level L is not empty.
    private var occupied = InlineArray<7, UInt64>(repeating: 0)
    /// Bit L: level L is not empty.
    private var usedLevels: UInt32 = 0
    /// Every slot before this tick is empty.
    private var elapsed: UInt64
    /// The tick of the latest `next`: what is armed from then on is due after it.
    private var clock: UInt64
    /// Timers armed.
    public private(set) var count = 0

    /// `capacity` timers fit before the slab first doubles. `nowUs` is the clock's present time.
    public init(nowUs: UInt64, capacity: Int = 64) {
        slab = TimerSlab(capacity: capacity)
        lists = .allocate(capacity: Self.levels * Self.slotsPerLevel)
        lists.initialize(repeating: TimerList(), count: Self.levels * Self.slotsPerLevel)
        clock = min(nowUs / Self.usPerTick, Self.lastTick - 1)
        elapsed = clock
    }

    deinit { lists.deallocate() }

    /// Arms a timer that yields `token` from `next`: never before `atUs`, and the first time that `next` is
    /// called 1 ms or more after it. A deadline that has passed is due one tick after the latest `next`.
    @inline(__always)
    public mutating func schedule(atUs: UInt64, token: UInt64) -> TimerID {
        let whole = atUs / Self.usPerTick
        let rounded = whole &+ (whole &* Self.usPerTick == atUs ? 0 : 1)
        let slot = slab.take(token: token, tick: min(max(rounded, clock + 1), Self.lastTick))
        assert(slab.nodes[Int(slot)].tick > clock, "a timer is due when it is armed")
        place(slot)
        count += 1
        return TimerID(slot: slot, generation: slab.nodes[Int(slot)].generation)
    }

    /// Disarms a timer. False when `id` names none that is armed.
    @inline(__always) @discardableResult
    public mutating func cancel(_ id: TimerID) -> Bool {
        guard slab.holds(slot: id.slot, generation: id.generation) else { return false }
        remove(id.slot)
        return true
    }

    /// Disarms one timer that is due by `nowUs` and returns its token; nil when none is left.
    ///
    /// What is armed while a caller drains the wheel is not due at the same `nowUs`, so a handler that arms
    /// itself again for "now" cannot keep the caller's loop going.
    public mutating func next(dueBy nowUs: UInt64) -> UInt64? {
        clock = max(clock, min(nowUs / Self.usPerTick, Self.lastTick - 1))
        while let expiry = nextExpiry(), expiry.tick <= clock {
            elapsed = max(elapsed, expiry.tick)
            let list = Int(expiry.list)
            guard list < Self.slotsPerLevel else {
                cascade(list)
                continue
            }
            let slot = lists[list].first
            assert(slab.nodes[Int(slot)].tick == expiry.tick, "a timer fires at another's time")
            let token = slab.nodes[Int(slot)].token
            remove(slot)
            return token
        }
        elapsed = clock
        return nil
    }

    /// When to call `next`: the earliest deadline, or, for one that is far off, an instant before it at which
    /// `next` sorts it more finely. Nil when no timer is armed.
    public var nextDeadlineUs: UInt64? {
        guard let expiry = nextExpiry() else { return nil }
        return expiry.tick * Self.usPerTick
    }

    /// The first occupied slot in time and the tick it begins at.
    @inline(__always)
    private func nextExpiry() -> (tick: UInt64, list: UInt64)? {
        guard usedLevels != 0 else { return nil }
        let level = usedLevels.trailingZeroBitCount
        let digit = UInt64(occupied[level].trailingZeroBitCount)
        let shift = UInt64(level) * Self.digitBits
        let above = (elapsed >> (shift + Self.digitBits)) << Self.digitBits
        return ((above | digit) << shift, UInt64(level) << Self.digitBits | digit)
    }

    /// Files a timer under the highest digit in which its tick differs from `elapsed`.
    @inline(__always)
    private mutating func place(_ slot: UInt32) {
        let tick = slab.nodes[Int(slot)].tick
        assert(tick >= elapsed, "a timer is filed in the past")
        let topBit = 63 - ((tick ^ elapsed) | 63).leadingZeroBitCount
        let level = topBit / Int(Self.digitBits)
        let digit = tick >> (UInt64(level) * Self.digitBits) & 63
        let list = level << Int(Self.digitBits) | Int(digit)
        slab.append(slot, to: &lists[list], named: UInt16(list))
        occupied[level] |= 1 << digit
        usedLevels |= 1 << UInt32(level)
    }

    @inline(__always)
    private mutating func remove(_ slot: UInt32) {
        let list = Int(slab.nodes[Int(slot)].list)
        assert(count > 0 && !lists[list].isEmpty, "a timer is disarmed that is not armed")
        slab.unlink(slot, from: &lists[list])
        if lists[list].isEmpty { markEmpty(list) }
        slab.free(slot)
        count -= 1
    }

    @inline(__always)
    private mutating func markEmpty(_ list: Int) {
        let level = list >> Int(Self.digitBits)
        occupied[level] &= ~(1 << UInt64(list & 63))
        if occupied[level] == 0 { usedLevels &= ~(1 << UInt32(level)) }
    }

    /// Files the timers of a coarse slot, whose first tick is now `elapsed`, on finer levels.
    private mutating func cascade(_ list: Int) {
        var slot = lists[list].first
        lists[list] = TimerList()
        markEmpty(list)
        while slot != TimerSlab.end {
            let following = slab.nodes[Int(slot)].next
            place(slot)
            slot = following
        }
    }
}

/// First and last timer of one slot.
private struct TimerList {
    var first = TimerSlab.end
    var last = TimerSlab.end

    @inline(__always) var isEmpty: Bool { first == TimerSlab.end }
}

private struct TimerNode {
    var token: UInt64
    var tick: UInt64
    var next: UInt32
    var previous: UInt32
    /// Grows when the node is freed, so that its old names no longer match. Never 0.
    var generation: UInt32
    var list: UInt16
}

/// The timers' memory: nodes named by index, so that growing moves them without touching the links.
private struct TimerSlab: ~Copyable {
    /// No node.
    static let end = UInt32.max

    private(set) var nodes: UnsafeMutablePointer<TimerNode>
    private var capacity: UInt32
    /// Nodes ever used; those past it are raw memory.
    private var used: UInt32 = 0
    private var firstFree = Self.end

    init(capacity: Int) {
        self.capacity = UInt32(clamping: max(1, capacity))
        nodes = .allocate(capacity: Int(self.capacity))
    }

    deinit { nodes.deallocate() }

    @inline(__always)
    func holds(slot: UInt32, generation: UInt32) -> Bool {
        slot < used && nodes[Int(slot)].generation == generation
    }

    @inline(__always)
    mutating func take(token: UInt64, tick: UInt64) -> UInt32 {
        let slot = firstFree
        guard slot != Self.end else { return takeFresh(token: token, tick: tick) }
        firstFree = nodes[Int(slot)].next
        assert(slot < used && (firstFree == Self.end || firstFree < used), "a free timer that never was one")
        nodes[Int(slot)].token = token
        nodes[Int(slot)].tick = tick
        return slot
    }

    @inline(never)
    private mutating func takeFresh(token: UInt64, tick: UInt64) -> UInt32 {
        if used == capacity { grow() }
        let node = TimerNode(
            token: token, tick: tick, next: Self.end, previous: Self.end, generation: 1, list: 0)
        (nodes + Int(used)).initialize(to: node)
        used += 1
        assert(used <= capacity, "a timer past its memory")
        return used - 1
    }

    private mutating func grow() {
        assert(used == capacity, "memory grows before it is full")
        let doubled = capacity * 2
        let bigger = UnsafeMutablePointer<TimerNode>.allocate(capacity: Int(doubled))
        bigger.moveInitialize(from: nodes, count: Int(used))
        nodes.deallocate()
        (nodes, capacity) = (bigger, doubled)
        assert(capacity > used, "memory grows by nothing")
    }

    @inline(__always)
    mutating func free(_ slot: UInt32) {
        let node = nodes + Int(slot)
        node.pointee.generation = node.pointee.generation == .max ? 1 : node.pointee.generation + 1
        node.pointee.next = firstFree
        firstFree = slot
    }

    @inline(__always)
    func append(_ slot: UInt32, to list: inout TimerList, named name: UInt16) {
        let node = nodes + Int(slot)
        node.pointee.next = Self.end
        node.pointee.previous = list.last
        node.pointee.list = name
        if list.isEmpty { list.first = slot } else { nodes[Int(list.last)].next = slot }
        list.last = slot
    }

    @inline(__always)
    func unlink(_ slot: UInt32, from list: inout TimerList) {
        let (next, previous) = (nodes[Int(slot)].next, nodes[Int(slot)].previous)
        if previous == Self.end { list.first = next } else { nodes[Int(previous)].next = next }
        if next == Self.end { list.last = previous } else { nodes[Int(next)].previous = previous }
    }
}
