// RO:WHAT  How sessions come about and end.
// RO:WHY   A cold session costs a round trip, packets and a place in the pool: charged here as the daemon pays.
// RO:INVARIANTS  a node hears of an end by an event, never from inside its own actions.

import DhtLoop

extension Simulation {
    /// A fixed wait of TCP before a lost SYN is sent again.
    private static let synRetryUs: UInt64 = 1_000_000

    /// The session that `dialler` has to `overlay`, opened if there is none. Nil when the pool has no room.
    func session(from dialler: Int, to overlay: Int) -> Int? {
        if let slot = sessions.find(dialler, overlay) {
            guard isIdle(slot) else { return slot }
            close(slot)
        }
        return dial(from: dialler, to: overlay)
    }

    /// Opens a session; there must be none. Nil, of which the node is told, when the pool has no room.
    func dial(from dialler: Int, to overlay: Int) -> Int? {
        guard makeRoom(in: dialler) else {
            traffic.sessionsFailed += 1
            queue.push(
                Event(.nobodyThere, atUs: nowUs, from: dialler, to: Int(sites[overlay].endpoint.rawValue)))
            return nil
        }
        let slot = sessions.add(dialler, overlay)
        sessions[slot].lastUsedUs = nowUs
        if let handshakeUs = handshakeUs(dialler, overlay) {
            traffic.sessionsOpened += 1
            traffic.sessionBytes += UInt64(Traffic.openBytes)
            sessions[slot].openUs = nowUs + handshakeUs
        } else {
            fail(slot)
        }
        return slot
    }

    /// How long until the first frame may leave; nil when no connection comes about.
    private func handshakeUs(_ dialler: Int, _ overlay: Int) -> UInt64? {
        let isCut = isCut(dialler, overlay) || isCut(overlay, dialler)
        guard sites[overlay].isUp, !isCut else { return nil }
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
    private func fail(_ slot: Int) {
        let (dialler, overlay) = (Int(sessions[slot].dialler), Int(sessions[slot].overlay))
        let isSilent = isCut(dialler, overlay) || isCut(overlay, dialler) || sites[overlay].isSilent
        let timeoutUs = UInt64(config.sessions.connectSeconds * 1_000_000)
        let roundTripUs = delayUs(dialler, overlay) + delayUs(overlay, dialler)
        let isRefused = !isSilent && !sites[overlay].isUp
        sessions[slot].state = .failing
        traffic.sessionsFailed += 1
        traffic.sessionBytes += UInt64(2 * Traffic.synBytes)
        scheduleEnd(of: slot, inUs: isRefused ? min(roundTripUs, timeoutUs) : timeoutUs)
    }

    /// Room for one more session: idle ones go first, then the least recently used one that is open.
    private func makeRoom(in site: Int) -> Bool {
        closeIdle(of: site)
        guard sessions.dialled(by: site) >= config.sessions.cap else { return true }
        var candidate = sessions.oldest(of: site)
        while let slot = candidate {
            let session = sessions[slot]
            if session.state == .good, !session.isKept, max(session.openUs, session.up.busyUntilUs) <= nowUs {
                traffic.sessionsEvicted += 1
                close(slot)
                return true
            }
            candidate = sessions.newer(than: slot)
        }
        return false
    }

    /// Idle sessions end when somebody looks: when their node dials, and at each point of the time series.
    func closeIdle(of site: Int) {
        while let oldest = sessions.oldest(of: site), isIdle(oldest) { close(oldest) }
    }

    private func isIdle(_ slot: Int) -> Bool {
        let session = sessions[slot]
        guard session.state == .good, !session.isKept, session.warmUntilUs < nowUs else { return false }
        return nowUs > session.lastUsedUs + UInt64(config.sessions.idleSeconds * 1_000_000)
    }

    /// Notes that the session is used.
    func touch(_ slot: Int) {
        traffic.countQuiet(nowUs - sessions[slot].lastUsedUs)
        sessions.touch(slot, nowUs)
    }

    private func close(_ slot: Int) {
        let idleUs = UInt64(config.sessions.idleSeconds * 1_000_000)
        traffic.countQuiet(min(nowUs - sessions[slot].lastUsedUs, idleUs))
        traffic.sessionBytes += UInt64(Traffic.closeBytes)
        sessions.remove(slot)
    }

    /// The node that dialled hears of the session's end after `inUs`.
    private func scheduleEnd(of slot: Int, inUs: UInt64) {
        let session = sessions[slot]
        queue.push(
            Event(
                .lost, atUs: nowUs + inUs, from: Int(session.dialler), to: Int(session.overlay),
                via: Int(session.generation)))
    }

    /// A frame got no acknowledgement: TCP gives the session up after its user time-out, unless it heals.
    func noteSilence(on slot: Int) {
        guard sessions[slot].state == .good else { return }
        sessions[slot].state = .dying
        scheduleEnd(of: slot, inUs: UInt64(config.sessions.userTimeoutSeconds * 1_000_000))
    }

    /// A session's end has come to its dialler.
    func sessionLost(dialler: Int, overlay: Int, generation: UInt32) {
        guard let slot = sessions.find(dialler, overlay), sessions.holds(slot, generation: generation)
        else { return }
        if sessions[slot].state == .dying, isReachable(from: dialler, overlay) {
            sessions[slot].state = .good
            return
        }
        sessions.remove(slot)
        linkDown(sites[overlay].endpoint, isRemote: true, at: dialler)
        if sites[dialler].isUp, sites[dialler].home == overlay, dialler != overlay {
            redialLater(from: dialler, to: overlay)
        }
    }

    private func isReachable(from dialler: Int, _ overlay: Int) -> Bool {
        sites[overlay].isUp && !isCut(dialler, overlay) && !isCut(overlay, dialler)
    }

    func linkDown(_ endpoint: EndpointID, isRemote: Bool, at site: Int) {
        guard let machine = sites[site].machine else { return }
        machine.node.linkDown(endpoint, isRemote: isRemote, nowUs: nowUs)
        perform(machine, site)
    }

    /// Opens the session that a node joins by, and tells the node when it is open.
    func dialToJoin(from site: Int, to overlay: Int) {
        guard site != overlay, let slot = session(from: site, to: overlay) else { return }
        sessions[slot].isKept = sites[site].home == overlay
        guard sessions[slot].state == .good else { return }
        let openUs = max(nowUs, sessions[slot].openUs)
        queue.push(Event(.opened, atUs: openUs, from: site, to: overlay))
    }

    func sessionOpened(dialler: Int, overlay: Int) {
        guard let machine = sites[dialler].machine, sessions.find(dialler, overlay) != nil else { return }
        sites[dialler].redials = 0
        machine.node.linkUp(sites[overlay].endpoint, nowUs: nowUs)
        perform(machine, dialler)
    }

    /// Full-jitter backoff, as in the daemon: 0...min(60 s, 200 ms * 2^attempt).
    private func redialLater(from site: Int, to overlay: Int) {
        let ceiling = min(60.0, 0.2 * Double(1 << min(sites[site].redials, 16)))
        sites[site].redials += 1
        queue.push(Event(.redial, atUs: later(ceiling * chance.fraction()), from: site, to: overlay))
    }

    func redial(from site: Int, to overlay: Int) {
        guard sites[site].isUp else { return }
        dialToJoin(from: site, to: overlay)
    }
}
