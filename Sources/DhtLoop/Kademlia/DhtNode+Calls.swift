// RO:WHAT  Calls and the lookup under all of them: opening, asking the next peer, ending in time.
// RO:WHY   Every call is a walk towards a key; what differs is what each peer is asked and what the end means.
// RO:INTERACTS  +Gets, +Puts and +Providers begin calls and take their answers.
// RO:METRICS  dht_lookups_total, dht_lookup_latency_seconds, dht_lookup_hops, dht_error_total{kind}

extension DhtNode {
    /// Starts a lookup whose only purpose is to meet nodes near `target`.
    mutating func lookAround(_ target: NodeID, _ nowUs: UInt64) {
        guard let call = openCall(.lookAround, target: target, nowUs) else { return }
        upkeep.looksAround += 1
        walk(call, nowUs)
    }

    /// Starts to find the node `id` and to ask it something: a walk towards it that ends when it answers.
    ///
    /// - Returns: nil when `maxCalls` are in progress.
    public mutating func ping(_ id: NodeID, nowUs: UInt64) -> CallID? {
        guard let call = openCall(.ping, target: id, nowUs) else { return nil }
        let callID = call.id
        walk(call, nowUs)
        return callID
    }

    private mutating func finishPing(_ call: Call, _ outcome: PingResult.Outcome, _ nowUs: UInt64) {
        let hops = call.lookup.hop(of: call.lookup.target)
        outbox.finish(
            call.id, .ping(PingResult(outcome: outcome, hops: hops, elapsedUs: nowUs - call.startUs)))
        close(call)
    }

    /// A call with its deadline armed; nil when too many are in progress.
    mutating func openCall(
        _ kind: Call.Kind, target: NodeID, paths: Int? = nil, _ nowUs: UInt64
    ) -> Call? {
        guard let call = calls.open(kind, nowUs: nowUs) else {
            stats.errors[.overload] += 1
            return nil
        }
        let isSearch = kind == .get || kind == .findProviders || kind == .ping || kind == .region
        var plan = Lookup.Plan(width: isSearch ? config.k : narrowWidth, k: config.k, alpha: config.alpha)
        if kind == .lookAround, target != config.id { (plan.width, plan.alpha) = (1, 1) }
        (plan.beta, plan.paths) = (config.beta, min(max(1, paths ?? config.paths), NodeConfig.maxPaths))
        plan.waitsForOverdue = isSearch
        call.lookup.start(target: target, ownID: config.id, plan: plan)
        call.deadline = wheel.schedule(atUs: nowUs + config.deadlineUs, token: Self.token(of: call))
        return call
    }

    /// How many of the closest must have answered where the walk is only to learn who is there: before a record is
    /// stored, or to meet neighbours. They name the K closest they know, so that three who agree leave nobody
    /// nearer to be found; the others need not be asked as well.
    private var narrowWidth: Int { min(config.replica, max(config.alpha, 3)) }

    /// Begins a call's walk with the closest contacts of the table: more than K, for all K may be gone.
    mutating func walk(_ call: Call, _ nowUs: UInt64) {
        stats.lookups += 1
        table.noteLookup(call.lookup.target, nowUs: nowUs)
        let sinceUs = nowUs - min(nowUs, upkeep.doubtfulUs)
        table.closest(to: call.lookup.target, 3 * config.k, seenSinceUs: sinceUs, into: &nearest)
        if nearest.count < config.k { table.closest(to: call.lookup.target, 3 * config.k, into: &nearest) }
        for index in 0..<nearest.count {
            call.lookup.add(nearest[index], rttUs: knownRttUs(of: nearest[index].id))
        }
        proceed(call, nowUs)
    }

    /// What a walk should expect of a peer; `.max` when nothing is known.
    private func knownRttUs(of id: NodeID) -> UInt32 {
        guard let rtt = table.state(of: id)?.rtt, rtt.isMeasured else { return .max }
        return rtt.smoothedUs
    }

    /// Asks whoever is next; ends the lookup when nobody is.
    mutating func proceed(_ call: Call, _ nowUs: UInt64) {
        var hedges = call.lookup.hedges
        while let peer = call.lookup.next() {
            if putsOff(peer.contact.id, call, nowUs) {
                call.lookup.failed(peer.contact.id)
                continue
            }
            if ask(peer, for: call, nowUs) {
                if call.lookup.hedges > hedges { stats.hedges += 1 }
                hedges = call.lookup.hedges
                continue
            }
            call.lookup.silent(peer.contact.id)
        }
        if call.lookup.isFinished, !waitsForBusy(call, nowUs) { lookupFinished(call, nowUs) }
    }

    private mutating func ask(_ peer: Lookup.Peer, for call: Call, _ nowUs: UInt64) -> Bool {
        let op: RpcOp =
            switch call.kind {
            case .get: .get
            case .findProviders: .findProviders
            case .put, .provide, .ping, .lookAround, .region: .findNode
            }
        let recursion = recursion(of: call, at: peer)
        guard
            let start = beginRequest(op, to: peer.contact, .lookup(call.id), recursion: recursion, nowUs)
        else { return false }
        switch op {
        case .get where call.quorum > 1: outbox.bytes.appendGetWithNodes(key: call.lookup.target)
        case .get: outbox.bytes.appendGet(key: call.lookup.target, recursion: recursion)
        case .findProviders:
            outbox.bytes.appendFindProviders(cid: call.lookup.target, limit: call.limit)
        default: outbox.bytes.appendFindNode(target: call.lookup.target, recursion: recursion)
        }
        outbox.send(to: peer.contact.endpoint, from: start)
        if call.isExplained { call.traceAsked(peer, nowUs) }
        return true
    }

    /// A peer of the lookup answered.
    mutating func lookupStep(
        _ call: Call, took reply: EnvelopeView, with lists: borrowing MessageLists, from rpc: PendingRpc,
        _ nowUs: UInt64
    ) {
        guard !call.isStoring else { return }
        if call.isExplained {
            call.traceAnswered(rpc, reply.message, contacts: lists.contacts.count, nowUs)
        }
        switch reply.message {
        case .found(let record) where call.kind == .get && record.key == call.lookup.target:
            tookVersion(call, record, with: lists, from: rpc, nowUs)
        case .providers where call.kind == .findProviders:
            tookProviders(call, with: lists, from: rpc, nowUs)
        case .nodes where call.kind == .ping && rpc.dst == call.lookup.target,
            .busy where call.kind == .ping && rpc.dst == call.lookup.target:
            finishPing(call, .answered(at: rpc.endpoint, rttUs: nowUs - rpc.sentUs), nowUs)
        case .nodes:
            tookContacts(call, lists.contacts, from: rpc, nowUs)
            proceed(call, nowUs)
        default:
            _ = putsOff(rpc.dst, call, nowUs)
            call.lookup.failed(rpc.dst)
            proceed(call, nowUs)
        }
    }

    /// The contacts of a reply join the walk.
    mutating func tookContacts(
        _ call: Call, _ contacts: [ContactView], from rpc: PendingRpc, _ nowUs: UInt64
    ) {
        guard call.lookup.answered(rpc.dst, isMoreToCome: rpcs[rpc.id] != nil) != nil else { return }
        tookNames(call, contacts, from: rpc, steps: 1, nowUs)
    }

    /// Those whom a peer named, itself or by handing on what others told it, join the walk.
    mutating func tookNames(
        _ call: Call, _ contacts: [ContactView], from rpc: PendingRpc, steps: UInt8, _ nowUs: UInt64
    ) {
        for contact in contacts {
            guard let endpoint = endpoints.intern(contact.at.bytes), endpoint != .none else {
                stats.reject(.badEndpoint)
                continue
            }
            let named = Contact(id: contact.id, endpoint: endpoint)
            call.lookup.add(named, rttUs: knownRttUs(of: contact.id), from: rpc.dst, steps: steps)
            if table.hasRoom(for: contact.id) { hear(named, nowUs) }
        }
    }

    /// A peer of the lookup is later than most answers come.
    mutating func lookupStep(_ call: Call, overdue rpc: PendingRpc, _ nowUs: UInt64) {
        guard !call.isStoring else { return }
        call.lookup.overdue(rpc.dst)
        proceed(call, nowUs)
    }

    /// A peer of the lookup is silent, or lost for good.
    mutating func lookupStep(_ call: Call, lost rpc: PendingRpc, _ code: RpcCode, _ nowUs: UInt64) {
        guard !call.isStoring else { return }
        if call.isExplained { call.traceLost(rpc, code) }
        if code == .timeout { call.lookup.silent(rpc.dst) } else { call.lookup.failed(rpc.dst) }
        proceed(call, nowUs)
    }

    private mutating func lookupFinished(_ call: Call, _ nowUs: UInt64) {
        stats.lookupLatency.observe(microseconds: nowUs - call.startUs)
        stats.lookupHops.observe(Double(call.lookup.hops))
        switch call.kind {
        case .put, .provide: beginStoring(call, nowUs)
        case .get: searchedAll(call, nowUs)
        case .findProviders: finishFind(call, isComplete: !call.isUnanswered, nowUs)
        case .ping:
            finishPing(call, call.lookup.hop(of: call.lookup.target) > 0 ? .timedOut : .unknown, nowUs)
        case .lookAround: lookedAround(call, nowUs)
        case .region: regionFound(call, nowUs)
        }
    }

    /// A call's timer: its wait for busy peers is over, or its whole time. Then the caller gets what there is.
    mutating func callTimerFired(slot: Int, _ nowUs: UInt64) {
        guard let call = calls[slot: slot] else { return }
        guard nowUs >= call.startUs + config.deadlineUs else { return resume(call, nowUs) }
        if call.kind != .lookAround, call.kind != .region { stats.errors[.deadline] += 1 }
        switch call.kind {
        case .get: searchCut(call, nowUs)
        case .findProviders: finishFind(call, isComplete: false, nowUs)
        case .ping: finishPing(call, .timedOut, nowUs)
        case .put, .provide:
            if !call.isStoring { settleWanted(call) }
            finishPut(call, nowUs)
        case .lookAround: lookedAround(call, nowUs)
        case .region: regionFound(call, nowUs)
        }
    }

    mutating func close(_ call: Call) {
        wheel.cancel(call.deadline)
        if walkOfKey[call.lookup.target] == call.id { walkOfKey[call.lookup.target] = nil }
        calls.close(call)
    }
}

extension Call {
    /// Peers were asked, and none has answered.
    var isUnanswered: Bool { lookup.answers == 0 && !lookup.peers.isEmpty }
}

// MARK: - Trace

extension Call {
    fileprivate func traceAsked(_ peer: Lookup.Peer, _ nowUs: UInt64) {
        trace.append(
            TraceStep(
                peer: peer.contact, sharedBits: peer.distance.leadingZeroBitCount, hop: Int(peer.hop),
                askedUs: nowUs - startUs))
    }

    fileprivate func traceAnswered(
        _ rpc: PendingRpc, _ message: MessageView, contacts: Int, _ nowUs: UInt64
    ) {
        guard let step = trace.lastIndex(where: { $0.peer.id == rpc.dst }) else { return }
        trace[step].rttUs = nowUs - rpc.sentUs
        trace[step].contacts = contacts
        trace[step].answer =
            switch message {
            case .nodes: rpc.isLate ? .late : .nodes
            case .found, .providers: .found
            default: .refused
            }
    }

    fileprivate func traceLost(_ rpc: PendingRpc, _ code: RpcCode) {
        guard let step = trace.lastIndex(where: { $0.peer.id == rpc.dst }) else { return }
        trace[step].answer =
            switch code {
            case .unreachable: .unreachable
            case .closed: .closed
            default: .silent
            }
    }
}
