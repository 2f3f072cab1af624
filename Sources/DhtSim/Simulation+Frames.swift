// RO:WHAT  The way of a frame: over a session to an overlay, through its switch, to the node.
// RO:WHY   Requests and answers go as the daemon sends them, with the loss, order and delay of the network.
// RO:INVARIANTS  each payload stored is released by the event that carried it.

import DhtLoop

extension Simulation {
    /// Frames that may wait for one session (docs/PROTOCOL.md, "Session").
    static let queueLimit = 128
    /// Sessions to which a switch copies a frame for "any node".
    private static let gossipFanout = 8
    /// No site is named; the switch must find it by the frame's destination.
    static let anySite = UInt32.max

    // MARK: - From a node

    /// Performs `.send`.
    func send(_ payload: UnsafeRawBufferPointer, from site: Int, to endpoint: EndpointID) {
        traffic.countRequest(Glance.purpose(payload))
        if site == publisher.site { publisher.messages += 1 }
        tracer?.sent(payload, from: site, to: endpoint, self)
        let overlay = self.site(at: endpoint)
        guard overlay != site else { return atSwitch(payload, route: Self.anySite, of: site, from: site) }
        if config.sessions.isBidirectional, let overlay, let place = session(of: overlay, at: site),
            sessions[place].state == .good, sessions[place].connectedUs <= nowUs
        {
            return launch(payload, on: place, isDown: true, origin: site, isReply: false)
        }
        let isSent = sendUp(payload, from: site, to: endpoint, route: Self.anySite, isReply: false)
        // An overlay that is down will not answer: the node learns it now, not by time-out.
        if !isSent { tellClosed(endpoint, isDisuse: false, to: site) }
    }

    /// Performs `.reply`: back over the session by which the request came. The link's token names its sender.
    func reply(_ payload: UnsafeRawBufferPointer, from site: Int, over link: Link, as purpose: Purpose) {
        traffic.countReply(purpose)
        guard let overlay = self.site(at: link.endpoint), link.token > 0 else { return }
        let asker = Int(link.token - 1)
        if isRationed {
            let isFlooder = config.faults.adversary == .flooder && sites[asker].isAdversary
            traffic.countAnswer(isBusy: Glance.isBusy(payload), toFlooder: isFlooder)
        }
        if overlay == site {
            sendDown(payload, from: overlay, to: asker, origin: site, isReply: true)
        } else {
            sendUp(payload, from: site, to: link.endpoint, route: UInt32(asker), isReply: true)
        }
    }

    // MARK: - Over a session

    /// Towards an overlay, over the session that `site` dials if need be. False when there is none to be had.
    @discardableResult
    func sendUp(
        _ payload: UnsafeRawBufferPointer, from site: Int, to endpoint: EndpointID, route: UInt32,
        isReply: Bool
    ) -> Bool {
        guard let place = session(from: site, to: endpoint) else { return false }
        if sessions[place].state == .failing {
            traffic.swallowed += 1
        } else {
            launch(payload, on: place, isDown: false, origin: site, route: route, isReply: isReply)
        }
        return true
    }

    /// From an overlay, over the session that `site` has dialled to it; lost when there is none.
    func sendDown(
        _ payload: UnsafeRawBufferPointer, from overlay: Int, to site: Int, origin: Int, isReply: Bool
    ) {
        if site == overlay {
            // The answer to a request that left over a session which its target had opened.
            return deliver(payload, to: site, over: sites[origin].endpoint, origin: origin)
        }
        guard let place = session(of: site, at: overlay), sessions[place].state != .failing else {
            traffic.swallowed += 1
            return
        }
        launch(payload, on: place, isDown: true, origin: origin, isReply: isReply)
    }

    private func launch(
        _ payload: UnsafeRawBufferPointer, on place: Int, isDown: Bool, origin: Int,
        route: UInt32 = anySite, isReply: Bool
    ) {
        touch(place)
        guard let leavesUs = enqueue(payload.count, on: place, isDown: isDown) else {
            traffic.queueDrops += 1
            return
        }
        traffic.countFrame(payload: payload.count, isReply: isReply)
        let (dialler, overlay) = (Int(sessions[place].dialler), Int(sessions[place].overlay))
        if !isDown { sites[dialler].machine?.plan.sent(Int(sessions[place].slot), nowUs: nowUs) }
        let (sender, receiver) = isDown ? (overlay, dialler) : (dialler, overlay)
        guard !isCut(sender, receiver), sites[receiver].isUp || !sites[receiver].isSilent else {
            traffic.swallowed += 1
            return noteSilence(on: place)
        }
        guard !chance.happens(config.faults.loss) else {
            traffic.lost += 1
            return
        }
        let arrivesUs = arrival(leavesUs, sender, receiver, on: place, isDown: isDown)
        fly(payload, atUs: arrivesUs, dialler, overlay, isDown: isDown, origin: origin, route: route)
        guard chance.happens(config.faults.duplication) else { return }
        fly(
            payload, atUs: arrivesUs + delayUs(sender, receiver), dialler, overlay, isDown: isDown,
            origin: origin, route: route)
    }

    private func fly(
        _ payload: UnsafeRawBufferPointer, atUs: UInt64, _ dialler: Int, _ overlay: Int, isDown: Bool,
        origin: Int, route: UInt32
    ) {
        let block = payloads.store(payload, route: route)
        queue.push(
            isDown
                ? Event(.frameDown, atUs: atUs, from: origin, to: dialler, via: overlay, payload: block)
                : Event(.frameUp, atUs: atUs, from: origin, to: overlay, payload: block))
    }

    /// When a frame leaves: once the session is connected and what was queued before has left. Nil: no room.
    private func enqueue(_ count: Int, on place: Int, isDown: Bool) -> UInt64? {
        var lane = isDown ? sessions[place].down : sessions[place].up
        let startUs = max(nowUs, isDown ? nowUs : sessions[place].connectedUs, lane.busyUntilUs)
        let kbps = config.network.sessionKbps
        if startUs > nowUs {
            guard lane.queued < Self.queueLimit else { return nil }
            lane.queued += 1
            if kbps > 0 {
                let generation = Int(sessions[place].generation)
                queue.push(Event(.departed, atUs: startUs, from: place, via: generation, flag: isDown))
                if !isDown { stall(place, true) }
            }
        } else if kbps == 0 {
            // All that waited left together, when the session was connected.
            lane.queued = 0
        }
        lane.busyUntilUs = startUs + (kbps > 0 ? UInt64(count * 8 * 1000 / kbps) : 0)
        if isDown { sessions[place].down = lane } else { sessions[place].up = lane }
        return lane.busyUntilUs
    }

    func frameDeparted(_ place: Int, generation: UInt32, isDown: Bool) {
        guard sessions.holds(place, generation: generation) else { return }
        if isDown { sessions[place].down.queued -= 1 } else { sessions[place].up.queued -= 1 }
        if !isDown, sessions[place].up.queued == 0 { stall(place, false) }
    }

    /// TCP keeps the order of frames, unless this one is to be overtaken.
    private func arrival(
        _ leavesUs: UInt64, _ sender: Int, _ receiver: Int, on place: Int, isDown: Bool
    ) -> UInt64 {
        let directUs = leavesUs + delayUs(sender, receiver)
        if chance.happens(config.faults.reordering) { return directUs + delayUs(sender, receiver) }
        let lastUs = isDown ? sessions[place].down.lastArrivalUs : sessions[place].up.lastArrivalUs
        let arrivesUs = max(directUs, lastUs)
        if isDown {
            sessions[place].down.lastArrivalUs = arrivesUs
        } else {
            sessions[place].up.lastArrivalUs = arrivesUs
        }
        return arrivesUs
    }

    /// One-way latency of one packet, in microseconds.
    func delayUs(_ sender: Int, _ receiver: Int) -> UInt64 {
        let baseUs =
            Double(latency.baseUs(sender, receiver)) * (1 + config.network.jitter * chance.fraction())
        return UInt64(sites[sender].isSlow || sites[receiver].isSlow ? baseUs * 10 : baseUs)
    }

    /// Whether nothing from `sender` reaches `receiver` at present.
    func isCut(_ sender: Int, _ receiver: Int) -> Bool {
        guard isPartitioned, sites[sender].half != sites[receiver].half else { return false }
        return !config.faults.isPartitionOneWay || !sites[sender].half
    }

    // MARK: - At the other end

    func frameReachedOverlay(_ event: Event, from: Int, overlay: Int) {
        guard let block = event.payload else { return }
        if sites[overlay].isUp {
            atSwitch(PayloadPool.bytes(block), route: PayloadPool.route(block), of: overlay, from: from)
        }
        payloads.release(block)
    }

    func frameReachedDialler(_ event: Event, origin: Int, dialler: Int) {
        guard let block = event.payload else { return }
        let endpoint = sites[Int(event.via)].endpoint
        if let machine = sites[dialler].machine, let slot = machine.plan.find(endpoint),
            machine.session(in: slot) != nil
        {
            machine.plan.received(slot, nowUs: nowUs)
        }
        deliver(PayloadPool.bytes(block), to: dialler, over: endpoint, origin: origin)
        payloads.release(block)
    }

    /// What a switch does with a frame that `origin` sent (docs/PROTOCOL.md, "Addressing").
    private func atSwitch(
        _ payload: UnsafeRawBufferPointer, route: UInt32, of overlay: Int, from origin: Int
    ) {
        if route != Self.anySite {
            return sendDown(payload, from: overlay, to: Int(route), origin: origin, isReply: true)
        }
        guard EnvelopeHead.hasConstantShape(payload), let base = payload.baseAddress else { return }
        let destination = NodeID(loading: base + EnvelopeHead.dstOffset)
        if destination == sites[overlay].id, !destination.isZero {
            deliver(payload, to: overlay, over: sites[overlay].endpoint, origin: origin)
        } else if destination.isZero {
            gossip(payload, of: overlay, from: origin)
        } else if let holder = siteOfID[Self.mapKey(destination)].map({ Int($0) }),
            sites[holder].isUp, session(of: holder, at: overlay) != nil
        {
            sendDown(payload, from: overlay, to: holder, origin: origin, isReply: false)
        } else {
            sayUnreachable(payload, overlay: overlay, to: origin)
        }
    }

    /// Ids differ in their first words but for Sybils, which differ in their last.
    static func mapKey(_ id: NodeID) -> UInt64 {
        withUnsafeTemporaryAllocation(byteCount: NodeID.byteCount, alignment: 8) { bytes in
            guard let base = bytes.baseAddress else { return 0 }
            id.store(to: base)
            let words = bytes.bindMemory(to: UInt64.self)
            return Chance.mix(words[0] ^ words[1], words[2] ^ words[3])
        }
    }

    /// A frame for any node: to the local one, and to a few of those that have sessions here.
    private func gossip(_ payload: UnsafeRawBufferPointer, of overlay: Int, from origin: Int) {
        var others = sessions.inbound(to: overlay).map { Int(sessions[$0].dialler) }
        for drawn in 0..<min(Self.gossipFanout, others.count) {
            others.swapAt(drawn, drawn + chance.below(others.count - drawn))
            guard others[drawn] != origin else { continue }
            sendDown(payload, from: overlay, to: others[drawn], origin: origin, isReply: false)
        }
        if sites[overlay].machine != nil, overlay != origin {
            deliver(payload, to: overlay, over: sites[overlay].endpoint, origin: origin)
        }
    }

    private func sayUnreachable(_ payload: UnsafeRawBufferPointer, overlay: Int, to site: Int) {
        traffic.unreachable += 1
        guard let answer = scribe.unreachable(answering: payload) else { return }
        answer.withUnsafeBytes { sendDown($0, from: overlay, to: site, origin: overlay, isReply: true) }
    }

    /// Hands a payload to the node at `site`.
    private func deliver(
        _ payload: UnsafeRawBufferPointer, to site: Int, over endpoint: EndpointID, origin: Int
    ) {
        guard let machine = sites[site].machine else { return }
        let asked = Glance.purpose(payload)
        if site == publisher.site { publisher.messages += 1 }
        tracer?.received(payload, at: site, from: origin, self)
        if isHostile, sites[site].isAdversary, misbehaves(payload, at: site, over: endpoint, origin: origin) {
            return
        }
        if config.sessions.dialAhead > 0 { dialAhead(payload, at: site) }
        answering = asked
        machine.node.receive(payload, from: Link(endpoint: endpoint, token: UInt64(origin) + 1), nowUs: nowUs)
        perform(machine, site)
        answering = .other
    }
}
