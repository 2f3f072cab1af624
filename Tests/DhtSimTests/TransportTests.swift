// RO:WHAT  Tests of the modelled transport: what sessions and faults cost a frame, by hand, between few sites.
// RO:WHY   The numbers that matter here are the ones a datagram network does not have.

import Testing

@testable import DhtLoop
@testable import DhtSim

@Suite("The modelled transport")
struct TransportTests {
    /// Two nodes that know nothing of each other, without jitter.
    private func twoSites(_ adjust: (inout SimConfig) -> Void = { _ in }) -> Simulation {
        var config = SimConfig()
        config.nodes.count = 2
        config.network.jitter = 0
        adjust(&config)
        let simulation = Simulation(config: config)
        for _ in 0..<2 { simulation.addLoneNode() }
        return simulation
    }

    /// Sends a ping from site 0 to site 1, runs until nothing is left to do, and returns how long the answer took.
    private func pingUs(_ simulation: Simulation, to destination: Int = 1) -> UInt64? {
        let startUs = simulation.nowUs
        let before = simulation.traffic.replies.reduce(0, +)
        simulation.pingForTest(from: 0, to: destination)
        while let dueUs = simulation.queue.nextDueUs {
            simulation.advance(to: dueUs)
            if simulation.traffic.replies.reduce(0, +) > before {
                let dueUs = simulation.queue.nextDueUs ?? simulation.nowUs
                simulation.advance(to: dueUs)
                return simulation.nowUs - startUs
            }
        }
        return nil
    }

    @Test("a cold session costs one round trip before its first frame, a warm one nothing")
    func coldAndWarm() {
        let simulation = twoSites()
        let onewayUs = simulation.latency.baseUs(0, 1)
        #expect(pingUs(simulation) == 4 * onewayUs)
        #expect(pingUs(simulation) == 2 * onewayUs)
        #expect(simulation.traffic.sessionsOpened == 1)
        #expect(simulation.traffic.sessionBytes == UInt64(Traffic.openBytes))
    }

    @Test("with TCP fast open a cold session costs no round trip")
    func fastOpen() {
        let simulation = twoSites { $0.sessions.fastOpen = .always }
        #expect(pingUs(simulation) == 2 * simulation.latency.baseUs(0, 1))
    }

    @Test("a fast-open cookie is had only after a first session")
    func cookie() {
        let simulation = twoSites { $0.sessions.fastOpen = .cookie }
        let onewayUs = simulation.latency.baseUs(0, 1)
        #expect(pingUs(simulation) == 4 * onewayUs)
        simulation.advance(to: simulation.nowUs + 200_000_000)
        #expect(pingUs(simulation) == 2 * onewayUs)
    }

    @Test("a session that nobody used for long enough is cold again")
    func idle() {
        let simulation = twoSites()
        let onewayUs = simulation.latency.baseUs(0, 1)
        _ = pingUs(simulation)
        simulation.advance(to: simulation.nowUs + 121_000_000)
        #expect(pingUs(simulation) == 4 * onewayUs)
        #expect(simulation.traffic.sessionsOpened == 2)
        let opened = 2 * Traffic.openBytes + Traffic.closeBytes
        #expect(simulation.traffic.sessionBytes == UInt64(opened + 2 * Traffic.keepAliveBytes))
    }

    @Test("a host that is up refuses after a round trip, a silent one costs the connect time-out")
    func deadHosts() {
        let simulation = twoSites()
        let onewayUs = simulation.latency.baseUs(0, 1)
        simulation.kill(1, isSilent: false)
        simulation.pingForTest(from: 0, to: 1)
        #expect(simulation.queue.nextDueUs == simulation.nowUs + 2 * onewayUs)
        simulation.advance(to: simulation.nowUs + 2 * onewayUs)
        #expect(simulation.sessions.count == 0)
        simulation.kill(1, isSilent: true)
        simulation.pingForTest(from: 0, to: 1)
        #expect(simulation.queue.nextDueUs == simulation.nowUs + 2_000_000)
    }

    @Test("an open session to a silent host ends with TCP's user time-out, and not at all when it heals")
    func silence() {
        let simulation = twoSites()
        _ = pingUs(simulation)
        (simulation.sites[0].half, simulation.sites[1].half) = (true, false)
        simulation.isPartitioned = true
        #expect(pingUs(simulation) == nil)
        #expect(simulation.sessions.count == 0)
        simulation.isPartitioned = false
        _ = pingUs(simulation)
        simulation.isPartitioned = true
        simulation.pingForTest(from: 0, to: 1)
        simulation.isPartitioned = false
        simulation.advance(to: simulation.nowUs + 31_000_000)
        #expect(simulation.sessions.count == 1)
    }

    @Test("the frame that finds 128 others waiting is dropped and counted")
    func txQueue() {
        let simulation = twoSites()
        for _ in 0..<130 { simulation.pingForTest(from: 0, to: 1) }
        #expect(simulation.traffic.queueDrops == 2)
        simulation.advance(to: simulation.nowUs + 1_000_000)
        simulation.pingForTest(from: 0, to: 1)
        #expect(simulation.traffic.queueDrops == 2)
    }

    @Test("frames of one session keep their order unless they are to be overtaken")
    func order() {
        let simulation = twoSites { $0.network.jitter = 5 }
        for _ in 0..<50 { simulation.pingForTest(from: 0, to: 1) }
        var arrivals: [UInt64] = []
        while let dueUs = simulation.queue.nextDueUs, arrivals.count < 50 {
            let before = simulation.traffic.replies.reduce(0, +)
            simulation.advance(to: dueUs)
            let after = simulation.traffic.replies.reduce(0, +)
            for _ in before..<after { arrivals.append(dueUs) }
        }
        #expect(arrivals == arrivals.sorted())
        #expect(simulation.sessions[simulation.session(of: 0, at: 1)!].up.lastArrivalUs == arrivals.last)
    }

    @Test("a frame for an id that the switch does not know comes back as unreachable")
    func unreachable() {
        let simulation = twoSites()
        simulation.sites[1].id = NodeID(9, 9, 9, 9)
        simulation.pingForTest(from: 0, to: 1)
        simulation.sites[1].id = NodeID(8, 8, 8, 8)
        simulation.advance(to: simulation.nowUs + 1_000_000)
        #expect(simulation.traffic.unreachable == 1)
        #expect(simulation.payloads.inUse == 0)
    }

    @Test("a node over its cap gives up the session it used least recently")
    func cap() {
        let simulation = twoSites { $0.sessions.cap = 2 }
        for _ in 0..<2 { simulation.addLoneNode() }
        for site in [1, 2, 1, 3] { _ = pingUs(simulation, to: site) }
        #expect(simulation.traffic.sessionsEvicted == 1)
        #expect(simulation.session(of: 0, at: 2) == nil)
        #expect(simulation.sites[0].machine?.plan.sessions == 2)
    }

    @Test("a session opens a round trip after its first frame may leave, and its node hears of it")
    func opening() {
        let simulation = twoSites()
        let onewayUs = simulation.latency.baseUs(0, 1)
        simulation.pingForTest(from: 0, to: 1)
        func isOpen() -> Bool { simulation.sites[0].machine!.plan.isOpen(simulation.sites[1].endpoint) }
        simulation.advance(to: simulation.nowUs + 4 * onewayUs - 1)
        #expect(!isOpen())
        simulation.advance(to: simulation.nowUs + 1)
        #expect(isOpen() && simulation.takesForOpen(0) == [1])
    }

    @Test("what the plan gives up its node hears: an idle session, and one that made room")
    func closing() {
        let simulation = twoSites { $0.sessions.cap = 2 }
        for _ in 0..<2 { simulation.addLoneNode() }
        for site in 1...3 { _ = pingUs(simulation, to: site) }
        #expect(simulation.takesForOpen(0) == [2, 3])
        simulation.advance(to: simulation.nowUs + 130_000_000)
        #expect(simulation.takesForOpen(0) == [] && simulation.sessions.count == 0)
    }

    @Test(
        "a frame for a kept overlay that waits for its redial is not sent, and the overlay is dialled until it is up"
    )
    func backOff() {
        let simulation = twoSites()
        let machine = simulation.sites[0].machine!
        simulation.kill(1, isSilent: false)
        machine.plan.keep(simulation.sites[1].endpoint, nowUs: simulation.nowUs)
        simulation.settle(machine, 0)
        simulation.advance(to: simulation.nowUs + 1_000_000)
        let failed = simulation.traffic.sessionsFailed
        #expect(failed > 1)
        while machine.plan.hasSession(simulation.sites[1].endpoint) {
            simulation.advance(to: simulation.nowUs + 1_000)
        }
        let before = simulation.traffic.sessionsFailed
        simulation.pingForTest(from: 0, to: 1)
        #expect(simulation.traffic.sessionsFailed == before && simulation.sessions.count == 0)
        simulation.sites[1].isUp = true
        simulation.advance(to: simulation.nowUs + 61_000_000)
        let isOpen = machine.plan.isOpen(simulation.sites[1].endpoint)
        #expect(isOpen && simulation.traffic.sessionsOpened == 1)
    }

    @Test("the warm set is dialled at the daemon's pace")
    func warmPace() {
        let simulation = twoSites()
        for _ in 0..<4 { simulation.addLoneNode() }
        let machine = simulation.sites[0].machine!
        simulation.keepWarm((0..<6).map { simulation.sites[$0].endpoint }, machine, 0)
        var counts: [Int] = []
        for _ in 0..<6 {
            simulation.advance(to: simulation.nowUs + 52_000)
            counts.append(machine.plan.sessions)
        }
        #expect(counts == [1, 2, 3, 4, 5, 5])
    }

    @Test("a node behind a hub follows its plan's choice of home")
    func home() {
        var config = SimConfig()
        (config.nodes.count, config.nodes.hubs) = (2, 2)
        let simulation = Simulation(config: config)
        simulation.populate()
        simulation.advance(to: simulation.nowUs + 20_000_000)
        let site = 2
        let machine = simulation.sites[site].machine!
        for hub in 0...1 { machine.plan.keep(simulation.sites[hub].endpoint, nowUs: simulation.nowUs) }
        simulation.settle(machine, site)
        simulation.advance(to: simulation.nowUs + 5_000_000)
        let home = simulation.sites[site].home
        simulation.sites[home].isUp = false
        simulation.resetInbound(home)
        simulation.advance(to: simulation.nowUs + 5_000_000)
        #expect(simulation.sites[site].home == 1 - home)
        #expect(machine.node.home == simulation.sites[1 - home].endpoint)
    }

    @Test("a full pool whose sessions are all opening has no room, and the node hears of it")
    func noRoom() {
        let simulation = twoSites { $0.sessions.cap = 1 }
        simulation.addLoneNode()
        simulation.pingForTest(from: 0, to: 1)
        simulation.pingForTest(from: 0, to: 2)
        #expect(simulation.traffic.sessionsFailed == 1)
        #expect(simulation.queue.nextDueUs == simulation.nowUs)
    }
}

extension Simulation {
    /// A node that knows of nobody.
    func addLoneNode() {
        let site = addSite(isAdversary: false)
        callers.removeAll()
        join(site)
        sites[site].callerIndex = -1
    }

    /// Sites to whose overlays the node at `site` takes its sessions for open.
    func takesForOpen(_ site: Int) -> [Int] {
        guard let machine = sites[site].machine else { return [] }
        return sites.indices.filter { machine.node.core.peers.isOpen(sites[$0].endpoint) }
    }

    /// Sends a ping as the node at `from` would.
    func pingForTest(from: Int, to: Int) {
        var buffer = ByteBuffer()
        let text = endpoints.bytes(.none)
        EnvelopeEncoder(src: sites[from].id, at: text, net: 0).begin(&buffer, dst: sites[to].id, rpc: 1)
        buffer.appendPing()
        send(buffer.bytes, from: from, to: sites[to].endpoint)
    }
}
