// RO:WHAT  FrameDecoder: a session's bytes, in whatever pieces they come, to HELLO and frames.
// RO:WHY   Whole frames are handed out where they lie in the reader's buffer; only a frame that a piece
//          cuts in two is put together here, so an idle session holds no buffer to speak of.
// RO:INVARIANTS  `partial` holds at most one frame and grows only by bytes that came.
// RO:SECURITY  reads a peer's bytes: each is copied at most once, however small the pieces are.
// RO:TEST  Tests/DhtLoopTests/Oap/FrameDecoderTests.swift

/// What a session's bytes spell.
public enum FrameEvent {
    /// The first thing in a session, and only there.
    case hello(Hello)
    /// A frame; the payload is valid until the decoder's next call or its input's end.
    case frame(FrameKind, payload: UnsafeRawBufferPointer)
}

/// Incremental decoder of one side of one session.
public struct FrameDecoder: ~Copyable {
    /// Memory kept for the next frame that comes in two pieces: our longest common reply fits.
    private static let keptBytes = 2048

    private var partial = ByteBuffer(capacity: 1)
    private var sawHello = false
    /// `partial` was handed out whole by the latest `next`.
    private var partialIsSpent = false

    public init() {}

    /// The next event in `input`, which is cut by what was taken; nil when all of it has been taken.
    ///
    /// After a throw the session's bytes have no meaning any more: close it.
    @inline(__always)
    public mutating func next(_ input: inout UnsafeRawBufferPointer) throws(OapError) -> FrameEvent? {
        if partialIsSpent { forgetPartial() }
        guard sawHello, partial.count == 0 else { return try nextInPieces(&input) }
        guard let head = try FrameHead.parse(input), head.frameCount <= input.count else {
            take(input.count, of: &input)
            return nil
        }
        let payload = UnsafeRawBufferPointer(rebasing: input[FrameHead.byteCount..<head.frameCount])
        input = UnsafeRawBufferPointer(rebasing: input[head.frameCount...])
        return .frame(head.kind, payload: payload)
    }

    /// Gives back memory that an idle session does not need. Not while a payload is in use.
    public mutating func trim() {
        if partial.count == 0 || partialIsSpent { partial.release(keeping: 1) }
        partialIsSpent = false
    }

    @inline(never)
    private mutating func nextInPieces(_ input: inout UnsafeRawBufferPointer) throws(OapError) -> FrameEvent?
    {
        guard sawHello else { return try nextHello(&input) }
        take(min(FrameHead.byteCount - partial.count, input.count), of: &input)
        guard let head = try FrameHead.parse(partial.bytes) else { return nil }
        take(min(head.frameCount - partial.count, input.count), of: &input)
        guard partial.count == head.frameCount else { return nil }
        partialIsSpent = true
        return .frame(
            head.kind, payload: UnsafeRawBufferPointer(rebasing: partial.bytes[FrameHead.byteCount...]))
    }

    private mutating func nextHello(_ input: inout UnsafeRawBufferPointer) throws(OapError) -> FrameEvent? {
        take(min(Hello.byteCount - partial.count, input.count), of: &input)
        guard let hello = try Hello.parse(partial.bytes) else { return nil }
        partial.clear()
        sawHello = true
        return .hello(hello)
    }

    /// Moves `count` bytes, fewer than 1 being none, from `input` to `partial`.
    private mutating func take(_ count: Int, of input: inout UnsafeRawBufferPointer) {
        guard count > 0 else { return }
        partial.append(UnsafeRawBufferPointer(rebasing: input[..<count]))
        input = UnsafeRawBufferPointer(rebasing: input[count...])
    }

    private mutating func forgetPartial() {
        partial.release(keeping: Self.keptBytes)
        partialIsSpent = false
    }
}
