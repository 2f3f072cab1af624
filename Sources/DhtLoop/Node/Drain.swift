// RO:WHAT  Drain: the time between SIGTERM and the end, in which running calls may finish.
// RO:WHY   A client that was told nothing yet is owed an answer, but not for ever.
// RO:INVARIANTS  ends once: when nothing is unfinished, or when its time is over.
// RO:TEST  Tests/DhtLoopTests/Node/DrainTests.swift, HandOverTests.swift

/// Who drains.
protocol DrainOwner: AnyObject {
    /// Work that is to be finished before the end: 0 ends the drain.
    var unfinished: Int { get }

    /// Nothing is unfinished any more, or the time is over.
    func drained(nowUs: UInt64)
}

/// Waits for its owner's work.
final class Drain: EventSource {
    private let loop: EventLoop
    private unowned let owner: any DrainOwner
    private var alarm = Alarm()
    private(set) var isRunning = false

    /// Attaches itself to `loop`; `stop` ends that.
    init(loop: EventLoop, owner: any DrainOwner) {
        (self.loop, self.owner) = (loop, owner)
        super.init()
        loop.attach(self)
    }

    func begin(withinUs: UInt64) {
        isRunning = true
        alarm.set(loop.nowUs + withinUs, on: loop, for: self)
        loop.deferToEndOfTurn(self)
    }

    /// To be called whenever some of the work is finished; does nothing before `begin`.
    func progressed() { if isRunning { loop.deferToEndOfTurn(self) } }

    func stop() {
        alarm.set(nil, on: loop, for: self)
        loop.detach(self)
    }

    override func timer(tag: UInt32, nowUs: UInt64) {
        alarm.fired()
        end(nowUs)
    }

    override func endOfTurn(nowUs: UInt64) { if owner.unfinished == 0 { end(nowUs) } }

    private func end(_ nowUs: UInt64) {
        guard isRunning else { return }
        isRunning = false
        alarm.set(nil, on: loop, for: self)
        owner.drained(nowUs: nowUs)
    }
}
