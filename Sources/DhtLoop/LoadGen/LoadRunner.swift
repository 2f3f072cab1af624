// RO:WHAT  LoadRunner: drives one node, or one switch, with requests from sessions of its own.
// RO:WHY   On the daemon's own reactor, so that what is measured is the server and not a slow client.
// RO:INVARIANTS  a request is counted as sent once, then as answered or lost once; latency counts from the
//          instant a request was meant to leave; a queue that is full makes requests late, it loses none.
// RO:TEST  Tests/DhtLoopTests/LoadGen/LoadRunnerTests.swift

/// Told what happens while a load runs.
open class LoadObserver {
    public init() {}

    /// A request was answered, this long after it was meant to be sent.
    open func answered(_ op: LoadOp, latencyNs: UInt64) {}

    /// A second has passed; `elapsedNs` is since the run began.
    open func progress(_ tally: LoadTally, elapsedNs: UInt64) {}
}

/// Why a load could not be made.
public enum LoadError: Error, Equatable {
    case system(SystemError)
    /// A session could not be opened, or broke.
    case session(CloseReason)
    /// The switch does not pass our own frames back, or no node answered within the time given.
    case silence(String)
}

/// A load generator. It owns its loop: its calls return when they are done.
public final class LoadRunner: SessionOwner {
    private enum Tag { static let expire: UInt32 = 0, progress: UInt32 = 1, deadline: UInt32 = 2 }

    /// How long opening, joining and finding the node may take.
    private static let patienceUs: UInt64 = 10_000_000
    private static let expiryGrainUs: UInt64 = 50_000
    private static let progressUs: UInt64 = 1_000_000
    /// After a full queue, until the next try.
    private static let retryNs: UInt64 = 50_000

    let plan: LoadPlan
    public let loop: EventLoop
    private let observer: LoadObserver
    private var pacer: Pacer!
    private let counters = SessionCounters()
    private var closed: CloseReason?

    var sessions: [OverlaySession] = []
    /// The id that each session speaks for.
    var ids: [NodeID] = []
    var encoders: LoadEncoders
    var lists = MessageLists()
    var scratch = ByteBuffer(capacity: 4096)
    var generator: SeededGenerator
    /// The node that is asked.
    public internal(set) var target: NodeID?
    /// Sessions whose frame to themselves came back.
    var joined = 0

    var requests: RequestTable
    public internal(set) var tally = LoadTally()
    private(set) var mix: LoadMix
    private var pace = LoadPace.inFlight(1)
    private var remaining: UInt64 = 0
    private var startedNs: UInt64 = 0
    private var nextIntendedNs = 0.0
    private var (expiry, progress, deadline) = (Alarm(), Alarm(), Alarm())
    var nextSession = 0
    var nextKey: UInt64 = 0
    /// Versions of what is put begin here: later runs replace what earlier ones stored.
    let firstSeq = Clock.realtimeUs()

    public init(_ plan: LoadPlan, observer: LoadObserver) throws(LoadError) {
        (self.plan, self.observer, mix) = (plan, observer, plan.mix)
        generator = SeededGenerator(seed: plan.seed)
        requests = RequestTable(limit: max(plan.window, 1))
        encoders = LoadEncoders(net: plan.net)
        target = plan.target
        do throws(SystemError) {
            loop = try EventLoop()
        } catch {
            throw .system(error)
        }
        super.init()
        loop.attach(self)
        do throws(SystemError) {
            pacer = try Pacer(loop: loop, runner: self)
        } catch {
            throw .system(error)
        }
    }

    // MARK: - Phases

    /// Opens the sessions, makes the switch learn their ids, and finds the node unless the plan names it.
    public func connect() throws(LoadError) {
        for index in 0..<plan.sessions { try openSession(UInt32(index)) }
        try wait(for: "the overlay passes no frame back to its sender") { $0.joined == $0.plan.sessions }
        if target == nil, mix.shares.contains(where: { $0.op != .relay }) {
            askForAnyNode()
            try wait(for: "no node answers at this overlay") { $0.target != nil }
        }
    }

    /// Puts every key of the plan once, so that gets find something.
    public func prefill() throws(LoadError) {
        mix = LoadMix([.init(.put)])
        defer { mix = plan.mix }
        try run(pace: .inFlight(min(64, plan.window)), until: .requests(plan.keys))
    }

    /// Sends as the plan says, until `limit`, and waits for the last answers. `tally` counts from zero.
    public func run(until limit: LoadLimit) throws(LoadError) { try run(pace: plan.pace, until: limit) }

    /// Turns the loop until `isDone`; what waits for something else, such as a population, uses it too.
    func wait(for what: String, until isDone: (LoadRunner) -> Bool) throws(LoadError) {
        let deadlineUs = Clock.monotonicUs() + Self.patienceUs
        while !isDone(self) {
            if let closed { throw .session(closed) }
            let nowUs = Clock.monotonicUs()
            guard nowUs < deadlineUs else { throw .silence(what) }
            loop.turn(maxWaitUs: deadlineUs - nowUs)
        }
    }

    /// Closes the sessions.
    public func close() {
        for session in sessions { session.close(.shutdown) }
        pacer.stop()
        loop.detach(self)
        loop.turn(maxWaitUs: 0)
    }

    private func openSession(_ index: UInt32) throws(LoadError) {
        let session = OverlaySession(
            loop: loop, owner: self, ownerIndex: index, policy: SessionPolicy(), counters: counters)
        sessions.append(session)
        ids.append(.random(using: &generator))
        encoders.add(src: ids[Int(index)])
        do throws(SystemError) {
            try session.dial(plan.overlay)
        } catch {
            throw .system(error)
        }
    }

    // MARK: - A run

    private func run(pace: LoadPace, until limit: LoadLimit) throws(LoadError) {
        begin(pace: pace, until: limit)
        while remaining > 0 || requests.count > 0 {
            if let closed { throw .session(closed) }
            loop.turn()
        }
        tally.elapsedNs = LoadClock.nowNs() - startedNs
        expiry.set(nil, on: loop, for: self)
        progress.set(nil, on: loop, for: self)
        deadline.set(nil, on: loop, for: self)
    }

    private func begin(pace: LoadPace, until limit: LoadLimit) {
        self.pace = pace
        tally = LoadTally()
        loop.turn(maxWaitUs: 0)
        startedNs = LoadClock.nowNs()
        nextIntendedNs = Double(startedNs)
        switch limit {
        case .requests(let count): remaining = count
        case .seconds(let seconds):
            remaining = .max
            deadline.set(loop.nowUs + UInt64(seconds * 1e6), on: loop, for: self, tag: Tag.deadline)
        }
        expiry.set(loop.nowUs + Self.expiryGrainUs, on: loop, for: self, tag: Tag.expire)
        progress.set(loop.nowUs + Self.progressUs, on: loop, for: self, tag: Tag.progress)
        issueDue(startedNs)
    }

    /// Sends all that should have left by now.
    @inline(__always)
    func issueDue(_ nowNs: UInt64) {
        while remaining > 0, let intendedNs = nextIntended(nowNs) {
            guard let rpc = requests.add(LoadRequest(op: mix.draw(using: &generator), intendedNs: intendedNs))
            else {
                return
            }
            guard send(rpc) else { return pacer.arm(atNs: nowNs + Self.retryNs) }
            remaining -= 1
            tally.sent += 1
            advanceIntended()
        }
        if case .rate = pace, remaining > 0 { pacer.arm(atNs: max(UInt64(nextIntendedNs), nowNs + 1)) }
    }

    /// When the next request was meant to leave, if that is not in the future.
    @inline(__always)
    private func nextIntended(_ nowNs: UInt64) -> UInt64? {
        switch pace {
        case .inFlight(let count): requests.count < count ? nowNs : nil
        case .rate: UInt64(nextIntendedNs) <= nowNs ? UInt64(nextIntendedNs) : nil
        }
    }

    @inline(__always)
    private func advanceIntended() {
        if case .rate(let perSecond) = pace { nextIntendedNs += 1e9 / perSecond }
    }

    /// The pacer's alarm.
    func paceDue() { issueDue(LoadClock.nowNs()) }

    /// An answer has come: counts it, and lets the next request leave.
    @inline(__always)
    func settle(_ request: LoadRequest, _ nowNs: UInt64) {
        tally.answered += 1
        observer.answered(request.op, latencyNs: nowNs - request.intendedNs)
        issueDue(nowNs)
    }

    override public func timer(tag: UInt32, nowUs: UInt64) {
        let nowNs = LoadClock.nowNs()
        switch tag {
        case Tag.deadline:
            deadline.fired()
            remaining = 0
        case Tag.expire:
            expiry.fired()
            tally.lost += requests.expire(intendedBefore: nowNs - min(nowNs, plan.timeoutUs * 1000))
            expiry.set(nowUs + Self.expiryGrainUs, on: loop, for: self, tag: Tag.expire)
            issueDue(nowNs)
        default:
            progress.fired()
            observer.progress(tally, elapsedNs: nowNs - startedNs)
            progress.set(nowUs + Self.progressUs, on: loop, for: self, tag: Tag.progress)
        }
    }

    // MARK: - Sessions

    override public func sessionOpened(_ session: OverlaySession, nowUs: UInt64) { join(session) }

    override public func sessionReceived(
        _ session: OverlaySession, payload: UnsafeRawBufferPointer, nowUs: UInt64
    ) {
        receive(payload)
    }

    override public func sessionClosed(_ session: OverlaySession, reason: CloseReason, nowUs: UInt64) {
        closed = reason
    }
}
