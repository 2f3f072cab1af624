// RO:WHAT  Busy from a peer: it is left alone for as long as it asked, and calls go on with others meanwhile.
// RO:WHY   It is no failure of the peer. But a call must not say "nobody has it" because those who might have it
//          were busy, nor give up on a replica that only asked for patience.
// RO:INVARIANTS  a call that waits does so on its one timer, which is else its deadline's.
// RO:TEST  Tests/DhtLoopTests/Kademlia/BusyTests.swift

extension DhtNode {
    /// A peer said Busy.
    mutating func noteBusy(_ id: NodeID, retryMs: UInt64, _ nowUs: UInt64) {
        let range = AdmissionControl.retryRangeMs
        let waitUs = min(max(retryMs, range.lowerBound), range.upperBound) * 1000
        busyPeers.note(id, waitUs: waitUs, nowUs)
    }

    /// A ping that is not sent, because its peer is busy, and so alive, or because too many requests are pending:
    /// no answer will say that it is over.
    mutating func pingNotSent(_ id: NodeID) {
        upkeep.verifying.remove(id)
        table.endProbe(of: id)
    }

    /// Whether `id` is busy; then the call remembers to come back to it.
    mutating func putsOff(_ id: NodeID, _ call: Call, _ nowUs: UInt64) -> Bool {
        guard let untilUs = busyPeers.takeTurn(id, nowUs) else { return false }
        call.busy.removeAll { $0.id == id }
        call.busy.append(BusyPeer(id: id, untilUs: untilUs))
        return true
    }

    /// Whether a call that has asked everybody else waits for busy peers; then its timer is armed.
    mutating func waitsForBusy(_ call: Call, _ nowUs: UInt64) -> Bool {
        guard let atUs = nextTry(call), atUs <= patienceEndsUs(of: call) else { return false }
        wheel.cancel(call.deadline)
        call.deadline = wheel.schedule(atUs: max(atUs, nowUs), token: Self.token(of: call))
        return true
    }

    /// When the first of the busy peers that matter may be asked; nil when none does.
    private func nextTry(_ call: Call) -> UInt64? {
        if call.isStoring { return call.busy.map(\.untilUs).min() }
        switch call.kind {
        case .lookAround, .region: return nil
        case .put, .provide:
            // The record goes to who is there, busy or not; only a walk that met nobody has to wait.
            return call.lookup.answers == 0 ? call.busy.map(\.untilUs).min() : nil
        case .get where call.best != nil: return nil
        case .get, .findProviders, .ping:
            return call.busy.filter { call.lookup.isAmongAnswered($0.id, width: config.k) }.map(\.untilUs)
                .min()
        }
    }

    /// A busy peer holds a search up for no longer than a silent one could, unless nobody else is there.
    private func patienceEndsUs(of call: Call) -> UInt64 {
        let isAlone = call.isStoring || call.lookup.answers == 0
        return call.startUs + (isAlone ? config.deadlineUs : min(config.timeoutUs, config.deadlineUs))
    }

    /// The wait is over: those whose time has come are asked.
    mutating func resume(_ call: Call, _ nowUs: UInt64) {
        call.deadline = wheel.schedule(atUs: call.startUs + config.deadlineUs, token: Self.token(of: call))
        let due = call.busy.filter { $0.untilUs <= nowUs }
        call.busy.removeAll { $0.untilUs <= nowUs }
        guard call.isStoring else {
            for peer in due { call.lookup.revive(peer.id) }
            return proceed(call, nowUs)
        }
        for peer in due {
            guard let found = call.lookup.peers.first(where: { $0.contact.id == peer.id }) else { continue }
            call.storeRetries.append(found.contact)
        }
        continueStoring(call, nowUs)
    }

    static func token(of call: Call) -> UInt64 { TimerToken(.call, slot: UInt64(call.id.slot)).packed }
}

extension Call {
    /// Whether this call has put off asking `id`.
    func isPutOff(_ id: NodeID) -> Bool { busy.contains { $0.id == id } }
}

extension Lookup {
    /// Whether fewer than `width` of those who answered are nearer than `id`: what it knows could matter.
    func isAmongAnswered(_ id: NodeID, width: Int) -> Bool {
        let distance = id.distance(to: target)
        return peers.count { $0.progress == .answered && $0.distance < distance } < width
    }
}
