// RO:WHAT  Listener: a listening socket that hands over its connections.
// RO:WHY   A process out of descriptors cannot accept, and a level-triggered loop would spin on it: it rests.
// RO:INVARIANTS  at most `perTurn` connections a turn.
// RO:TEST  Tests/DhtLoopTests/Session/ListenerTests.swift

import CEpoll
import Glibc

/// Who is given the connections of a listener.
public protocol ConnectionTaker: AnyObject {
    /// A connection was accepted. Dropping `socket` closes it.
    func take(_ socket: consuming FileDescriptor, nowUs: UInt64)
}

/// Accepts connections on one address until `stop`.
public final class Listener: EventSource {
    private static let perTurn = 64
    /// How long to leave connections waiting when the process or the system is out of descriptors.
    private static let restUs: UInt64 = 100_000

    /// Where it listens, with the port that the kernel chose.
    public let address: SocketAddress
    /// Times it had to rest, or to rest on.
    public private(set) var rests: UInt64 = 0

    private let loop: EventLoop
    private let fd: FileDescriptor
    private unowned let taker: any ConnectionTaker
    private var rest = Alarm()

    /// Binds and listens at once. `taker` outlives the listener, or stops it.
    public init(
        loop: EventLoop, address: SocketAddress, fastOpen: FastOpen = .off, taker: any ConnectionTaker
    ) throws(SystemError) {
        fd = try Sockets.listen(on: address, fastOpen: fastOpen)
        self.address = try Sockets.boundAddress(of: fd.raw)
        (self.loop, self.taker) = (loop, taker)
        super.init()
        loop.attach(self)
        try loop.watch(fd.raw, events: EPOLLIN.rawValue, for: self)
    }

    /// Accepts no more. Connections that wait are reset when the listener is released.
    public func stop() {
        rest.set(nil, on: loop, for: self)
        loop.detach(self)
    }

    override public func ready(_ events: UInt32, nowUs: UInt64) {
        do throws(SystemError) {
            for _ in 0..<Self.perTurn where isAttached {
                taker.take(try Sockets.accept(from: fd.raw), nowUs: nowUs)
            }
        } catch {
            // What is wrong with one connection is not wrong with the next.
            let passing = [EAGAIN, ECONNABORTED, EPROTO, EPERM]
            if !passing.contains(error.code) { takeRest(nowUs) }
        }
    }

    /// Leaves connections waiting for a while.
    func takeRest(_ nowUs: UInt64) {
        // Where the loop cannot stop watching, connections are tried in each turn of the rest.
        try? loop.setInterest(0, of: self)
        restOn(nowUs)
    }

    private func restOn(_ nowUs: UInt64) {
        rests += 1
        rest.set(nowUs + Self.restUs, on: loop, for: self)
    }

    override public func timer(tag: UInt32, nowUs: UInt64) {
        rest.fired()
        do throws(SystemError) {
            try loop.setInterest(EPOLLIN.rawValue, of: self)
        } catch {
            restOn(nowUs)
        }
    }
}
