// RO:WHAT  PeerWatch: a node that hears nobody for a while asks somebody.
// RO:WHY   A network that is cut without a word closes no session: only an unanswered question shows it. A node that
//          nobody uses would else ask so seldom that its readiness was minutes old.
// RO:INVARIANTS  armed from `start` to `stop`; no question while others keep the node company.
// RO:TEST  Tests/DhtLoopTests/Node/PeerWatchTests.swift, scripts/live/readiness.sh

/// Sees to it that `NodeHost.lastHeardUs` is recent, or means something.
final class PeerWatch: EventSource {
    /// Silence after which it asks, and how long it waits before it asks again.
    static let askAfterUs: UInt64 = 10_000_000
    static let askAgainUs: UInt64 = 5_000_000
    /// Silence after which a node is cut off: asked three times, and nobody answered.
    static let isolatedAfterUs: UInt64 = 25_000_000

    private let loop: EventLoop
    private unowned let host: NodeHost
    private var alarm = Alarm()

    init(loop: EventLoop, host: NodeHost) {
        (self.loop, self.host) = (loop, host)
        super.init()
        loop.attach(self)
        alarm.set(loop.nowUs + Self.askAfterUs, on: loop, for: self)
    }

    func stop() {
        alarm.set(nil, on: loop, for: self)
        loop.detach(self)
    }

    override func timer(tag: UInt32, nowUs: UInt64) {
        alarm.fired()
        // Without a contact the node looks for one by itself.
        let heardUs = host.lastHeardUs ?? nowUs
        let isSilent = nowUs >= heardUs + Self.askAfterUs
        if isSilent { host.askForSign() }
        alarm.set(isSilent ? nowUs + Self.askAgainUs : heardUs + Self.askAfterUs, on: loop, for: self)
    }
}
