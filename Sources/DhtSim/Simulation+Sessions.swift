// RO:WHAT  How sessions come about and end: what each node's SessionPlan orders, carried out over a modelled TCP.
// RO:WHY   The plan is the daemon's. A cold session costs a round trip and packets: charged here as the daemon pays.
// RO:INVARIANTS  a node hears of a session by an event, never from inside its own actions.

import DhtLoop

// MARK: - What the plan orders

extension Simulation {
    /// The session over which `site` sends to `endpoint`, which is dialled if there is none. Nil when there is none to
    /// be had: no room, or an endpoint that is kept and waits for its redial.
    func session(from site: Int, to endpoint: EndpointID) -> Int? {
        guard let machine = sites[site].machine else { return nil }
        let slot = machine.plan.open(endpoint, nowUs: nowUs)
        settle(machine, site)
        return slot.flatMap { machine.session(in: $0) }
    }

    /// The session that `site` has to the overlay of another, be it only on its way.
    func session(of site: Int, at overlay: Int) -> Int? {
        guard let machine = sites[site].machine else { return nil }
        return machine.plan.find(sites[overlay].endpoint).flatMap { machine.session(in: $0) }
    }

    /// Carries out what the plan of `site` orders, and sees to it that the plan is asked again in time.
    func settle(_ machine: Machine, _ site: Int) {
        if !machine.plan.orders.isEmpty {
            for order in machine.plan.orders { carryOut(order, machine, site) }
            machine.plan.clearOrders()
        }
        armWake(of: site, atUs: machine.plan.nextDeadlineUs)
    }

    private func carryOut(_ order: SessionPlan.Order, _ machine: Machine, _ site: Int) {
        switch order {
        case .dial(let slot, let endpoint): connect(machine, site, slot, endpoint)
        case .close(let slot, let endpoint, _, let reason):
            if reason == .evicted { traffic.sessionsEvicted += 1 }
            if let place = machine.takeSession(in: slot) { close(place) }
            tellClosed(endpoint, isDisuse: reason.isDisuse, to: site)
        case .refuse(let endpoint):
            traffic.sessionsFailed += 1
            tellClosed(endpoint, isDisuse: false, to: site)
        }
    }

    /// Performs `.warm`. A node's own switch needs no session.
    func keepWarm(_ wanted: [EndpointID], _ machine: Machine, _ site: Int) {
        let own = sites[site].home == site ? sites[site].endpoint : .none
        machine.plan.keepWarm(wanted.filter { $0 != own }, nowUs: nowUs)
        settle(machine, site)
    }

    /// Opens sessions to the nearest contacts of a `Nodes` that just came, as a transport could that reads it.
    func dialAhead(_ payload: UnsafeRawBufferPointer, at site: Int) {
        guard let view = try? EnvelopeDecoder.decode(payload, into: &scribe.lists),
            case .nodes = view.message
        else { return }
        for contact in scribe.lists.contacts.prefix(config.sessions.dialAhead) {
            guard let endpoint = endpoints.find(contact.at.bytes),
                endpoint != sites[site].endpoint, let machine = sites[site].machine,
                machine.plan.find(endpoint) == nil, machine.plan.sessions < config.sessions.cap
            else { continue }
            _ = session(from: site, to: endpoint)
        }
    }
}

// MARK: - TCP

extension Simulation {
    /// A fixed wait of TCP before a lost SYN is sent again.
    private static let synRetryUs: UInt64 = 1_000_000

    private func connect(_ machine: Machine, _ site: Int, _ slot: Int, _ endpoint: EndpointID) {
        let overlay = self.site(at: endpoint)
        let place = sessions.add(site, overlay, slot: slot)
        machine.hold(place, in: slot)
        sessions[place].lastUsedUs = nowUs
        guard let overlay, let handshakeUs = handshakeUs(site, overlay) else { return fail(place) }
        traffic.sessionsOpened += 1
        traffic.sessionBytes += UInt64(Traffic.openBytes)
        sessions[place].connectedUs = nowUs + handshakeUs
        // The first frames leave behind HELLO; the other's HELLO answers that.
        let helloUs = sessions[place].connectedUs + delayUs(site, overlay) + delayUs(overlay, site)
        queue.push(Event(.opened, atUs: helloUs, from: place, via: Int(sessions[place].generation)))
    }

    /// How long until the first frame may leave; nil when no connection comes about.
    private func handshakeUs(_ dialler: Int, _ overlay: Int) -> UInt64? {
        guard isReachable(from: dialler, overlay) else { return nil }
        var retries: UInt64 = 0
        let roundTripLoss = 1 - (1 - config.faults.loss) * (1 - config.faults.loss)
        while chance.happens(roundTripLoss) { retries += 1 }
        let waitUs = ((1 << min(retries, 16)) - 1) * Self.synRetryUs
        guard Double(waitUs) < config.sessions.connectSeconds * 1_000_000 else { return nil }
        traffic.sessionBytes += retries * UInt64(Traffic.synBytes)
        if mayFastOpen(dialler, overlay) { return waitUs }
        return waitUs + delayUs(dialler, overlay) + delayUs(overlay, dialler)
    }

    private func mayFastOpen(_ dialler: Int, _ overlay: Int) -> Bool {
        switch config.sessions.fastOpen {
        case .off: return false
        case .always: return true
        case .cookie:
            let pair = UInt64(dialler) << 32 | UInt64(overlay)
            defer { visited.set(pair, 1) }
            return visited[pair] != nil
        }
    }

    /// A connection that will not come about: refused after a round trip, or given up when nobody answers.
    private func fail(_ place: Int) {
        let timeoutUs = UInt64(config.sessions.connectSeconds * 1_000_000)
        sessions[place].state = .failing
        traffic.sessionsFailed += 1
        traffic.sessionBytes += UInt64(2 * Traffic.synBytes)
        let (dialler, overlay) = (Int(sessions[place].dialler), Int(sessions[place].overlay))
        guard overlay >= 0, !isCut(dialler, overlay), !isCut(overlay, dialler),
            !sites[overlay].isUp, !sites[overlay].isSilent
        else { return scheduleEnd(of: place, inUs: timeoutUs) }
        let roundTripUs = delayUs(dialler, overlay) + delayUs(overlay, dialler)
        scheduleEnd(of: place, inUs: min(roundTripUs, timeoutUs))
    }

    /// Notes that the session is used.
    func touch(_ place: Int) {
        traffic.countQuiet(nowUs - sessions[place].lastUsedUs)
        sessions[place].lastUsedUs = nowUs
    }

    private func close(_ place: Int) {
        traffic.countQuiet(nowUs - sessions[place].lastUsedUs)
        traffic.sessionBytes += UInt64(Traffic.closeBytes)
        sessions.remove(place)
    }

    /// The node that dialled hears of the session's end after `inUs`.
    func scheduleEnd(of place: Int, inUs: UInt64) {
        queue.push(Event(.lost, atUs: nowUs + inUs, from: place, via: Int(sessions[place].generation)))
    }

    /// A frame got no acknowledgement: TCP gives the session up after its user time-out, unless it heals.
    func noteSilence(on place: Int) {
        guard sessions[place].state == .good else { return }
        sessions[place].state = .dying
        scheduleEnd(of: place, inUs: UInt64(config.sessions.userTimeoutSeconds * 1_000_000))
    }

    /// The socket of the dialler's side takes no more for now, or does so again.
    func stall(_ place: Int, _ isStalled: Bool) {
        let session = sessions[place]
        sites[Int(session.dialler)].machine?.plan.stalled(Int(session.slot), isStalled)
    }

    private func isReachable(from dialler: Int, _ overlay: Int) -> Bool {
        sites[overlay].isUp && !isCut(dialler, overlay) && !isCut(overlay, dialler)
    }
}

// MARK: - What the node hears

extension Simulation {
    /// The other side's HELLO is due.
    func sessionOpened(_ place: Int, generation: UInt32) {
        guard sessions.holds(place, generation: generation), sessions[place].state == .good else { return }
        let (site, overlay) = (Int(sessions[place].dialler), Int(sessions[place].overlay))
        guard isReachable(from: site, overlay) else { return fail(place) }
        guard let machine = sites[site].machine else { return }
        let endpoint = sites[overlay].endpoint
        machine.plan.opened(Int(sessions[place].slot), nowUs: nowUs)
        settle(machine, site)
        followHome(machine, site)
        machine.node.sessionOpened(endpoint, nowUs: nowUs)
        perform(machine, site)
    }

    /// A session's end has come to its dialler.
    func sessionLost(_ place: Int, generation: UInt32) {
        guard sessions.holds(place, generation: generation) else { return }
        let (session, site) = (sessions[place], Int(sessions[place].dialler))
        guard let machine = sites[site].machine else { return }
        let endpoint = machine.plan.endpoint(of: Int(session.slot))
        if session.state == .dying, isReachable(from: site, Int(session.overlay)) {
            sessions[place].state = .good
            return machine.plan.isOpen(endpoint) ? () : sessionOpened(place, generation: generation)
        }
        _ = machine.takeSession(in: Int(session.slot))
        sessions.remove(place)
        machine.plan.ended(Int(session.slot), nowUs: nowUs)
        settle(machine, site)
        followHome(machine, site)
        machine.node.sessionClosed(endpoint)
        machine.node.linkDown(endpoint, isRemote: true, nowUs: nowUs)
        perform(machine, site)
    }

    /// The node is to hear that it has no session to `endpoint`, by what is decided here.
    func tellClosed(_ endpoint: EndpointID, isDisuse: Bool, to site: Int) {
        queue.push(Event(.closed, atUs: nowUs, from: site, to: Int(endpoint.rawValue), flag: isDisuse))
    }

    func sessionClosed(_ endpoint: EndpointID, isDisuse: Bool, at site: Int) {
        guard let machine = sites[site].machine else { return }
        machine.node.sessionClosed(endpoint)
        if !isDisuse { machine.node.linkDown(endpoint, isRemote: false, nowUs: nowUs) }
        perform(machine, site)
    }

    /// A node without a switch of its own is told of by the hub that its plan has chosen.
    private func followHome(_ machine: Machine, _ site: Int) {
        let home = machine.plan.home
        guard sites[site].home != site, home != sites[site].endpoint, let hub = self.site(at: home) else {
            return
        }
        (sites[site].home, sites[site].endpoint) = (hub, home)
        machine.node.setHome(home, advertised: home)
    }
}
