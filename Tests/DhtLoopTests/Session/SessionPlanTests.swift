// RO:WHAT  SessionPlan without a socket: what is dialled, kept, evicted and closed, and when.
import Testing

@testable import DhtLoop

/// A plan whose orders are taken note of; time moves when a test says so.
private final class Planner {
    var plan: SessionPlan
    var nowUs: UInt64 = 1_000_000
    /// Sessions that were ordered and have not ended, by slot.
    var sessions: [Int: EndpointID] = [:]
    var dialled: [EndpointID] = []
    var closed: [Closing] = []
    var refused: [EndpointID] = []

    struct Closing: Equatable {
        var endpoint: EndpointID
        var reason: CloseReason
    }

    init(seed: UInt64 = 1, _ change: (inout PoolPolicy) -> Void = { _ in }) {
        var policy = PoolPolicy()
        change(&policy)
        plan = SessionPlan(policy: policy, seed: seed, nowUs: nowUs)
    }

    /// Takes the plan's orders, as a driver would that does nothing else.
    func take() {
        for order in plan.orders {
            switch order {
            case .dial(let slot, let endpoint):
                #expect(sessions.updateValue(endpoint, forKey: slot) == nil, "one session a slot")
                dialled.append(endpoint)
            case .close(let slot, let endpoint, _, let reason):
                #expect(sessions.removeValue(forKey: slot) == endpoint, "what is closed was there")
                closed.append(Closing(endpoint: endpoint, reason: reason))
            case .refuse(let endpoint): refused.append(endpoint)
            }
        }
        plan.clearOrders()
        #expect(broken == nil)
        #expect(plan.sessions == sessions.count)
    }

    var broken: String? { plan.brokenInvariant() }
    var nextDeadlineUs: UInt64? { plan.nextDeadlineUs }
    var home: EndpointID { plan.home }

    func uses(_ endpoint: EndpointID) -> Bool { plan.uses(endpoint) }
    func hasSession(_ endpoint: EndpointID) -> Bool { plan.hasSession(endpoint) }
    func isOpen(_ endpoint: EndpointID) -> Bool { plan.isOpen(endpoint) }

    func keep(_ endpoint: EndpointID) {
        plan.keep(endpoint, nowUs: nowUs)
        take()
    }

    func release(_ endpoint: EndpointID) {
        plan.release(endpoint, nowUs: nowUs)
        take()
    }

    func keepWarm(_ wanted: [EndpointID]) {
        plan.keepWarm(wanted, nowUs: nowUs)
        take()
    }

    func receive(from endpoint: EndpointID) {
        if let slot = plan.find(endpoint) { plan.received(slot, nowUs: nowUs) }
    }

    func stall(_ endpoint: EndpointID, _ isStalled: Bool) {
        if let slot = plan.find(endpoint) { plan.stalled(slot, isStalled) }
    }

    func send(to endpoint: EndpointID) -> Bool {
        let slot = plan.open(endpoint, nowUs: nowUs)
        take()
        if let slot { plan.sent(slot, nowUs: nowUs) }
        return slot != nil
    }

    /// The session to `endpoint` opens, after a millisecond.
    func open(_ endpoint: EndpointID) {
        pass(1_000)
        if let slot = plan.find(endpoint) { plan.opened(slot, nowUs: nowUs) }
        take()
    }

    /// The session to `endpoint` ends by itself.
    func end(_ endpoint: EndpointID) {
        guard let slot = plan.find(endpoint), sessions.removeValue(forKey: slot) != nil else { return }
        plan.ended(slot, nowUs: nowUs)
        take()
    }

    /// Sends to an endpoint and opens the session that this dials.
    func connect(_ endpoint: EndpointID) {
        _ = send(to: endpoint)
        open(endpoint)
    }

    func pass(_ us: UInt64) {
        nowUs += us
        plan.advance(nowUs: nowUs)
        take()
    }

    /// Time from now until the plan dials `endpoint`; nil when it does not within `limitUs`.
    func waitForDial(of endpoint: EndpointID, within limitUs: UInt64 = 120_000_000) -> UInt64? {
        let (startUs, count) = (nowUs, dialled.count)
        while let dueUs = plan.nextDeadlineUs, dueUs <= startUs + limitUs {
            pass(max(dueUs, nowUs + 1) - nowUs)
            if dialled.dropFirst(count).contains(endpoint) { return nowUs - startUs }
        }
        return nil
    }
}

private func endpoint(_ number: Int) -> EndpointID { EndpointID(rawValue: UInt32(number)) }

@Suite("SessionPlan")
struct SessionPlanTests {
    private static let second: UInt64 = 1_000_000

    @Test("the first frame dials, later ones go over the same session, on its way or open")
    func dialOnce() {
        let planner = Planner()
        #expect(planner.send(to: endpoint(1)) && planner.send(to: endpoint(1)))
        planner.open(endpoint(1))
        #expect(planner.send(to: endpoint(1)) && planner.dialled == [endpoint(1)])
        #expect(planner.isOpen(endpoint(1)) && planner.plan.openSessions == 1)
        #expect(!planner.send(to: .none))
    }

    @Test("a session that is not kept is forgotten when it ends, and dialled anew for the next frame")
    func ends() {
        let planner = Planner()
        for isOpen in [false, true] {
            #expect(planner.send(to: endpoint(1)))
            if isOpen { planner.open(endpoint(1)) }
            planner.end(endpoint(1))
            #expect(!planner.uses(endpoint(1)) && planner.nextDeadlineUs == nil)
        }
        #expect(planner.dialled.count == 2)
    }

    // MARK: - Eviction

    @Test(
        "at the cap the one longest without Data goes, of either direction, and the warm ones after all others"
    )
    func evictionOrder() {
        let planner = Planner { $0.maxSessions = 4 }
        for number in 1...4 { planner.connect(endpoint(number)) }
        planner.keepWarm([endpoint(1)])
        planner.pass(1_000)
        planner.receive(from: endpoint(2))
        planner.pass(1_000)
        _ = planner.send(to: endpoint(3))
        for number in 5...8 {
            planner.pass(1_000)
            planner.connect(endpoint(number))
        }
        #expect(planner.closed.map(\.endpoint) == [4, 2, 3, 5].map(endpoint))
        #expect(planner.closed.allSatisfy { $0.reason == .evicted } && planner.plan.evictions == 4)
        for number in 6...8 {
            planner.keep(endpoint(number))
        }
        planner.connect(endpoint(9))
        #expect(planner.closed.last?.endpoint == endpoint(1))
    }

    @Test("none goes that is kept, on its way, stalled, or has been sent to in this turn")
    func notEvicted() {
        let planner = Planner { $0.maxSessions = 4 }
        planner.keep(endpoint(1))
        planner.open(endpoint(1))
        for number in 2...3 { planner.connect(endpoint(number)) }
        planner.stall(endpoint(2), true)
        planner.pass(1_000)
        #expect(planner.send(to: endpoint(3)) && planner.send(to: endpoint(4)))
        #expect(!planner.send(to: endpoint(5)) && planner.refused == [endpoint(5)] && planner.closed.isEmpty)
        planner.stall(endpoint(2), false)
        #expect(planner.send(to: endpoint(5)) && planner.closed.map(\.endpoint) == [endpoint(2)])
    }

    @Test("a kept endpoint without room is refused, waits, and makes room when its turn comes")
    func keptWithoutRoom() {
        let planner = Planner { $0.maxSessions = 1 }
        planner.connect(endpoint(1))
        _ = planner.send(to: endpoint(1))
        planner.keep(endpoint(2))
        #expect(planner.refused == [endpoint(2)] && !planner.hasSession(endpoint(2)))
        #expect(planner.waitForDial(of: endpoint(2)) != nil)
        #expect(planner.closed == [Planner.Closing(endpoint: endpoint(1), reason: .evicted)])
    }

    // MARK: - Kept ones

    @Test("a kept endpoint is dialled again after full jitter that doubles up to a minute", arguments: 1...5)
    func backOff(seed: Int) {
        let planner = Planner(seed: UInt64(seed))
        planner.keep(endpoint(1))
        for attempt in 0..<12 {
            planner.end(endpoint(1))
            #expect(!planner.send(to: endpoint(1)), "seed \(seed): nothing is sent while it waits")
            let ceiling = min(60 * Self.second, 200_000 << UInt64(attempt))
            let waited = planner.waitForDial(of: endpoint(1))
            #expect(waited.map { $0 <= ceiling + 2_000 } == true, "seed \(seed), attempt \(attempt)")
        }
    }

    @Test("only a session that was open for long enough starts the back-off over")
    func stable() {
        for (openUs, isReset) in [(9 * Self.second, false), (10 * Self.second, true)] {
            var longestUs: UInt64 = 0
            for seed in 1...20 as ClosedRange<UInt64> {
                let planner = Planner(seed: seed)
                planner.keep(endpoint(1))
                for _ in 0..<8 {
                    planner.end(endpoint(1))
                    _ = planner.waitForDial(of: endpoint(1))
                }
                planner.open(endpoint(1))
                planner.pass(openUs)
                planner.end(endpoint(1))
                longestUs = max(longestUs, planner.waitForDial(of: endpoint(1)) ?? 0)
            }
            #expect((longestUs <= 202_000) == isReset, "\(longestUs) us after \(openUs)")
        }
    }

    @Test("a released endpoint is forgotten while it waits, and idles out when it is open")
    func release() {
        let planner = Planner()
        for number in 1...2 { planner.keep(endpoint(number)) }
        planner.end(endpoint(1))
        planner.open(endpoint(2))
        planner.pass(600 * Self.second)
        planner.end(endpoint(1))
        for number in 1...2 { planner.release(endpoint(number)) }
        #expect(!planner.uses(endpoint(1)))
        #expect(planner.closed == [Planner.Closing(endpoint: endpoint(2), reason: .idle)])
    }

    @Test(
        "home is the first kept one that opens, stays while it is open, and moves when another is when it ends"
    )
    func home() {
        let planner = Planner()
        planner.connect(endpoint(9))
        #expect(planner.home == .none)
        for number in 1...3 { planner.keep(endpoint(number)) }
        planner.open(endpoint(2))
        planner.open(endpoint(1))
        #expect(planner.home == endpoint(2))
        planner.end(endpoint(2))
        #expect(planner.home == endpoint(1))
        planner.end(endpoint(1))
        #expect(planner.home == endpoint(1), "none is open: others go on being told")
        planner.open(endpoint(3))
        #expect(planner.home == endpoint(3))
        planner.keep(endpoint(9))
        planner.release(endpoint(3))
        #expect(planner.home == endpoint(9))
    }

    // MARK: - Idle ones

    @Test("a session without Data for its time is closed, whatever came and went before")
    func idle() {
        let planner = Planner()
        planner.connect(endpoint(1))
        planner.pass(100 * Self.second)
        planner.receive(from: endpoint(1))
        planner.pass(119 * Self.second)
        #expect(planner.closed.isEmpty)
        planner.pass(1_002_000)
        #expect(planner.closed == [Planner.Closing(endpoint: endpoint(1), reason: .idle)])
        #expect(!planner.uses(endpoint(1)))
    }

    @Test("a session that took long to open is not idle yet")
    func slowOpening() {
        let planner = Planner { $0.idleTimeoutUs = 40_000 }
        _ = planner.send(to: endpoint(1))
        planner.pass(50_000)
        planner.open(endpoint(1))
        #expect(planner.isOpen(endpoint(1)) && planner.closed.isEmpty)
    }

    @Test("a session that another wish keeps does not idle out until the wish is taken back")
    func wanted() {
        let planner = Planner()
        for number in 1...2 { planner.connect(endpoint(number)) }
        planner.keep(endpoint(1))
        planner.keepWarm([endpoint(2)])
        planner.pass(3_600 * Self.second)
        #expect(planner.closed.isEmpty && planner.nextDeadlineUs == nil)
        planner.keepWarm([])
        #expect(planner.closed == [Planner.Closing(endpoint: endpoint(2), reason: .idle)])
    }

    // MARK: - The warm set

    @Test("the warm set is dialled one after the other at its pace, as long as few are on their way")
    func warmPace() {
        let planner = Planner { $0.dialsAtOnce = 3 }
        planner.keepWarm((1...5).map(endpoint))
        var counts: [Int] = []
        for _ in 0..<6 {
            planner.pass(51_000)
            counts.append(planner.dialled.count)
        }
        #expect(counts == [1, 2, 3, 3, 3, 3])
        for number in 1...3 { planner.open(endpoint(number)) }
        for _ in 0..<3 { planner.pass(51_000) }
        #expect(planner.dialled == (1...5).map(endpoint) && planner.plan.warmSessions == 5)
    }

    @Test("the warm set is half of the cap at most, and makes nobody leave")
    func warmBound() {
        let planner = Planner { $0.maxSessions = 6 }
        for number in 11...15 { planner.connect(endpoint(number)) }
        planner.keepWarm((1...5).map(endpoint))
        #expect(planner.uses(endpoint(3)) && !planner.uses(endpoint(4)))
        for _ in 0..<10 { planner.pass(51_000) }
        #expect(planner.dialled.count == 6 && planner.closed.isEmpty && planner.refused.isEmpty)
    }

    @Test("one of the warm set that ends stays away until it is handed over again")
    func warmEnds() {
        let planner = Planner()
        planner.keepWarm([endpoint(1)])
        planner.pass(51_000)
        planner.end(endpoint(1))
        planner.pass(60 * Self.second)
        #expect(planner.dialled.count == 1 && !planner.uses(endpoint(1)))
        planner.keepWarm([endpoint(1)])
        planner.pass(51_000)
        #expect(planner.dialled.count == 2)
    }

    @Test("after the end nothing is dialled, whoever asks")
    func shutDown() {
        let planner = Planner()
        planner.connect(endpoint(1))
        for number in 2...3 { planner.keep(endpoint(number)) }
        planner.end(endpoint(3))
        planner.keepWarm([endpoint(4)])
        planner.plan.shutDown()
        planner.take()
        #expect(planner.closed.map(\.reason) == [.shutdown, .shutdown] && planner.sessions.isEmpty)
        planner.keep(endpoint(1))
        planner.keepWarm([endpoint(4)])
        #expect(!planner.send(to: endpoint(5)) && planner.nextDeadlineUs == nil)
    }

    // MARK: - Whatever happens

    /// One thing that a node wants or the network does, drawn at random.
    private func step(_ planner: Planner, _ generator: inout SeededGenerator) {
        let target = endpoint(.random(in: 1...40, using: &generator))
        let slot = planner.sessions.keys.sorted().randomElement(using: &generator)
        switch Int.random(in: 0..<14, using: &generator) {
        case 0...3: _ = planner.send(to: target)
        case 4, 5: planner.end(slot.map { planner.sessions[$0]! } ?? target)
        case 6...8:
            if let slot, planner.plan.openSessions < planner.plan.sessions,
                !planner.isOpen(planner.plan.endpoint(of: slot))
            {
                planner.plan.opened(slot, nowUs: planner.nowUs)
            }
        case 9: if let slot { planner.plan.received(slot, nowUs: planner.nowUs) }
        case 10: if let slot { planner.plan.stalled(slot, .random(using: &generator)) }
        case 11:
            // Few are kept: a cap is for those that are not.
            if target.rawValue <= 4 { planner.keep(target) }
        case 12: planner.release(target)
        default:
            let wanted = (0..<8).map { _ in endpoint(.random(in: 0...40, using: &generator)) }
            planner.keepWarm(wanted)
        }
        planner.pass(
            UInt64.random(in: 0...1, using: &generator) * .random(in: 1...3 * Self.second, using: &generator))
    }

    @Test(
        "whatever happens, counts, timers, bounds and slots add up", arguments: 1...40 as ClosedRange<UInt64>)
    func property(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        let planner = Planner(seed: seed) {
            $0.maxSessions = .random(in: 2...12, using: &generator)
            $0.idleTimeoutUs = .random(in: 100_000...20 * Self.second, using: &generator)
        }
        for number in 0..<500 {
            step(planner, &generator)
            let broken = planner.broken
            #expect(broken == nil, "seed \(seed), step \(number)")
            #expect(planner.plan.orders.isEmpty && planner.plan.sessions <= planner.plan.policy.maxSessions)
            guard broken == nil else { return }
        }
        planner.plan.shutDown()
        planner.take()
        #expect(planner.sessions.isEmpty && planner.nextDeadlineUs == nil, "seed \(seed)")
    }
}
