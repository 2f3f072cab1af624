// RO:WHAT  put, delete and the second half of a provide: the record goes to the REPLICA closest nodes.
// RO:WHY   Transport is best effort and nodes refuse: each loss moves on to the next-closest, and who was
//          only silent is asked once more when nobody else is left. A record is idempotent by (key, seq).
// RO:METRICS  dht_put_total, dht_put_latency_seconds, dht_error_total{kind="under_replicated"}
// RO:TEST  Tests/DhtLoopTests/Kademlia/PutTests.swift

extension DhtNode {
    /// Starts to store `value` under `key` on the REPLICA closest nodes, for `ttlSeconds` (clamped).
    ///
    /// `seq` is the record's version; the higher one wins, so callers pass the wall clock in microseconds. A
    /// replica that has a higher one says so, and the put goes over it, once.
    /// - Returns: nil when `maxCalls` are in progress.
    public mutating func put(
        _ key: Key, value: [UInt8], seq: UInt64, ttlSeconds: UInt64?, paths: Int? = nil, nowUs: UInt64
    ) -> CallID? {
        write(
            key, value: value, seq: seq, ttlSeconds: ttlSeconds, isTombstone: false, paths: paths, nowUs)
    }

    /// Starts to delete `key`: a version without a value, which lives at least as long as any replica written
    /// with the default life, or the one that is here.
    ///
    /// - Returns: nil when `maxCalls` are in progress. The call ends as a put does.
    public mutating func delete(_ key: Key, seq: UInt64, nowUs: UInt64) -> CallID? {
        let here = store.find(key, nowUs: nowUs).map { Self.secondsLeft(until: $0.expiresAtUs, nowUs) }
        let life = max(config.ttlSeconds, here ?? 0)
        return write(key, value: [], seq: seq, ttlSeconds: life, isTombstone: true, nowUs)
    }

    private mutating func write(
        _ key: Key, value: [UInt8], seq: UInt64, ttlSeconds: UInt64?, isTombstone: Bool,
        paths: Int? = nil, _ nowUs: UInt64
    ) -> CallID? {
        guard let call = openCall(.put, target: key, paths: paths, nowUs) else { return nil }
        stats.puts += 1
        call.value = value
        call.isTombstone = isTombstone
        call.isPublished = ttlSeconds == nil && !isTombstone
        publications.remove(key)
        call.result.ttlSeconds = clampedTtl(ttlSeconds ?? config.ttlSeconds)
        call.result.seq =
            store.find(key, nowUs: nowUs).map { max(seq, $0.seq == .max ? .max : $0.seq + 1) } ?? seq
        let id = call.id
        walk(call, nowUs)
        return id
    }

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
        var (there, nearer) = (0, 0)
        for peer in call.lookup.peers where Self.mayStore(peer) || call.isPutOff(peer.contact.id) {
            there += 1
            if peer.distance < ownDistance { nearer += 1 }
        }
        let keepsHere = nearer < config.replica
        call.nodesThere = there + (keepsHere ? 1 : 0)
        call.result.wanted = min(config.replica, call.nodesThere)
        return keepsHere
    }

    /// Whether a record may go to a peer: it answered, or it was not asked and is as good as those who named it.
    private static func mayStore(_ peer: Lookup.Peer) -> Bool {
        peer.progress == .answered || peer.progress == .fresh
    }

    private mutating func storeHere(_ call: Call, _ nowUs: UInt64) {
        let (key, result) = (call.lookup.target, call.result)
        guard call.kind == .put else {
            if keepProvider(key, call.value, ttlSeconds: result.ttlSeconds, nowUs) {
                call.result.acks += 1
            } else {
                note(call, config.id, .full)
            }
            return
        }
        let outcome = call.value.withUnsafeBytes { value in
            keep(
                key, seq: result.seq, ttlSeconds: result.ttlSeconds, value: value,
                isTombstone: call.isTombstone, nowUs)
        }
        switch outcome {
        case .stored, .refreshed: call.result.acks += 1
        case .stale: note(call, config.id, .stale)
        case .full: note(call, config.id, .full)
        }
    }

    /// Keeps as many puts in flight as acks are missing, and one more for each of BETA that are overdue; ends
    /// the call when no more can come.
    mutating func continueStoring(_ call: Call, _ nowUs: UInt64) {
        let hedges = min(call.storesOverdue, config.beta)
        while call.result.acks + call.storesInFlight < call.result.wanted + hedges {
            guard let contact = nextReplica(call, nowUs) else { break }
            if call.result.acks + call.storesInFlight >= call.result.wanted { stats.hedges += 1 }
            sendRecord(call, to: contact, nowUs)
        }
        if call.result.acks >= call.result.wanted { return finishPut(call, nowUs) }
        if call.storesInFlight == 0, !waitsForBusy(call, nowUs) { finishPut(call, nowUs) }
    }

    /// The next-closest node; then, once each, those that were silent or busy. Busy ones are put off.
    private mutating func nextReplica(_ call: Call, _ nowUs: UInt64) -> Contact? {
        while call.storeCursor < call.lookup.peers.count {
            let peer = call.lookup.peers[call.storeCursor]
            call.storeCursor += 1
            if Self.mayStore(peer), !putsOff(peer.contact.id, call, nowUs) { return peer.contact }
        }
        while let contact = call.storeRetries.popLast() {
            if !putsOff(contact.id, call, nowUs) { return contact }
        }
        return nil
    }

    private mutating func sendRecord(_ call: Call, to contact: Contact, _ nowUs: UInt64) {
        let op: RpcOp = call.kind == .put ? .put : .provide
        guard let start = beginRequest(op, to: contact, .store(call.id, isRaised: call.hasRaisedSeq), nowUs)
        else {
            return note(call, contact.id, .error)
        }
        let (key, result) = (call.lookup.target, call.result)
        call.value.withUnsafeBytes { value in
            if op == .put {
                outbox.bytes.appendPut(
                    key: key, seq: result.seq, ttlSeconds: result.ttlSeconds, value: value,
                    isTombstone: call.isTombstone)
            } else {
                outbox.bytes.appendProvide(cid: key, node: value, ttlSeconds: result.ttlSeconds)
            }
        }
        outbox.send(to: contact.endpoint, from: start)
        call.storesInFlight += 1
    }

    /// A replica is later than most answers come.
    mutating func storeOverdue(_ call: Call, _ nowUs: UInt64) {
        call.storesOverdue += 1
        continueStoring(call, nowUs)
    }

    private func endStore(_ call: Call, _ rpc: PendingRpc) {
        call.storesInFlight -= 1
        if rpc.patience == .overdue { call.storesOverdue -= 1 }
    }

    /// Whether a request carried a version that has been raised since.
    private static func isOutdated(_ rpc: PendingRpc, _ call: Call) -> Bool {
        rpc.purpose != .store(call.id, isRaised: call.hasRaisedSeq)
    }

    /// A replica answered.
    mutating func storeAnswered(
        _ call: Call, _ reply: EnvelopeView, from rpc: PendingRpc, _ nowUs: UInt64
    ) {
        if !rpc.isLate { endStore(call, rpc) }
        guard !Self.isOutdated(rpc, call) else { return continueStoring(call, nowUs) }
        switch reply.message {
        case .stored(ok: true, _, _, _):
            storeTaken(call, by: rpc.dst)
        case .stored(ok: false, _, _, let seq)
        where goesOver(seq, call) && Self.cause(of: reply.message) == .stale:
            return storeAgain(call, over: seq, nowUs)
        default:
            _ = putsOff(rpc.dst, call, nowUs)
            note(call, rpc.dst, Self.cause(of: reply.message))
        }
        continueStoring(call, nowUs)
    }

    /// A replica has it. One that was asked twice, for its answer was late, may say so twice.
    private func storeTaken(_ call: Call, by peer: NodeID) {
        call.result.failed.removeAll { $0.peer == peer }
        call.storeRetries.removeAll { $0.id == peer }
        guard !call.takers.contains(peer) else { return }
        call.takers.append(peer)
        call.result.acks += 1
    }

    /// Whether the put is to be made again over a version `seq` that a replica has.
    private func goesOver(_ seq: UInt64, _ call: Call) -> Bool {
        call.kind == .put && !call.hasRaisedSeq && seq >= call.result.seq && seq < .max
    }

    /// A replica has a newer version than ours was to be: the clock here is behind. Everyone gets a newer one.
    private mutating func storeAgain(_ call: Call, over seq: UInt64, _ nowUs: UInt64) {
        call.hasRaisedSeq = true
        call.result.seq = seq + 1
        call.result.acks = 0
        call.result.failed = []
        call.takers.removeAll(keepingCapacity: true)
        call.storeCursor = 0
        call.storeRetries.removeAll(keepingCapacity: true)
        beginStoring(call, nowUs)
    }

    /// A replica is silent, or lost.
    mutating func storeLost(_ call: Call, _ rpc: PendingRpc, _ code: RpcCode, _ nowUs: UInt64) {
        endStore(call, rpc)
        guard !Self.isOutdated(rpc, call) else { return continueStoring(call, nowUs) }
        let wasAskedTwice = call.result.failed.contains { $0.peer == rpc.dst }
        if code == .timeout, !wasAskedTwice {
            call.storeRetries.append(rpc.contact)
        }
        switch code {
        case .unreachable: note(call, rpc.dst, .unreachable)
        case .closed: note(call, rpc.dst, .closed)
        default: note(call, rpc.dst, .timeout)
        }
        continueStoring(call, nowUs)
    }

    /// Nodes that were only heard of, and then could not be reached, were not there to begin with.
    private func countOnlyThoseThere(_ call: Call) {
        let gone = call.result.failed.count { failure in
            let isSilent = [.timeout, .unreachable, .closed].contains(failure.cause)
            return isSilent && call.lookup.progress(of: failure.peer) == .fresh
        }
        call.result.wanted = min(call.result.wanted, max(call.result.acks, call.nodesThere - gone))
    }

    /// Ends a put with what it has.
    mutating func finishPut(_ call: Call, _ nowUs: UInt64) {
        countOnlyThoseThere(call)
        if call.result.acks < call.result.wanted {
            for peer in call.busy { note(call, peer.id, .busy) }
        }
        call.result.elapsedUs = nowUs - call.startUs
        call.result.hops = call.lookup.hops
        if call.result.acks < call.result.wanted { stats.errors[.underReplicated] += 1 }
        stats.putLatency.observe(microseconds: call.result.elapsedUs)
        if call.isPublished, call.result.acks > 0 {
            publish(call.lookup.target, seq: call.result.seq, value: call.value, nowUs)
        }
        outbox.finish(call.id, .put(call.result))
        close(call)
    }

    private func note(_ call: Call, _ peer: NodeID, _ cause: FailureCause) {
        call.result.failed.removeAll { $0.peer == peer }
        call.result.failed.append(PutFailure(peer: peer, cause: cause))
    }

    /// The bounded word for a refusal, whatever text the peer gave. What this node says of peers that gave no
    /// answer is not for them to say.
    private static func cause(of message: MessageView) -> FailureCause {
        if case .busy = message { return .busy }
        guard case .stored(_, let code, _, _) = message else { return .error }
        let word = FailureCause(rawValue: String(decoding: code.bytes, as: UTF8.self))
        guard let word, [.stale, .full, .tooLarge].contains(word) else { return .refused }
        return word
    }
}
