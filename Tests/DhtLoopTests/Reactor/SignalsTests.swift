// RO:WHAT  SignalSource: a signal becomes an event.
import Glibc
import Testing

@testable import DhtLoop

@Suite("SignalSource")
struct SignalsTests {
    private final class Owner: SignalOwner {
        var received: [Int32] = []
        override func received(signal: Int32, nowUs: UInt64) { received.append(signal) }
    }

    @Test("HUP, INT and TERM are reported instead of ending the process")
    func report() throws {
        var before = sigset_t()
        pthread_sigmask(SIG_BLOCK, nil, &before)
        defer { pthread_sigmask(SIG_SETMASK, &before, nil) }
        let (loop, owner) = (try EventLoop(), Owner())
        let source = try SignalSource(loop: loop, owner: owner)
        defer { source.stop() }
        // `raise` signals this thread, which is the one that has them blocked.
        for signal in [SIGHUP, SIGINT, SIGTERM] { raise(signal) }
        loop.turn(maxWaitUs: 0)
        #expect(Set(owner.received) == [SIGHUP, SIGINT, SIGTERM])
    }
}
