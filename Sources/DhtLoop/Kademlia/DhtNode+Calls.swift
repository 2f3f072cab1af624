// RO:WHAT  Calls: get and put as a caller asks for them, and the lookup under both.
// RO:WHY   A caller gets one answer, within its deadline, that tells not found from not known.
// RO:METRICS  dht_get_total, dht_put_total, dht_found_total, dht_lookups_total, latency histograms

extension DhtNode {
    /// Starts to search for `key`. The answer comes as a `.finished` action, perhaps at once.
    ///
    /// - Returns: nil when `maxCalls` are in progress.
    public mutating func get(_ key: Key, nowUs: UInt64) -> CallID? {
        guard let call = openCall(.get, target: key, nowUs) else { return nil }
        stats.gets += 1
        if let record = store.find(key, nowUs: nowUs) {
            let left = Self.secondsLeft(until: record.expiresAtUs, nowUs)
            let outcome = GetResult.Outcome.found(
                value: Array(record.value), seq: record.seq, ttlSeconds: left)
            let id = call.id
            finishGet(call, outcome, hops: 0, nowUs)
            return id
        }
        return begin(call, nowUs)
    }

    /// Starts to store `value` under `key` on the REPLICA closest nodes, for `ttlSeconds` (clamped).
    ///
    /// `seq` is the record's version; the higher one wins, so callers pass the wall clock in microseconds.
    /// - Returns: nil when `maxCalls` are in progress.
    public mutating func put(
        _ key: Key, value: [UInt8], seq: UInt64, ttlSeconds: UInt64?, nowUs: UInt64
    ) -> CallID? {
        guard let call = openCall(.put, target: key, nowUs) else { return nil }
        stats.puts += 1
        call.value = value
        call.result.ttlSeconds = clampedTtl(ttlSeconds ?? config.ttlSeconds)
        call.result.seq = store.find(key, nowUs: nowUs).map { max(seq, $0.seq &+ 1) } ?? seq
        return begin(call, nowUs)
    }

    /// Starts a lookup whose only purpose is to meet nodes near `target`.
    mutating func lookAround(_ target: NodeID, _ nowUs: UInt64) {
        guard let call = openCall(.lookAround, target: target, nowUs) else { return }
        upkeep.looksAround += 1
        _ = begin(call, nowUs)
    }

    private mutating func openCall(_ kind: Call.Kind, target: NodeID, _ nowUs: UInt64) -> Call? {
        guard let call = calls.open(kind, nowUs: nowUs) else {
            stats.errors[.overload] += 1
            return nil
        }
        call.lookup.start(
            target: target, ownID: config.id, width: kind == .put ? config.replica : config.k, k: config.k,
            alpha: config.alpha)
        call.deadline = wheel.schedule(
            atUs: nowUs + config.deadlineUs, token: TimerToken(.call, slot: UInt64(call.id.slot)).packed)
        return call
    }

    /// The first step of a call's lookup.
    private mutating func begin(_ call: Call, _ nowUs: UInt64) -> CallID {
        stats.lookups += 1
        let id = call.id
        table.closest(to: call.lookup.target, config.k, into: &nearest)
        for index in 0..<nearest.count { call.lookup.add(nearest[index], hop: 1) }
        proceed(call, nowUs)
        return id
    }

    /// Asks whoever is next; ends the lookup when nobody is.
    private mutating func proceed(_ call: Call, _ nowUs: UInt64) {
        while let peer = call.lookup.next() {
            if !ask(peer.contact, for: call, nowUs) { call.lookup.silent(peer.contact.id) }
        }
        if call.lookup.isFinished { lookupFinished(call, nowUs) }
    }

    private mutating func ask(_ contact: Contact, for call: Call, _ nowUs: UInt64) -> Bool {
        let op: RpcOp = call.kind == .get ? .get : .findNode
        guard let start = beginRequest(op, to: contact, .lookup(call.id), nowUs) else { return false }
        if op == .get {
            outbox.bytes.appendGet(key: call.lookup.target)
        } else {
            outbox.bytes.appendFindNode(target: call.lookup.target)
        }
        outbox.send(to: contact.endpoint, from: start)
        return true
    }

    /// A peer of the lookup answered.
    mutating func lookupStep(
        _ call: Call, took reply: EnvelopeView, in payload: UnsafeRawBufferPointer, from peer: NodeID,
        _ nowUs: UInt64
    ) {
        guard !call.isStoring else { return }
        switch reply.message {
        case .found(let record) where call.kind == .get && record.key == call.lookup.target:
            let hop = call.lookup.answered(peer) ?? 1
            finishGet(
                call,
                .found(
                    value: Array(record.value.bytes(in: payload)), seq: record.seq,
                    ttlSeconds: record.ttlSeconds
                ), hops: Int(hop), nowUs)
        case .nodes:
            if let hop = call.lookup.answered(peer) { addContacts(to: call, hop: hop, in: payload) }
            proceed(call, nowUs)
        default:
            call.lookup.failed(peer)
            proceed(call, nowUs)
        }
    }

    private mutating func addContacts(to call: Call, hop: UInt8, in payload: UnsafeRawBufferPointer) {
        for index in decoder.contacts.indices {
            let contact = decoder.contacts[index]
            guard let endpoint = endpoints.intern(contact.at.bytes(in: payload)), endpoint != .none else {
                stats.reject(.badEndpoint)
                continue
            }
            call.lookup.add(Contact(id: contact.id, endpoint: endpoint), hop: min(hop, 254) + 1)
        }
    }

    /// A peer of the lookup is silent, or lost for good.
    mutating func lookupStep(_ call: Call, lost peer: NodeID, _ code: RpcCode, _ nowUs: UInt64) {
        guard !call.isStoring else { return }
        if code == .timeout { call.lookup.silent(peer) } else { call.lookup.failed(peer) }
        proceed(call, nowUs)
    }

    private mutating func lookupFinished(_ call: Call, _ nowUs: UInt64) {
        stats.lookupLatency.observe(microseconds: nowUs - call.startUs)
        stats.lookupHops.observe(Double(call.lookup.hops))
        switch call.kind {
        case .put: beginStoring(call, nowUs)
        case .get:
            let nobodyAnswered = call.lookup.answers == 0 && !call.lookup.peers.isEmpty
            if nobodyAnswered { stats.errors[.deadline] += 1 }
            finishGet(call, nobodyAnswered ? .timedOut : .notFound, hops: call.lookup.hops, nowUs)
        case .lookAround:
            close(call)
            lookedAround(nowUs)
        }
    }

    private mutating func finishGet(
        _ call: Call, _ outcome: GetResult.Outcome, hops: Int, _ nowUs: UInt64
    ) {
        if case .found = outcome { stats.found += 1 }
        let elapsed = nowUs - call.startUs
        stats.getLatency.observe(microseconds: elapsed)
        outbox.finish(call.id, .get(GetResult(outcome: outcome, hops: hops, elapsedUs: elapsed)))
        close(call)
    }

    /// Ends a put with what it has.
    mutating func finishPut(_ call: Call, _ nowUs: UInt64) {
        call.result.elapsedUs = nowUs - call.startUs
        call.result.hops = call.lookup.hops
        if call.result.acks < call.result.wanted { stats.errors[.underReplicated] += 1 }
        stats.putLatency.observe(microseconds: call.result.elapsedUs)
        outbox.finish(call.id, .put(call.result))
        close(call)
    }

    /// The whole call's time is up: the caller gets what there is.
    mutating func callDeadlinePassed(slot: Int, _ nowUs: UInt64) {
        guard let call = calls[slot: slot] else { return }
        if call.kind != .lookAround { stats.errors[.deadline] += 1 }
        switch call.kind {
        case .get: finishGet(call, .timedOut, hops: call.lookup.hops, nowUs)
        case .put:
            if !call.isStoring { settleWanted(call) }
            finishPut(call, nowUs)
        case .lookAround:
            close(call)
            lookedAround(nowUs)
        }
    }

    private mutating func close(_ call: Call) {
        wheel.cancel(call.deadline)
        calls.close(call)
    }
}
