// RO:WHAT  TxQueue: the frames that wait to be sent on one session.
// RO:WHY   Frames lie end to end in one buffer, so that all of a turn leave in one send; the buffer is on loan
//          while there is anything in it, so an idle session holds none.
// RO:INVARIANTS  sent <= tail; depth <= maxFrames; waiting <= maxBytes; buffer == nil when nothing waits;
//          with depth > 0, sent < frontEnd <= tail.
// RO:TEST  Tests/DhtLoopTests/Session/TxQueueTests.swift

import Glibc

/// Outgoing bytes of one session.
struct TxQueue: ~Copyable {
    /// Frames that may wait (docs/PROTOCOL.md, "Session"); the next is refused.
    static let maxFrames = 128
    /// Bytes that may wait; four of the longest frames.
    static let maxBytes = 4 << 20

    /// What a flush came to.
    enum Flush: Equatable {
        /// Nothing waits.
        case drained
        /// The socket takes no more: try again when it is writable.
        case blocked
        /// The connection is broken, with this errno.
        case failed(Int32)
    }

    private let memory: IoMemory
    private var buffer: RawBuffer?
    /// First byte not sent.
    private var sent = 0
    /// One past the oldest frame that is not wholly sent. (Its head may be gone, so its end is kept.)
    private var frontEnd = 0
    /// One past the last byte.
    private var tail = 0
    /// Frames not wholly sent.
    private(set) var depth = 0

    init(memory: IoMemory) { self.memory = memory }

    deinit { if let buffer { memory.recycle(buffer) } }

    /// Bytes that wait.
    var waiting: Int { tail - sent }

    /// Puts the HELLO before all frames; to be called first.
    mutating func appendHello(_ hello: Hello) {
        assert(waiting == 0)
        hello.store(to: reserve(Hello.byteCount))
        tail += Hello.byteCount
    }

    /// Copies one frame behind those that wait; false, and nothing done, when there is no room.
    @inline(__always)
    mutating func append(_ kind: FrameKind, _ payload: UnsafeRawBufferPointer) -> Bool {
        let head = FrameHead(kind: kind, payloadCount: payload.count)
        guard depth < Self.maxFrames, waiting + head.frameCount <= Self.maxBytes else { return false }
        let start = reserve(head.frameCount)
        head.store(to: start)
        if let source = payload.baseAddress {
            (start + FrameHead.byteCount).copyMemory(from: source, byteCount: payload.count)
        }
        tail += head.frameCount
        if depth == 0 { frontEnd = tail }
        depth += 1
        return true
    }

    /// Sends what the socket takes, in one call.
    mutating func flush(to fd: Int32) -> Flush {
        guard let buffer, waiting > 0 else { return .drained }
        do throws(SystemError) {
            sent += try systemCall("send") {
                send(fd, buffer.base + sent, waiting, Int32(MSG_NOSIGNAL))
            }
        } catch {
            return error.code == EAGAIN || error.code == EINPROGRESS ? .blocked : .failed(error.code)
        }
        guard sent < tail else {
            clear()
            return .drained
        }
        passSentFrames(in: buffer)
        return .blocked
    }

    /// Forgets what waits.
    mutating func clear() {
        if let buffer { memory.recycle(buffer) }
        (buffer, sent, frontEnd, tail, depth) = (nil, 0, 0, 0, 0)
    }

    /// Room for `count` bytes at `tail`.
    @inline(__always)
    private mutating func reserve(_ count: Int) -> UnsafeMutableRawPointer {
        if let buffer, buffer.capacity - tail >= count { return buffer.base + tail }
        return makeRoom(count)
    }

    @inline(never)
    private mutating func makeRoom(_ count: Int) -> UnsafeMutableRawPointer {
        guard let present = buffer else {
            let fresh = memory.take(atLeast: count)
            buffer = fresh
            return fresh.base
        }
        let waiting = waiting
        if sent >= present.capacity / 2, waiting + count <= present.capacity {
            present.base.copyMemory(from: present.base + sent, byteCount: waiting)
        } else {
            buffer = memory.grow(present, used: sent..<tail, toHold: waiting + count)
        }
        (frontEnd, tail, sent) = (frontEnd - sent, waiting, 0)
        return (buffer ?? present).base + tail
    }

    /// Takes frames that are wholly sent off the count, by the lengths in their heads.
    private mutating func passSentFrames(in buffer: RawBuffer) {
        while depth > 0, frontEnd <= sent {
            depth -= 1
            guard depth > 0 else { return }
            let length = UInt32(
                bigEndian: buffer.base.loadUnaligned(fromByteOffset: frontEnd, as: UInt32.self))
            frontEnd += FrameHead.byteCount - 1 + Int(length)
        }
    }
}
