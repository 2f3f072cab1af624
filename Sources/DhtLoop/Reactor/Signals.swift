// RO:WHAT  Signals as events: TERM, INT and HUP through a signalfd.
// RO:WHY   A handler may call next to nothing; a descriptor is read in the loop like any other.
// RO:INVARIANTS  the signals are blocked in the thread that makes this, and in those it starts later.

import CEpoll
import Glibc

/// Who is told of signals. Subclass it.
open class SignalOwner {
    public init() {}

    /// `signal` came: SIGTERM, SIGINT or SIGHUP.
    open func received(signal: Int32, nowUs: UInt64) {}
}

/// Blocks the signals' default actions and reports them to its owner.
public final class SignalSource: EventSource {
    private static let signals = [SIGTERM, SIGINT, SIGHUP]

    private let loop: EventLoop
    private unowned let owner: SignalOwner
    private let fd: FileDescriptor

    /// Attaches itself to `loop`; `stop` ends that. `owner` is not retained.
    public init(loop: EventLoop, owner: SignalOwner) throws(SystemError) {
        var set = sigset_t()
        try systemCall("sigemptyset") { sigemptyset(&set) }
        for signal in Self.signals { try systemCall("sigaddset") { sigaddset(&set, signal) } }
        let code = pthread_sigmask(SIG_BLOCK, &set, nil)
        guard code == 0 else { throw SystemError(operation: "pthread_sigmask", code: code) }
        let flags = Int32(SFD_NONBLOCK) | Int32(SFD_CLOEXEC)
        fd = try FileDescriptor("signalfd", signalfd(-1, &set, flags))
        (self.loop, self.owner) = (loop, owner)
        super.init()
        loop.attach(self)
        try loop.watch(fd.raw, events: EPOLLIN.rawValue, for: self)
    }

    /// Stops reporting. The signals stay blocked.
    public func stop() { loop.detach(self) }

    override public func ready(_ events: UInt32, nowUs: UInt64) {
        var info = signalfd_siginfo()
        let size = MemoryLayout<signalfd_siginfo>.size
        // Nothing left, or an interruption: what is left behind is announced again.
        while read(fd.raw, &info, size) == size {
            owner.received(signal: Int32(info.ssi_signo), nowUs: nowUs)
        }
    }
}
