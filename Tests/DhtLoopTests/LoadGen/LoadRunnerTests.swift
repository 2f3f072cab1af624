// RO:WHAT  LoadRunner against a switch, and against what a switch may do wrong.
// RO:WHY   The switch runs on a thread of its own here: the runner's calls return when they are done.
import Glibc
import Testing

@testable import DhtLoop

/// A switch whose loop turns on another thread until it is dropped.
private final class ThreadedSwitch: @unchecked Sendable {
    let address: SocketAddress
    private let loop: EventLoop
    private let hub: OverlaySwitch
    private let stopper: Stopper
    private var thread = pthread_t()

    init() throws {
        var generator = SeededGenerator(seed: 3)
        loop = try EventLoop()
        hub = try OverlaySwitch(
            loop: loop, address: try #require(SocketAddress("127.0.0.1:0")), generator: &generator)
        address = try #require(hub.address)
        stopper = Stopper(loop: loop)
        let context = Unmanaged.passUnretained(loop).toOpaque()
        pthread_create(
            &thread, nil,
            { context in
                Unmanaged<EventLoop>.fromOpaque(context!).takeUnretainedValue().run()
                return nil
            }, context)
    }

    deinit {
        stopper.stop()
        pthread_join(thread, nil)
        hub.shutDown()
    }
}

/// Ends a loop from another thread, by a timer that looks at a flag.
private final class Stopper: EventSource, @unchecked Sendable {
    private static let grainUs: UInt64 = 1000

    private let loop: EventLoop
    private var mutex = pthread_mutex_t()
    private var isAsked = false

    init(loop: EventLoop) {
        self.loop = loop
        super.init()
        pthread_mutex_init(&mutex, nil)
        loop.attach(self)
        _ = loop.schedule(self, atUs: loop.nowUs + Self.grainUs)
    }

    func stop() {
        pthread_mutex_lock(&mutex)
        isAsked = true
        pthread_mutex_unlock(&mutex)
    }

    override func timer(tag: UInt32, nowUs: UInt64) {
        pthread_mutex_lock(&mutex)
        let isAsked = isAsked
        pthread_mutex_unlock(&mutex)
        if isAsked { loop.stop() } else { _ = loop.schedule(self, atUs: nowUs + Self.grainUs) }
    }
}

/// Notes what it is told.
private final class Notes: LoadObserver {
    var latencies: [UInt64] = []

    override func answered(_ op: LoadOp, latencyNs: UInt64) { latencies.append(latencyNs) }
}

@Suite("LoadRunner", .serialized)
struct LoadRunnerTests {
    private func relay(_ address: SocketAddress, _ pace: LoadPace) -> LoadPlan {
        var plan = LoadPlan(overlay: address)
        (plan.mix, plan.sessions, plan.pace) = (LoadMix([.init(.relay)]), 2, pace)
        return plan
    }

    @Test("a closed loop sends as many as it is told, and each is answered", arguments: [1, 64, 300])
    func closedLoop(inFlight: Int) throws {
        let hub = try ThreadedSwitch()
        let notes = Notes()
        let load = try LoadRunner(relay(hub.address, .inFlight(inFlight)), observer: notes)
        defer { load.close() }
        try load.connect()
        try load.run(until: .requests(1000))
        #expect(load.tally.sent == 1000 && load.tally.answered == 1000 && load.tally.lost == 0)
        #expect(notes.latencies.count == 1000 && load.tally.refused == 0 && load.tally.stray == 0)
    }

    @Test("an open loop keeps its rate: the last request is not meant to leave before its time")
    func openLoop() throws {
        let hub = try ThreadedSwitch()
        let load = try LoadRunner(relay(hub.address, .rate(perSecond: 2000)), observer: Notes())
        defer { load.close() }
        try load.connect()
        try load.run(until: .requests(200))
        #expect(load.tally.answered == 200)
        #expect(load.tally.elapsedNs >= 199 * 500_000)
    }

    @Test("runs count from zero")
    func again() throws {
        let hub = try ThreadedSwitch()
        let load = try LoadRunner(relay(hub.address, .inFlight(8)), observer: Notes())
        defer { load.close() }
        try load.connect()
        for _ in 0..<3 {
            try load.run(until: .requests(50))
            #expect(load.tally.sent == 50 && load.tally.answered == 50)
        }
    }

    @Test("a request to a node that nobody holds is answered with a refusal, not lost")
    func nobody() throws {
        let hub = try ThreadedSwitch()
        var plan = LoadPlan(overlay: hub.address)
        (plan.mix, plan.target) = (LoadMix([.init(.ping), .init(.get)]), NodeID(1, 2, 3, 4))
        let load = try LoadRunner(plan, observer: Notes())
        defer { load.close() }
        try load.connect()
        try load.run(until: .requests(20))
        #expect(load.tally.answered == 20 && load.tally.refused == 20)
    }

    @Test("where nothing listens, the session says so")
    func refused() throws {
        let closed = try Sockets.listen(on: try #require(SocketAddress("127.0.0.1:0")))
        let address = try Sockets.boundAddress(of: closed.raw)
        _ = consume closed
        let load = try LoadRunner(relay(address, .inFlight(1)), observer: Notes())
        defer { load.close() }
        #expect(throws: LoadError.session(.failed(ECONNREFUSED))) { try load.connect() }
    }

    @Test("a mix draws each share as often as it weighs")
    func mix() {
        let mix = LoadMix([.init(.ping, weight: 3), .init(.put, weight: 1)])
        var generator = SeededGenerator(seed: 5)
        let puts = (0..<4000).count { _ in mix.draw(using: &generator) == .put }
        #expect((900...1100).contains(puts))
    }
}
