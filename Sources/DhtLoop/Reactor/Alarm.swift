// RO:WHAT  Alarm: one timer of the loop that follows a deadline which moves.
// RO:WHY   A machine with its own wheel, such as the node, tells its next deadline; only a change costs anything.

/// At most one armed timer, for one source and tag.
public struct Alarm {
    private var timer = TimerID.none
    /// What it is armed for; `.max` for nothing.
    public private(set) var deadlineUs = UInt64.max

    public init() {}

    /// Arms for `deadlineUs`, instead of what was before; nil disarms.
    public mutating func set(
        _ deadlineUs: UInt64?, on loop: EventLoop, for source: EventSource, tag: UInt32 = 0
    ) {
        let wanted = deadlineUs ?? .max
        guard wanted != self.deadlineUs else { return }
        loop.cancel(timer)
        timer = wanted == .max ? .none : loop.schedule(source, atUs: wanted, tag: tag)
        self.deadlineUs = wanted
    }

    /// To be called when it has fired, before it is set again.
    public mutating func fired() { (timer, deadlineUs) = (.none, .max) }
}
