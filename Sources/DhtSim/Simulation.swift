// RO:WHAT  Simulation: many DhtNodes on one virtual clock, over a modelled network.
// RO:WHY   The node is a pure machine, so what runs here is what the daemon ships, ten thousand times over.
// RO:INVARIANTS  events are handled in the order of (time, pushed); a node that is up has a wake queued no
//          later than its next deadline; no outcome depends on a Dictionary's or a Set's order.
// RO:TEST  Tests/DhtSimTests/SimulationTests.swift

import DhtLoop

/// One run. Make it, `run()` it, read the report.
public final class Simulation {
    /// The virtual clock's first time: not 0, which some take for "never".
    static let startUs: UInt64 = 1_000_000

    public let config: SimConfig
    /// Virtual time in microseconds.
    public internal(set) var nowUs = Simulation.startUs
    /// Events and wakes handled.
    public internal(set) var events: UInt64 = 0

    let endpoints = EndpointTable(limit: 1 << 26)
    let latency: LatencyModel
    var chance: Chance
    var queue = EventQueue()
    /// When nodes want to be woken: one timer a node, moved only when it must be earlier.
    var wakes = TimerWheel(nowUs: Simulation.startUs, capacity: 1024)
    var payloads = PayloadPool()
    var sites = SiteTable()
    /// The site of an endpoint, by the endpoint's number; -1 for one that no site has.
    var siteOfEndpoint: [Int32] = []
    /// The site of a node's id, for hubs, which forward by it.
    var siteOfID = FlatMap()
    var sessions = SessionTable()
    var visited = FlatMap()
    var traffic = Traffic()
    var workload: Workload
    var measurements = Measurements()
    var scribe = Scribe()
    var adversaries = Adversaries()
    var publisher = Publisher()
    /// Nodes that callers may use: up, no adversaries, and no stragglers, whose every call is slow.
    var callers: [Int] = []
    var isPartitioned = false
    /// Adversaries have turned.
    var isHostile = false
    /// What the frames now being sent reply to.
    var answering = Purpose.other
    var tracer: Tracer?
    var checkCountdown: Int
    /// Broken invariants, as text.
    var violations: [String] = []
    /// When the measured part began.
    var measuredFromUs = Simulation.startUs

    /// `config` must be valid.
    public init(config: SimConfig) {
        self.config = config
        chance = Chance(seed: config.seed)
        latency = LatencyModel(
            floorMs: config.network.floorMs, p10Ms: config.network.p10Ms, p90Ms: config.network.p90Ms,
            secret: chance.word())
        workload = Workload(config: config)
        checkCountdown = config.checkEvery
        tracer = config.traceGet.map { Tracer(get: $0) }
    }

    /// Runs until the virtual clock shows `endUs`.
    func advance(to endUs: UInt64) {
        while true {
            let eventUs = queue.nextDueUs ?? .max
            let wakeUs = wakes.nextDeadlineUs ?? .max
            guard min(eventUs, wakeUs) <= endUs else { break }
            if eventUs <= wakeUs {
                guard let event = queue.pop(dueBy: eventUs) else { break }
                nowUs = max(nowUs, event.dueUs)
                handle(event)
            } else {
                nowUs = max(nowUs, wakeUs)
                wakeNodes()
            }
        }
        nowUs = endUs
    }

    private func handle(_ event: Event) {
        events += 1
        let (from, to) = (Int(event.from), Int(event.to))
        switch event.kind {
        case .frameUp: frameReachedOverlay(event, from: from, overlay: to)
        case .frameDown: frameReachedDialler(event, origin: from, dialler: to)
        case .departed: frameDeparted(from, generation: event.via, isDown: event.flag)
        case .opened: sessionOpened(from, generation: event.via)
        case .lost: sessionLost(from, generation: event.via)
        case .closed: sessionClosed(EndpointID(rawValue: event.to), isDisuse: event.flag, at: from)
        case .join: join(from)
        case .crash: crash(from)
        case .operate: operate()
        case .publish: publishNext()
        case .refreshed: refreshEnded()
        case .flood: flood(from)
        case .fault: planned(Fault(rawValue: from))
        }
    }

    private func wakeNodes() {
        while let token = wakes.next(dueBy: nowUs) {
            events += 1
            let site = Int(token)
            sites[site].wakeUs = .max
            guard let machine = sites[site].machine else { continue }
            machine.plan.advance(nowUs: nowUs)
            settle(machine, site)
            machine.node.advance(nowUs: nowUs)
            perform(machine, site)
        }
    }

    /// Does what a node's outbox says, and sees to it that the node is woken in time.
    func perform(_ machine: Machine, _ site: Int) {
        if !machine.node.outbox.isEmpty {
            for action in machine.node.outbox.actions {
                switch action {
                case .send(let endpoint, let slice):
                    send(machine.node.outbox.payload(slice), from: site, to: endpoint)
                case .reply(let link, let slice):
                    reply(
                        machine.node.outbox.payload(slice), from: site, over: link,
                        as: purposeOfReply(machine))
                case .warm(let endpoints): keepWarm(endpoints, machine, site)
                case .finished(let call, let result): finished(call, result, machine, site)
                case .event: break
                }
            }
            machine.node.outbox.clear()
        }
        armWake(of: site, atUs: machine.node.nextDeadlineUs)
        if config.checkEvery > 0 { countDownToCheck(machine, site) }
    }

    /// What a reply is about that is sent now: the request that came in, or an answer to hand back.
    private func purposeOfReply(_ machine: Machine) -> Purpose {
        answering == .other ? machine.purposeOfHandedBack() : answering
    }

    /// A wake that is early only costs a look; so it is moved when it must be earlier, not when it may be later.
    func armWake(of site: Int, atUs deadlineUs: UInt64?) {
        guard let deadlineUs, deadlineUs < sites[site].wakeUs else { return }
        wakes.cancel(sites[site].wake)
        sites[site].wake = wakes.schedule(atUs: deadlineUs, token: UInt64(site))
        sites[site].wakeUs = deadlineUs
    }

    /// The site that answers at `endpoint`.
    func site(at endpoint: EndpointID) -> Int? {
        let number = Int(endpoint.rawValue)
        guard number < siteOfEndpoint.count, siteOfEndpoint[number] >= 0 else { return nil }
        return Int(siteOfEndpoint[number])
    }

    /// Whether nodes limit what they answer.
    var isRationed: Bool { config.nodes.peerRps > 0 || config.nodes.globalRps > 0 }

    /// `seconds` from now.
    func later(_ seconds: Double) -> UInt64 { nowUs + UInt64(max(0, seconds) * 1_000_000) }
}
