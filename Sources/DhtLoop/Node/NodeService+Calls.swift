// RO:WHAT  The calls of the admin port: put, get, delete, provide, find, explain, ping.
// RO:WHY   A ticket says whom to answer; the book says what was asked, so that the answer has the right shape.
// RO:INVARIANTS  each started call is completed once, by the call's own deadline at the latest.

extension NodeService {
    // MARK: - Starting

    func startPut(_ request: PutRequest, ticket: AdminTicket, nowUs: UInt64) {
        let write = PendingWrite(
            value: Array(request.value), ttlSeconds: request.ttlSeconds, paths: request.paths)
        if let expected = request.ifMatch {
            return check(request.key, .compareAndPut(expected, write), ticket)
        }
        start(.put, request.key, ticket) { putNow(request.key, write, over: nil, ticket) }
    }

    func startDelete(_ key: Key, ifMatch: UInt64?, ticket: AdminTicket, nowUs: UInt64) {
        if let ifMatch { return check(key, .compareAndDelete(ifMatch), ticket) }
        start(.delete, key, ticket) { deleteNow(key, over: nil, ticket) }
    }

    func startGet(_ key: Key, paths: Int?, ticket: AdminTicket, nowUs: UInt64) {
        start(.get, key, ticket) { host.get(key, paths: paths, ticket: ticket.rawValue) }
    }

    func startProvide(_ request: ProvideRequest, ticket: AdminTicket, nowUs: UInt64) {
        start(.provide, request.key, ticket) {
            host.provide(
                request.key, node: Array(request.node.utf8),
                ttlSeconds: request.ttlSeconds ?? NodeConfig.providerTtlSeconds, ticket: ticket.rawValue)
        }
    }

    func startFindProviders(
        _ key: Key, limit: Int, paths: Int?, ticket: AdminTicket, nowUs: UInt64
    ) {
        start(.find, key, ticket) {
            host.findProviders(key, limit: limit, paths: paths, ticket: ticket.rawValue)
        }
    }

    func startExplain(_ key: Key, paths: Int?, ticket: AdminTicket, nowUs: UInt64) {
        start(.explain, key, ticket) {
            host.get(key, paths: paths, isExplained: true, ticket: ticket.rawValue)
        }
    }

    func startPing(_ id: NodeID, ticket: AdminTicket, nowUs: UInt64) {
        start(.ping, id, ticket) { host.ping(id, ticket: ticket.rawValue) }
    }

    /// Starts a call with `begin`, or says why it is not taken.
    private func start(
        _ kind: CallBook.Kind, _ key: Key, _ ticket: AdminTicket, _ begin: () -> Bool
    ) {
        if let refusal = refusal(ofWrite: kind.isWrite) { return complete(ticket, .refused(refusal)) }
        enter(kind, key, ticket, begin)
    }

    /// Keeps book of a call that `begin` starts; it returns false when the node takes no more.
    private func enter(
        _ kind: CallBook.Kind, _ key: Key, _ ticket: AdminTicket, _ begin: () -> Bool
    ) {
        // A call may end within its start.
        calls.began(ticket.rawValue, kind, key)
        if begin() { return }
        calls.refused(ticket.rawValue)
        complete(ticket, .refused(.busy(retryAfterSeconds: 1)))
    }

    private func complete(_ ticket: AdminTicket, _ outcome: CallOutcome) {
        admin?.complete(ticket, outcome, nowUs: loop.nowUs)
    }

    private func putNow(
        _ key: Key, _ write: PendingWrite, over known: UInt64?, _ ticket: AdminTicket
    ) -> Bool {
        host.put(
            key, value: write.value, seq: Self.version(over: known), ttlSeconds: write.ttlSeconds,
            paths: write.paths, ticket: ticket.rawValue)
    }

    private func deleteNow(_ key: Key, over known: UInt64?, _ ticket: AdminTicket) -> Bool {
        host.delete(key, seq: Self.version(over: known), ticket: ticket.rawValue)
    }

    /// The present as a version; one more than the `known` one where its writer's clock is ahead of ours.
    static func version(over known: UInt64?) -> UInt64 {
        guard let known, known < .max else { return Clock.realtimeUs() }
        return max(Clock.realtimeUs(), known + 1)
    }

    // MARK: - If-Match

    /// Reads the newest of a quorum of copies first: the write goes on only over the version it expects. Best
    /// effort, and no consensus: two writers that read the same version at one time may both go on.
    private func check(_ key: Key, _ kind: CallBook.Kind, _ ticket: AdminTicket) {
        start(kind, key, ticket) { host.get(key, quorum: config.replica, ticket: ticket.rawValue) }
    }

    /// The read before a conditional write has ended.
    private func checked(
        _ call: CallBook.Call, _ expected: UInt64, _ result: GetResult, _ ticket: AdminTicket
    ) {
        var current: UInt64?
        if case .found(_, let seq, _) = result.outcome { current = seq }
        guard current == expected else {
            end(ticket, outcome: "conflict", hops: result.hops, elapsedUs: result.elapsedUs)
            return complete(ticket, .conflict(currentSeq: current))
        }
        if case .compareAndPut(_, let write) = call.kind {
            enter(.put, call.key, ticket) { putNow(call.key, write, over: expected, ticket) }
        } else {
            enter(.delete, call.key, ticket) { deleteNow(call.key, over: expected, ticket) }
        }
    }

    // MARK: - Ending

    /// A call that was started for `ticket` has ended.
    func ended(_ ticket: AdminTicket, _ result: OperationResult) {
        guard let call = calls.call(ticket.rawValue) else { return }
        switch result {
        case .put(let result): putEnded(call, ticket, result)
        case .get(let result): getEnded(call, ticket, result)
        case .providers(let result): providersEnded(ticket, result)
        case .ping(let result): pingEnded(ticket, result)
        }
        drain.progressed()
    }

    private func end(_ ticket: AdminTicket, outcome: String, hops: Int, elapsedUs: UInt64) {
        calls.ended(
            ticket.rawValue, outcome: outcome, hops: hops, elapsedUs: elapsedUs, nowUs: loop.nowUs)
    }

    private func putEnded(_ call: CallBook.Call, _ ticket: AdminTicket, _ result: PutResult) {
        end(ticket, outcome: result.outcomeLabel, hops: result.hops, elapsedUs: result.elapsedUs)
        let failures = result.failed.map { PutReport.Failure(peer: $0.peer, cause: $0.cause.rawValue) }
        if call.kind == .provide {
            let report = ProvideReport(
                acks: result.acks, wanted: result.wanted, ttlSeconds: result.ttlSeconds, failures: failures)
            return complete(ticket, .provided(report))
        }
        let report = PutReport(
            acks: result.acks, wanted: result.wanted, ttlSeconds: result.ttlSeconds,
            expiresAtSeconds: Clock.realtimeSeconds() + result.ttlSeconds, hops: result.hops,
            elapsedUs: result.elapsedUs, failures: failures)
        complete(ticket, .stored(report))
    }

    private func getEnded(_ call: CallBook.Call, _ ticket: AdminTicket, _ result: GetResult) {
        switch call.kind {
        case .compareAndPut(let expected, _), .compareAndDelete(let expected):
            return checked(call, expected, result, ticket)
        case .explain: explainEnded(ticket, result)
        default: answer(ticket, result)
        }
        end(ticket, outcome: result.outcome.label, hops: result.hops, elapsedUs: result.elapsedUs)
    }

    private func answer(_ ticket: AdminTicket, _ result: GetResult) {
        let search = SearchReport(hops: result.hops, elapsedUs: result.elapsedUs)
        switch result.outcome {
        case .found(let value, let seq, let ttlSeconds):
            value.withUnsafeBytes { bytes in
                let found = FoundValue(bytes: bytes, seq: seq, ttlSeconds: ttlSeconds)
                complete(ticket, .found(found, search))
            }
        case .notFound: complete(ticket, .notFound(search))
        case .timedOut: complete(ticket, .timedOut(search))
        }
    }

    private func explainEnded(_ ticket: AdminTicket, _ result: GetResult) {
        let steps = result.trace.map { step in
            ExplainReport.Step(
                peer: step.peer.id, endpoint: host.endpoints.text(step.peer.endpoint), hop: step.hop,
                askedAtUs: step.askedUs, rttUs: step.rttUs == 0 ? nil : step.rttUs,
                answer: step.answer.rawValue, contacts: step.contacts)
        }
        let report = ExplainReport(
            outcome: result.outcome.label, steps: steps,
            search: SearchReport(hops: result.hops, elapsedUs: result.elapsedUs))
        complete(ticket, .explained(report))
    }

    private func pingEnded(_ ticket: AdminTicket, _ result: PingResult) {
        let (word, outcome): (String, PingOutcome) =
            switch result.outcome {
            case .answered(let endpoint, let rttUs):
                ("answered", .answered(endpoint: host.endpoints.text(endpoint), rttUs: rttUs))
            case .unknown: ("unknown", .unknown)
            case .timedOut: ("timed_out", .timedOut)
            }
        end(ticket, outcome: word, hops: result.hops, elapsedUs: result.elapsedUs)
        complete(ticket, .pinged(outcome))
    }

    private func providersEnded(_ ticket: AdminTicket, _ result: ProvidersResult) {
        end(ticket, outcome: result.outcomeLabel, hops: result.hops, elapsedUs: result.elapsedUs)
        let report = ProvidersReport(
            providers: result.providers.map { String(decoding: $0.node, as: UTF8.self) },
            isComplete: result.isComplete,
            search: SearchReport(hops: result.hops, elapsedUs: result.elapsedUs))
        complete(ticket, .providers(report))
    }
}

// The words for them in JSON.

extension PutResult {
    fileprivate var outcomeLabel: String {
        if acks == 0 { return "failed" }
        return acks < wanted ? "partial" : "stored"
    }
}

extension ProvidersResult {
    fileprivate var outcomeLabel: String {
        if !providers.isEmpty { return "found" }
        return isComplete ? "not_found" : "timed_out"
    }
}

extension GetResult.Outcome {
    fileprivate var label: String {
        switch self {
        case .found: "found"
        case .notFound: "not_found"
        case .timedOut: "timed_out"
        }
    }
}
