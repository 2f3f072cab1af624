// RO:WHAT  OverlaySession: one TCP connection that speaks OAP, dialled or accepted.
// RO:WHY   HELLO and the first frames leave together; a cold session costs no more round trips than it must.
// RO:INVARIANTS  EPOLLOUT is armed only while connecting or blocked; `send` closes nothing, so an
//          owner is not called back from inside it, but for `sessionStalled`; at most one read a turn.
// RO:TEST  Tests/DhtLoopTests/Session/OverlaySessionTests.swift

import CEpoll
import Glibc

/// A session with an overlay peer. Lives from its making to `SessionOwner.sessionClosed`.
public final class OverlaySession: EventSource {
    /// Where in its life a session is.
    public enum State: Sendable {
        /// No address yet.
        case waiting
        /// The connection is being made.
        case dialling
        /// Connected, or on the way there with fast open; the peer's HELLO is not complete. Frames may already leave.
        case handshake
        case open
        case closed
    }

    public private(set) var state: State
    /// A number that means something to the owner.
    public var ownerIndex: UInt32
    /// When it was made.
    public let startedUs: UInt64
    /// When the peer's HELLO came; 0 before that.
    public private(set) var openedUs: UInt64 = 0
    /// When bytes last came.
    public private(set) var lastReceivedUs: UInt64

    private let loop: EventLoop
    private let owner: SessionOwner
    private let counters: SessionCounters
    private let policy: SessionPolicy
    private var fd: FileDescriptor?
    private var decoder = FrameDecoder()
    private var tx: TxQueue
    private var alarm = Alarm()
    private var lastSentUs: UInt64
    private var isBlocked = false

    /// A session that is to be dialled: frames may be queued at once, `dial` follows when there is an address.
    public init(
        loop: EventLoop, owner: SessionOwner, ownerIndex: UInt32, policy: SessionPolicy,
        counters: SessionCounters
    ) {
        (self.loop, self.owner, self.ownerIndex) = (loop, owner, ownerIndex)
        (self.policy, self.counters) = (policy, counters)
        state = .waiting
        startedUs = loop.nowUs
        (lastReceivedUs, lastSentUs) = (startedUs, startedUs)
        tx = TxQueue(memory: loop.memory)
        super.init()
        tx.appendHello(.ours)
        loop.attach(self)
        arm(in: policy.connectTimeoutUs)
    }

    /// Frames that wait to be sent.
    public var depth: Int { tx.depth }

    // MARK: - Beginning

    /// Begins to connect a session that waits for its address. With fast open what is queued in this turn
    /// leaves with the SYN.
    public func dial(_ address: SocketAddress, fastOpen: FastOpen = .off) throws(SystemError) {
        precondition(state == .waiting, "a session is dialled once")
        let dialled = try Sockets.dial(address, fastOpen: fastOpen)
        let events = dialled.takesBytes ? EPOLLIN.rawValue : EPOLLIN.rawValue | EPOLLOUT.rawValue
        try loop.watch(dialled.fd.raw, events: events, for: self)
        let takesBytes = dialled.takesBytes
        fd = (consume dialled).fd
        state = .dialling
        guard takesBytes else { return }
        beginHandshake()
        loop.deferToEndOfTurn(self)
    }

    /// Takes over a connection that a listener accepted. What came with it is read at once, so that HELLO and the
    /// first answers leave together.
    public func adopt(_ socket: consuming FileDescriptor, nowUs: UInt64) throws(SystemError) {
        precondition(state == .waiting, "a session has one connection")
        try loop.watch(socket.raw, events: EPOLLIN.rawValue, for: self)
        fd = consume socket
        beginHandshake()
        receive(nowUs)
        if state != .closed { loop.deferToEndOfTurn(self) }
    }

    private func beginHandshake() {
        state = .handshake
        arm(in: policy.handshakeTimeoutUs)
    }

    // MARK: - Sending

    /// Queues one Data frame; all of a turn leave together at its end. False, and counted, when it was dropped.
    @inline(__always) @discardableResult
    public func send(_ payload: UnsafeRawBufferPointer) -> Bool {
        guard queue(.data, payload) else {
            counters.txDropped += 1
            return false
        }
        counters.framesOut += 1
        return true
    }

    @inline(__always)
    private func queue(_ kind: FrameKind, _ payload: UnsafeRawBufferPointer) -> Bool {
        guard state != .closed, payload.count <= FrameHead.maxPayload else { return false }
        guard tx.append(kind, payload) || (makeRoom() && tx.append(kind, payload)) else { return false }
        lastSentUs = loop.nowUs
        if !isBlocked { loop.deferToEndOfTurn(self) }
        return true
    }

    /// Lets the socket take what waits, before a frame is dropped. What it finds wrong is dealt with when the
    /// turn ends.
    private func makeRoom() -> Bool {
        guard canSend else { return false }
        let before = tx.waiting
        loop.deferToEndOfTurn(self)
        // Where the loop cannot watch for room, the end of the turn finds the same, and closes.
        if writeQueue() == .blocked { try? block() }
        return tx.waiting < before
    }

    private var canSend: Bool { (state == .handshake || state == .open) && !isBlocked }

    override public func endOfTurn(nowUs: UInt64) {
        if canSend { flush() }
    }

    private func flush() {
        do throws(SystemError) {
            switch writeQueue() {
            case .drained: try unblock()
            case .blocked: try block()
            case .failed(let code): close(.failed(code))
            }
        } catch {
            close(CloseReason(error))
        }
    }

    private func writeQueue() -> TxQueue.Flush {
        guard let descriptor = fd?.raw else { return .blocked }
        let before = tx.waiting
        let result = tx.flush(to: descriptor)
        counters.bytesOut += UInt64(before - tx.waiting)
        return result
    }

    private func block() throws(SystemError) {
        try loop.setInterest(EPOLLIN.rawValue | EPOLLOUT.rawValue, of: self)
        stall(true)
    }

    private func unblock() throws(SystemError) {
        try loop.setInterest(EPOLLIN.rawValue, of: self)
        stall(false)
    }

    @inline(__always)
    private func stall(_ isStalled: Bool) {
        guard isBlocked != isStalled else { return }
        isBlocked = isStalled
        owner.sessionStalled(self, isStalled: isStalled)
    }

    // MARK: - Events

    override public func ready(_ events: UInt32, nowUs: UInt64) {
        if state == .dialling, !finishConnect() { return }
        if events & ~EPOLLOUT.rawValue != 0 { receive(nowUs) }
        if events & EPOLLOUT.rawValue != 0, state != .closed { flush() }
    }

    private func finishConnect() -> Bool {
        guard let descriptor = fd?.raw else { return false }
        let code = Sockets.pendingError(of: descriptor)
        guard code == 0 else {
            close(.failed(code))
            return false
        }
        beginHandshake()
        return true
    }

    /// False while the SYN, which with fast open carried the first frames, is not answered.
    private var isConnected: Bool {
        guard let descriptor = fd?.raw else { return false }
        return !Sockets.awaitsAnswer(descriptor)
    }

    private func receive(_ nowUs: UInt64) {
        guard let descriptor = fd?.raw else { return }
        let buffer = loop.memory.receiveBuffer
        let count: Int
        do throws(SystemError) {
            count = try systemCall("recv") { recv(descriptor, buffer.baseAddress, buffer.count, 0) }
        } catch {
            return error.code == EAGAIN ? () : close(.failed(error.code))
        }
        guard count > 0 else { return close(.peerClosed) }
        lastReceivedUs = nowUs
        counters.bytesIn += UInt64(count)
        decode(UnsafeRawBufferPointer(rebasing: buffer[..<count]), nowUs)
    }

    @inline(__always)
    private func decode(_ bytes: UnsafeRawBufferPointer, _ nowUs: UInt64) {
        var input = bytes
        do throws(OapError) {
            while state != .closed, let event = try decoder.next(&input) {
                switch event {
                case .frame(.data, let payload):
                    counters.framesIn += 1
                    owner.sessionReceived(self, payload: payload, nowUs: nowUs)
                case .frame(.ctrl, _): counters.ctrlIn += 1
                case .hello: open(nowUs)
                }
            }
        } catch {
            close(.refused(error))
        }
    }

    private func open(_ nowUs: UInt64) {
        (state, openedUs) = (.open, nowUs)
        owner.sessionOpened(self, nowUs: nowUs)
        if state == .open { upkeep(nowUs) }
    }

    // MARK: - Time

    override public func timer(tag: UInt32, nowUs: UInt64) {
        alarm.fired()
        switch state {
        case .waiting, .dialling: close(.connectTimeout)
        case .handshake: close(isConnected ? .handshakeTimeout : .connectTimeout)
        case .open:
            decoder.trim()
            upkeep(nowUs)
        case .closed: break
        }
    }

    /// Closes an idle session, sends a heartbeat on a quiet one, and sleeps until either may be due again.
    private func upkeep(_ nowUs: UInt64) {
        let idleUs = later(lastReceivedUs, by: policy.idleTimeoutUs)
        guard nowUs < idleUs else { return close(.idle) }
        if nowUs >= later(lastSentUs, by: policy.heartbeatUs) {
            lastSentUs = nowUs
            _ = queue(.ctrl, UnsafeRawBufferPointer(start: nil, count: 0))
        }
        alarm.set(min(idleUs, later(lastSentUs, by: policy.heartbeatUs)), on: loop, for: self)
    }

    private func arm(in delayUs: UInt64) { alarm.set(later(loop.nowUs, by: delayUs), on: loop, for: self) }

    /// `.max`, never, stays never.
    private func later(_ timeUs: UInt64, by delayUs: UInt64) -> UInt64 {
        delayUs == .max ? .max : timeUs + delayUs
    }

    // MARK: - End

    /// Ends the session, at once and from anywhere; what waits to be sent is lost.
    public func close(_ reason: CloseReason) {
        guard state != .closed else { return }
        state = .closed
        alarm.set(nil, on: loop, for: self)
        loop.detach(self)
        fd = nil
        tx.clear()
        owner.sessionClosed(self, reason: reason, nowUs: loop.nowUs)
    }
}
