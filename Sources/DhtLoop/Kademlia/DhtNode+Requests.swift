// RO:WHAT  How a node answers what peers ask: Ping, FindNode, Get, Put, PutMany.
// RO:WHY   The hottest path there is: decode, walk the table or the store, encode. Nothing here allocates.
// RO:SECURITY  a request is answered whoever sends it, and makes nobody a contact: that takes an answer.
// RO:METRICS  dht_rpcs_total{op,code="served"|"denied"}

extension DhtNode {
    /// Answers one request over the link it came by.
    mutating func answer(
        _ request: EnvelopeView, with lists: borrowing MessageLists, _ link: Link, _ nowUs: UInt64
    ) {
        if admission.isOn, !isAdmitted(request, with: lists, link, nowUs) { return }
        noteSender(of: request, nowUs)
        let start = outbox.bytes.count
        encoder.begin(&outbox.bytes, dst: request.src, rpc: request.rpc)
        switch request.message {
        case .ping:
            outbox.bytes.appendPong()
            stats.count(.ping, .served)
        case .findNode(let target, let recursion):
            appendNodes(
                closestTo: target, asker: request.src, mayPassOn: recursion > 0 && isFar(target),
                nowUs)
            stats.count(.findNode, .served)
        case .get(let key, let wantsNodes, let recursion):
            appendFoundOrNodes(
                key, wantsNodes: wantsNodes, asker: request.src, mayPassOn: recursion > 0, nowUs)
            stats.count(.get, .served)
        case .put(let record):
            appendStored(record, nowUs)
        case .putMany:
            appendStoredMany(lists.records, nowUs)
        case .provide(let cid, let node, let ttlSeconds):
            appendProvided(cid, node.bytes, ttlSeconds, nowUs)
        case .findProviders(let cid, let limit):
            appendProviders(cid, limit: limit, asker: request.src, nowUs)
            stats.count(.findProviders, .served)
        case .unsupported:
            stats.reject(.unsupported)
            outbox.bytes.appendError(kind: "unsupported", detail: "this node does not know that message")
        case .malformed(let error):
            stats.reject(.wire(error))
            outbox.bytes.appendError(kind: "malformed", detail: error.detail)
        default:
            return outbox.bytes.truncate(to: start)
        }
        outbox.reply(over: link, from: start)
        if let next = onward { passOn(request, to: next, link, nowUs) }
    }

    /// `Nodes` with the K closest to `target`. For the own id the node itself comes first.
    private mutating func appendNodes(
        closestTo target: NodeID, asker: NodeID, mayPassOn: Bool, _ nowUs: UInt64
    ) {
        let others = findNearest(target, asker: asker, nowUs)
        if mayPassOn { onward = nextStep(to: target, asker: asker, nowUs) }
        let isSelf = target == config.id
        outbox.bytes.beginNodes(count: others + (isSelf ? 1 : 0), isMoreToCome: onward != nil)
        if isSelf { outbox.bytes.appendContact(config.id, at: endpoints.encoded(upkeep.advertised)) }
        appendNearest(except: asker)
    }

    /// Fills `nearest` with the K closest to `target`; how many of them `asker` should hear of.
    private mutating func findNearest(_ target: NodeID, asker: NodeID, _ nowUs: UInt64) -> Int {
        table.closest(
            to: target, config.k, seenSinceUs: nowUs - min(nowUs, upkeep.doubtfulUs), into: &nearest)
        var count = nearest.count
        for index in 0..<nearest.count where nearest[index].id == asker { count -= 1 }
        return count
    }

    private mutating func appendNearest(except asker: NodeID) {
        for index in 0..<nearest.count {
            let contact = nearest[index]
            guard contact.id != asker else { continue }
            outbox.bytes.appendContact(contact.id, at: endpoints.encoded(contact.endpoint))
        }
    }

    private mutating func appendFoundOrNodes(
        _ key: Key, wantsNodes: Bool, asker: NodeID, mayPassOn: Bool, _ nowUs: UInt64
    ) {
        guard let record = store.find(key, nowUs: nowUs) else {
            return appendNodes(closestTo: key, asker: asker, mayPassOn: mayPassOn, nowUs)
        }
        let contacts = wantsNodes ? findNearest(key, asker: asker, nowUs) : 0
        outbox.bytes.beginFound(
            key: key, seq: record.seq, ttlSeconds: Self.secondsLeft(until: record.expiresAtUs, nowUs),
            value: record.value, isTombstone: record.isTombstone, contacts: contacts)
        if wantsNodes { appendNearest(except: asker) }
    }

    private mutating func appendProvided(
        _ cid: Key, _ node: UnsafeRawBufferPointer, _ ttlSeconds: UInt64, _ nowUs: UInt64
    ) {
        guard node.count > 0 else {
            stats.count(.provide, .denied)
            return outbox.bytes.appendStored(ok: false, code: "bad_node", ttlSeconds: 0)
        }
        let ttl = clampedTtl(ttlSeconds)
        let isKept = keepProvider(cid, Array(node), ttlSeconds: ttl, nowUs)
        stats.count(.provide, isKept ? .served : .denied)
        outbox.bytes.appendStored(ok: isKept, code: isKept ? "" : "full", ttlSeconds: isKept ? ttl : 0)
    }

    private mutating func appendProviders(
        _ cid: Key, limit: UInt64, asker: NodeID, _ nowUs: UInt64
    ) {
        let most = min(Int(clamping: limit), Limits.contactsPerMessage)
        let found = providers.find(cid, limit: most, nowUs: nowUs)
        outbox.bytes.beginProviders(count: found.count)
        for provider in found {
            provider.node.withUnsafeBytes {
                outbox.bytes.appendProvider(
                    node: $0, ttlSeconds: Self.secondsLeft(until: provider.expiresAtUs, nowUs))
            }
        }
        outbox.bytes.beginProviderNodes(count: findNearest(cid, asker: asker, nowUs))
        appendNearest(except: asker)
    }

    private mutating func appendStored(_ record: RecordView, _ nowUs: UInt64) {
        let verdict = take(record, nowUs)
        stats.count(.put, verdict == .taken ? .served : .denied)
        switch verdict {
        case .taken:
            outbox.bytes.appendStored(
                ok: true, code: verdict.code, ttlSeconds: clampedTtl(record.ttlSeconds))
        case .stale:
            outbox.bytes.appendStale(seq: store.find(record.key, nowUs: nowUs)?.seq ?? 0)
        case .full, .tooLarge:
            outbox.bytes.appendStored(ok: false, code: verdict.code, ttlSeconds: 0)
        }
    }

    /// Takes a batch, record by record. How many were refused goes before who they are, so the verdicts wait.
    private mutating func appendStoredMany(_ records: [RecordView], _ nowUs: UInt64) {
        withUnsafeTemporaryAllocation(of: Verdict.self, capacity: Limits.recordsPerMessage) { verdicts in
            var taken = 0
            for index in records.indices {
                let verdict = take(records[index], nowUs)
                verdicts.initializeElement(at: index, to: verdict)
                if verdict == .taken { taken += 1 }
            }
            stats.count(.putMany, taken > 0 ? .served : .denied)
            outbox.bytes.beginStoredMany(stored: taken, refused: records.count - taken)
            for index in records.indices where verdicts[index] != .taken {
                let isStale = verdicts[index] == .stale
                let held = isStale ? store.find(records[index].key, nowUs: nowUs) : nil
                outbox.bytes.appendRefusal(
                    index: index, code: verdicts[index].code, seq: isStale ? held?.seq ?? 0 : nil)
            }
        }
    }

    /// Stores a peer's record here if it may be.
    private mutating func take(_ record: RecordView, _ nowUs: UInt64) -> Verdict {
        guard record.value.count <= config.maxValueBytes else { return .tooLarge }
        let outcome = keep(
            record.key, seq: record.seq, ttlSeconds: clampedTtl(record.ttlSeconds),
            value: record.value.bytes, isTombstone: record.isTombstone, nowUs)
        switch outcome {
        case .stored, .refreshed:
            stats.recordsTaken += 1
            return .taken
        case .stale: return .stale
        case .full: return .full
        }
    }

    /// Stores a record here and sees to it that its end of life is noticed.
    mutating func keep(
        _ key: Key, seq: UInt64, ttlSeconds: UInt64, value: UnsafeRawBufferPointer, isTombstone: Bool,
        _ nowUs: UInt64
    ) -> RecordStore.PutOutcome {
        let outcome = store.put(
            key, seq: seq, expiresAtUs: nowUs + ttlSeconds * 1_000_000, value: value,
            isTombstone: isTombstone, nowUs: nowUs)
        if outcome == .full { stats.errors[.storeFull] += 1 }
        if outcome == .stored { armSweep() }
        return outcome
    }

    /// Notes here that `node` provides `cid`; false when there is no room.
    mutating func keepProvider(
        _ cid: Key, _ node: [UInt8], ttlSeconds: UInt64, _ nowUs: UInt64
    ) -> Bool {
        let outcome = providers.add(
            cid, node: node, expiresAtUs: nowUs + ttlSeconds * 1_000_000, nowUs: nowUs)
        if outcome == .full { stats.errors[.storeFull] += 1 } else { armSweep() }
        return outcome != .full
    }

    /// 1...`maxTtlSeconds`.
    func clampedTtl(_ seconds: UInt64) -> UInt64 { min(max(seconds, 1), config.maxTtlSeconds) }

    /// Whole seconds until `timeUs`, to the nearest; at least 1 for a record that lives.
    static func secondsLeft(until timeUs: UInt64, _ nowUs: UInt64) -> UInt64 {
        timeUs > nowUs ? max(1, (timeUs - nowUs + 500_000) / 1_000_000) : 0
    }

    /// A contact that asks is alive. A stranger is pinged first: only who answers becomes a contact.
    private mutating func noteSender(of request: EnvelopeView, _ nowUs: UInt64) {
        guard request.at.count > 0, !request.src.isZero else { return }
        let at = request.at.bytes
        var claimsToHaveMoved = false
        let endpoints = endpoints
        var silenceUs: UInt64 = 0
        let isKnown = table.update(request.src) { state in
            claimsToHaveMoved = !endpoints.matches(state.endpoint, at)
            guard !claimsToHaveMoved else { return }
            silenceUs = nowUs - min(nowUs, state.lastSeenUs)
            state.lastSeenUs = nowUs
            state.failures = 0
        }
        if claimsToHaveMoved { return checkMove(of: request.src, to: at, nowUs) }
        guard isKnown else { return noteStranger(request.src, at: at, nowUs) }
        upkeep.lifetimes.survived(silenceUs: silenceUs)
    }

    /// A stranger is pinged when there is room for it among the neighbours. Else it may wait for its turn.
    private mutating func noteStranger(_ id: NodeID, at: UnsafeRawBufferPointer, _ nowUs: UInt64) {
        let isWanted = table.hasRoom(for: id) && table.isNear(id, neighbours: neighbourCount)
        guard isWanted || table.mayHear(of: id) else { return }
        guard let endpoint = endpoints.intern(at) else { return stats.reject(.badEndpoint) }
        let contact = Contact(id: id, endpoint: endpoint)
        if isWanted, table.admits(contact) { return verify(contact, nowUs) }
        hear(contact, nowUs)
    }

    private mutating func verifyStranger(_ id: NodeID, at: UnsafeRawBufferPointer, _ nowUs: UInt64) {
        guard let endpoint = endpoints.intern(at) else { return stats.reject(.badEndpoint) }
        verify(Contact(id: id, endpoint: endpoint), nowUs)
    }

    /// A known id speaks from elsewhere. Its old endpoint is asked first: while that answers, a stranger
    /// cannot take the contact over.
    private mutating func checkMove(of id: NodeID, to at: UnsafeRawBufferPointer, _ nowUs: UInt64) {
        guard let state = table.state(of: id) else { return }
        if state.failures > 0 {
            verifyStranger(id, at: at, nowUs)
        } else {
            verify(Contact(id: id, endpoint: state.endpoint), nowUs)
        }
    }
}

/// What becomes of a record that a peer sent.
private enum Verdict {
    case taken, stale, full, tooLarge

    /// The word for it on the wire.
    var code: StaticString {
        switch self {
        case .taken: ""
        case .stale: "stale"
        case .full: "full"
        case .tooLarge: "too_large"
        }
    }
}

extension WireError {
    /// What to tell the sender of a malformed message.
    var detail: StaticString {
        switch self {
        case .truncated: "the message ends inside an item"
        case .trailingBytes: "bytes follow the message"
        case .malformed: "not well-formed CBOR, or not built as the protocol says"
        case .indefinite: "indefinite-length items are not taken; send definite lengths"
        case .tooDeep: "nested deeper than 16 levels"
        case .notEnvelope: "not an envelope"
        case .version: "envelope version is not 1"
        case .wrongType: "a field has the wrong type"
        case .missingField: "a mandatory field is missing"
        case .badKeyLength: "ids and keys are 32 bytes"
        case .textTooLong: "texts are at most 255 bytes"
        case .tooMany: "at most 64 contacts, providers or records in a message"
        }
    }
}
