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
        guard let overlay = self.site(at: endpoint) else { return sendToNobody(from: site, endpoint) }
        guard overlay != site else { return atSwitch(payload, route: Self.anySite, of: site, from: site) }
        if config.sessions.isBidirectional, let slot = sessions.find(overlay, site),
            sessions[slot].state == .good, sessions[slot].openUs <= nowUs
        {
            return launch(payload, on: slot, isDown: true, origin: site, isReply: false)
        }
        sendUp(payload, from: site, to: overlay, route: Self.anySite, isReply: false)
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
            sendUp(payload, from: site, to: overlay, route: UInt32(asker), isReply: true)
        }
    }

    /// An endpoint at which no host is: the connection times out.
    private func sendToNobody(from site: Int, _ endpoint: EndpointID) {
        traffic.sessionBytes += UInt64(2 * Traffic.synBytes)
        traffic.sessionsFailed += 1
        let timeoutUs = later(config.sessions.connectSeconds)
        queue.push(Event(.nobodyThere, atUs: timeoutUs, from: site, to: Int(endpoint.rawValue)))
    }

    // MARK: - Over a session

    /// Towards an overlay, over the session that `site` dials if need be.
    func sendUp(
        _ payload: UnsafeRawBufferPointer, from site: Int, to overlay: Int, route: UInt32, isReply: Bool
    ) {
        guard let slot = session(from: site, to: overlay) else { return }
        guard sessions[slot].state != .failing else {
            traffic.swallowed += 1
            return
        }
        launch(payload, on: slot, isDown: false, origin: site, route: route, isReply: isReply)
    }

    /// From an overlay, over the session that `site` has dialled to it; lost when there is none.
    func sendDown(
        _ payload: UnsafeRawBufferPointer, from overlay: Int, to site: Int, origin: Int, isReply: Bool
    ) {
        if site == overlay {
            // The answer to a request that left over a session which its target had opened.
            return deliver(payload, to: site, over: sites[origin].endpoint, origin: origin)
        }
        guard let slot = sessions.find(site, overlay), sessions[slot].state != .failing else {
            traffic.swallowed += 1
            return
        }
        launch(payload, on: slot, isDown: true, origin: origin, isReply: isReply)
    }

    private func launch(
        _ payload: UnsafeRawBufferPointer, on slot: Int, isDown: Bool, origin: Int,
        route: UInt32 = anySite, isReply: Bool
    ) {
        touch(slot)
        guard let leavesUs = enqueue(payload.count, on: slot, isDown: isDown) else {
            traffic.queueDrops += 1
            return
        }
        traffic.countFrame(payload: payload.count, isReply: isReply)
        let (dialler, overlay) = (Int(sessions[slot].dialler), Int(sessions[slot].overlay))
        let (sender, receiver) = isDown ? (overlay, dialler) : (dialler, overlay)
        guard !isCut(sender, receiver), sites[receiver].isUp || !sites[receiver].isSilent else {
            traffic.swallowed += 1
            return noteSilence(on: slot)
        }
        guard !chance.happens(config.faults.loss) else {
            traffic.lost += 1
            return
        }
        let arrivesUs = arrival(leavesUs, sender, receiver, on: slot, isDown: isDown)
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

    /// When a frame leaves: once the session is open and what was queued before has left. Nil: no room.
    private func enqueue(_ count: Int, on slot: Int, isDown: Bool) -> UInt64? {
        var lane = isDown ? sessions[slot].down : sessions[slot].up
        let startUs = max(nowUs, isDown ? nowUs : sessions[slot].openUs, lane.busyUntilUs)
        let kbps = config.network.sessionKbps
        if startUs > nowUs {
            guard lane.queued < Self.queueLimit else { return nil }
            lane.queued += 1
            if kbps > 0 {
                let generation = Int(sessions[slot].generation)
                queue.push(Event(.departed, atUs: startUs, from: slot, via: generation, flag: isDown))
            }
        } else if kbps == 0 {
            // All that waited left together, when the session opened.
            lane.queued = 0
        }
        lane.busyUntilUs = startUs + (kbps > 0 ? UInt64(count * 8 * 1000 / kbps) : 0)
        if isDown { sessions[slot].down = lane } else { sessions[slot].up = lane }
        return lane.busyUntilUs
    }

    func frameDeparted(slot: Int, generation: UInt32, isDown: Bool) {
        guard sessions.holds(slot, generation: generation) else { return }
        if isDown { sessions[slot].down.queued -= 1 } else { sessions[slot].up.queued -= 1 }
    }

    /// TCP keeps the order of frames, unless this one is to be overtaken.
    private func arrival(
        _ leavesUs: UInt64, _ sender: Int, _ receiver: Int, on slot: Int, isDown: Bool
    ) -> UInt64 {
        let directUs = leavesUs + delayUs(sender, receiver)
        if chance.happens(config.faults.reordering) { return directUs + delayUs(sender, receiver) }
        let lastUs = isDown ? sessions[slot].down.lastArrivalUs : sessions[slot].up.lastArrivalUs
        let arrivesUs = max(directUs, lastUs)
        if isDown {
            sessions[slot].down.lastArrivalUs = arrivesUs
        } else {
            sessions[slot].up.lastArrivalUs = arrivesUs
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
        deliver(
            PayloadPool.bytes(block), to: dialler, over: sites[Int(event.via)].endpoint, origin: origin)
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
            sites[holder].isUp, sessions.find(holder, overlay) != nil
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
