// RO:WHAT  Who is there: nodes join, crash, come back or are replaced; hubs.
// RO:WHY   A node that crashes loses all it knew; what the others make of that is what is measured.

import DhtLoop

extension Simulation {
    /// Nodes whose overlays a newcomer is told to join by.
    private static let bootstrapFanout = 2

    /// Makes the hubs and plans the joins of all nodes, evenly over the join time, in random order of ids.
    func populate() {
        for _ in 0..<config.nodes.hubs { addHub() }
        let spacing = config.joinSeconds / Double(config.nodes.count)
        for index in 0..<config.nodes.count {
            let site = addSite(isAdversary: isMeantToBeAdversary(index))
            queue.push(Event(.join, atUs: later(Double(index) * spacing), from: site))
        }
    }

    /// The share of adversaries is exact, and the first nodes, by whom others join, are honest.
    private func isMeantToBeAdversary(_ index: Int) -> Bool {
        guard config.faults.adversary != .none else { return false }
        let share = config.faults.adversaryFraction
        let turn = Double(config.nodes.count - 1 - index)
        return Int((turn + 1) * share) > Int(turn * share)
    }

    private func addHub() {
        let site = newSite(home: sites.count)
        sites[site].isUp = true
    }

    /// A host for a node, with an endpoint of its own or a hub's. Its node comes with `join`.
    @discardableResult
    func addSite(isAdversary: Bool) -> Int {
        let number = sites.count
        let hubs = config.nodes.hubs
        let site = newSite(home: hubs > 0 ? chance.below(hubs) : number)
        sites[site].isAdversary = isAdversary
        if isAdversary { adversaries.sites.append(site) }
        sites[site].isSlow = chance.happens(config.faults.stragglers)
        sites[site].half = chance.word() & 1 == 1
        sites[site].id = newID(isAdversary: isAdversary)
        if hubs > 0 { siteOfID.set(Self.mapKey(sites[site].id), UInt32(site)) }
        return site
    }

    private func newID(isAdversary: Bool) -> NodeID {
        guard isAdversary, config.faults.adversary == .sybil else {
            return .random(using: &chance.generator)
        }
        // Nearer to its key than any honest node is likely to be.
        let victim = workload.records[chance.below(min(Workload.victims, workload.records.count))].key
        let prefix = 64 - config.nodes.count.leadingZeroBitCount + 10
        return victim.random(sharingPrefix: prefix, using: &chance.generator)
    }

    private func newSite(home: Int) -> Int {
        let number = sites.count
        // A /24 for each, as of strangers who rent their hosts apart.
        let text = "\(10 + number >> 16).\(number >> 8 & 255).\(number & 255).1:9700"
        let endpoint = home == number ? (endpoints.intern(text) ?? .none) : sites[home].endpoint
        if home == number {
            let missing = Int(endpoint.rawValue) + 1 - siteOfEndpoint.count
            if missing > 0 { siteOfEndpoint += repeatElement(-1, count: missing) }
            siteOfEndpoint[Int(endpoint.rawValue)] = Int32(number)
        }
        sites.append(Site(endpoint: endpoint, home: home))
        sessions.addSite()
        return number
    }

    // MARK: - Coming and going

    /// Starts the node of `site` and opens the sessions it joins by.
    func join(_ site: Int) {
        let id = sites[site].id
        var node = DhtNode(
            config: config.nodeConfig(id: id), endpoints: endpoints, seed: chance.word(), nowUs: nowUs)
        node.setHome(sites[site].endpoint, advertised: sites[site].endpoint)
        let bootstrap = bootstrapSites(for: site)
        node.setBootstrap(bootstrap.map { sites[$0].endpoint })
        let plan = SessionPlan(policy: config.poolPolicy, seed: chance.word(), nowUs: nowUs)
        let machine = Machine(node, plan)
        sites[site].machine = machine
        (sites[site].isUp, sites[site].isSilent) = (true, false)
        if !sites[site].isAdversary, !sites[site].isSlow {
            sites[site].callerIndex = callers.count
            callers.append(site)
        }
        for overlay in bootstrap { machine.plan.keep(sites[overlay].endpoint, nowUs: nowUs) }
        settle(machine, site)
        perform(machine, site)
        if workload.isMeasuring { planCrash(of: site) }
    }

    /// The overlays by which a node joins: its hub, and those of nodes that are there already.
    private func bootstrapSites(for site: Int) -> [Int] {
        var overlays = sites[site].home == site ? [] : [sites[site].home]
        for _ in 0..<Self.bootstrapFanout where !callers.isEmpty {
            let overlay = sites[callers[chance.below(callers.count)]].home
            if overlay != site, !overlays.contains(overlay) { overlays.append(overlay) }
        }
        return overlays
    }

    /// Plans the end of a node's life, if nodes have one.
    func planCrash(of site: Int) {
        let median = config.faults.churnMedianSeconds
        guard median > 0, sites[site].machine != nil else { return }
        let life = chance.weibull(median: median, shape: config.faults.churnShape)
        queue.push(Event(.crash, atUs: later(life), from: site))
    }

    /// A crash by churn: somebody takes the place, now or later.
    func crash(_ site: Int) {
        guard sites[site].isUp else { return }
        kill(site, isSilent: config.faults.isDeadSilent)
        let away = config.faults.returnSeconds
        if away > 0 {
            queue.push(Event(.join, atUs: later(chance.exponential(mean: away)), from: site))
        } else {
            queue.push(Event(.join, atUs: nowUs, from: addSite(isAdversary: sites[site].isAdversary)))
        }
    }

    /// The process at `site` is gone, and with it all it knew.
    func kill(_ site: Int, isSilent: Bool) {
        cutCalls(of: site)
        if site == publisher.site { publisher.left = 0 }
        (sites[site].isUp, sites[site].isSilent) = (false, isSilent)
        for place in sites[site].machine?.sessions ?? [] { sessions.remove(place) }
        sites[site].machine = nil
        wakes.cancel(sites[site].wake)
        (sites[site].wake, sites[site].wakeUs) = (.none, .max)
        removeCaller(site)
        if !isSilent { resetInbound(site) }
    }

    private func removeCaller(_ site: Int) {
        let index = sites[site].callerIndex
        guard index >= 0, let last = callers.popLast() else { return }
        sites[site].callerIndex = -1
        guard last != site else { return }
        callers[index] = last
        sites[last].callerIndex = index
    }

    /// The host says so to everyone who has a session to it.
    func resetInbound(_ site: Int) {
        for place in sessions.inbound(to: site) where sessions[place].state != .failing {
            sessions[place].state = .failing
            scheduleEnd(of: place, inUs: delayUs(site, Int(sessions[place].dialler)))
        }
    }
}
