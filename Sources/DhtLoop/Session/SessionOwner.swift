// RO:WHAT  SessionOwner: who hears of a session's life.
// RO:WHY   One virtual call a frame; no closure is allocated.

/// Owns sessions and is told what happens to them. Subclasses override what they use.
open class SessionOwner: EventSource {
    /// The peer's HELLO came and was good.
    open func sessionOpened(_ session: OverlaySession, nowUs: UInt64) {}

    /// A Data frame came. `payload` is valid until the call returns.
    open func sessionReceived(_ session: OverlaySession, payload: UnsafeRawBufferPointer, nowUs: UInt64) {}

    /// The socket takes no more for now, or does so again. Called from inside `send` as well: take note, do nothing.
    open func sessionStalled(_ session: OverlaySession, isStalled: Bool) {}

    /// The session ended: the last call about it, once for every session, also when its owner closed it.
    open func sessionClosed(_ session: OverlaySession, reason: CloseReason, nowUs: UInt64) {}
}
