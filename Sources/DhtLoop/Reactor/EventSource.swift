// RO:WHAT  EventSource: what the loop calls.
// RO:WHY   One virtual call an event; closures would cost an allocation and an indirection each.

/// Something with a descriptor, with timers, or with work to do between turns. Subclasses override what they use.
open class EventSource {
    /// Its name in the loop it is attached to.
    final var handle = SourceHandle.none
    /// The descriptor it is registered with; -1 for none.
    final var registeredFD: Int32 = -1
    /// The epoll events it asked for.
    final var interest: UInt32 = 0
    /// It is in the loop's list for the end of this turn.
    final var isDeferred = false

    public init() {}

    /// True from `EventLoop.attach` to `detach`.
    public final var isAttached: Bool { handle != .none }

    /// Its descriptor is ready; `events` are epoll's bits.
    open func ready(_ events: UInt32, nowUs: UInt64) {}

    /// A timer that it armed with `tag` is due.
    open func timer(tag: UInt32, nowUs: UInt64) {}

    /// The turn in which it asked for `EventLoop.deferToEndOfTurn` ends.
    open func endOfTurn(nowUs: UInt64) {}
}

/// Slot of the loop's table and that slot's generation.
struct SourceHandle: Equatable {
    static let none = SourceHandle(slot: .max, generation: 0)

    let slot: UInt32
    let generation: UInt32
}
