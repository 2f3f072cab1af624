// RO:WHAT  The second half of a put: the record goes to the REPLICA closest nodes that answered the lookup.
// RO:WHY   Transport is best effort and nodes refuse: each loss moves on to the next-closest, and who was
//          only silent is asked once more when nobody else is left. A record is idempotent by (key, seq).
// RO:METRICS  dht_error_total{kind="under_replicated"}

extension DhtNode {
    /// The lookup is done: store here if this node is among the closest, and send the record to the others.
    mutating func beginStoring(_ call: Call, _ nowUs: UInt64) {
        call.isStoring = true
        let keepsHere = settleWanted(call)
        if keepsHere { storeHere(call, nowUs) }
        continueStoring(call, nowUs)
    }

    /// How many acks make this put a success: REPLICA, or every node there is when that is fewer.
    /// Returns whether this node is one of them.
    @discardableResult
    mutating func settleWanted(_ call: Call) -> Bool {
        let ownDistance = config.id.distance(to: call.lookup.target)
        var nearer = 0
        for peer in call.lookup.peers where peer.progress == .answered && peer.distance < ownDistance {
            nearer += 1
        }
        let keepsHere = nearer < config.replica
        call.result.wanted = min(config.replica, call.lookup.answers + (keepsHere ? 1 : 0))
        return keepsHere
    }

    private mutating func storeHere(_ call: Call, _ nowUs: UInt64) {
        let outcome = call.value.withUnsafeBytes { value in
            keep(
                call.lookup.target, seq: call.result.seq, ttlSeconds: call.result.ttlSeconds, value: value,
                nowUs)
        }
        switch outcome {
        case .stored, .refreshed: call.result.acks += 1
        case .stale: call.result.failed.append(PutFailure(peer: config.id, cause: .stale))
        case .full: call.result.failed.append(PutFailure(peer: config.id, cause: .full))
        }
    }

    /// Keeps as many puts in flight as acks are missing; ends the call when no more can come.
    private mutating func continueStoring(_ call: Call, _ nowUs: UInt64) {
        while call.result.acks + call.storesInFlight < call.result.wanted {
            guard let contact = nextReplica(call) else { break }
            sendRecord(call, to: contact, nowUs)
        }
        if call.result.acks >= call.result.wanted || call.storesInFlight == 0 { finishPut(call, nowUs) }
    }

    /// The next-closest node that answered the lookup; then those it did not come to ask; then, once each,
    /// those that were silent.
    private func nextReplica(_ call: Call) -> Contact? {
        let peers = call.lookup.peers
        while call.storeCursor < 2 * peers.count {
            let peer = peers[call.storeCursor % peers.count]
            let wanted: Lookup.Progress = call.storeCursor < peers.count ? .answered : .fresh
            call.storeCursor += 1
            if peer.progress == wanted { return peer.contact }
        }
        return call.storeRetries.popLast()
    }

    private mutating func sendRecord(_ call: Call, to contact: Contact, _ nowUs: UInt64) {
        guard let start = beginRequest(.put, to: contact, .store(call.id), nowUs) else {
            call.result.failed.append(PutFailure(peer: contact.id, cause: .error))
            return
        }
        call.value.withUnsafeBytes { value in
            outbox.bytes.appendPut(
                key: call.lookup.target, seq: call.result.seq, ttlSeconds: call.result.ttlSeconds,
                value: value)
        }
        outbox.send(to: contact.endpoint, from: start)
        call.storesInFlight += 1
    }

    /// A replica answered.
    mutating func storeAnswered(
        _ call: Call, _ reply: EnvelopeView, in payload: UnsafeRawBufferPointer, from rpc: PendingRpc,
        _ nowUs: UInt64
    ) {
        if !rpc.isLate { call.storesInFlight -= 1 }
        if case .stored(ok: true, _, _) = reply.message {
            call.result.acks += 1
            call.result.failed.removeAll { $0.peer == rpc.dst }
            call.storeRetries.removeAll { $0.id == rpc.dst }
        } else {
            note(call, rpc.dst, Self.cause(of: reply.message, in: payload))
        }
        continueStoring(call, nowUs)
    }

    /// A replica is silent, or lost.
    mutating func storeLost(_ call: Call, _ rpc: PendingRpc, _ code: RpcCode, _ nowUs: UInt64) {
        call.storesInFlight -= 1
        let wasAskedTwice = call.result.failed.contains { $0.peer == rpc.dst }
        if code == .timeout, !wasAskedTwice {
            call.storeRetries.append(Contact(id: rpc.dst, endpoint: rpc.endpoint))
        }
        switch code {
        case .unreachable: note(call, rpc.dst, .unreachable)
        case .closed: note(call, rpc.dst, .closed)
        default: note(call, rpc.dst, .timeout)
        }
        continueStoring(call, nowUs)
    }

    private func note(_ call: Call, _ peer: NodeID, _ cause: FailureCause) {
        call.result.failed.removeAll { $0.peer == peer }
        call.result.failed.append(PutFailure(peer: peer, cause: cause))
    }

    /// The bounded word for a refusal, whatever text the peer gave.
    private static func cause(
        of message: MessageView, in payload: UnsafeRawBufferPointer
    ) -> FailureCause {
        guard case .stored(_, let code, _) = message else { return .error }
        return FailureCause(rawValue: String(decoding: code.bytes(in: payload), as: UTF8.self)) ?? .refused
    }
}
