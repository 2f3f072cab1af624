// RO:WHAT  SessionOwner: who hears of a session's life.
// RO:WHY   One virtual call a frame; no closure is allocated.

/// Owns sessions and is told what happens to them. Subclasses override all three.
open class SessionOwner: EventSource {
    /// The peer's HELLO came and was good.
    open func sessionOpened(_ session: OverlaySession, nowUs: UInt64) {}

    /// A Data frame came. `payload` is valid until the call returns.
    open func sessionReceived(_ session: OverlaySession, payload: UnsafeRawBufferPointer, nowUs: UInt64) {}

    /// The session ended: the last call about it, once for every session, also when its owner closed it.
    open func sessionClosed(_ session: OverlaySession, reason: CloseReason, nowUs: UInt64) {}
}
