// RO:WHAT  Responder: how a node answers what peers ask: Ping, FindNode, Get, Put, PutMany, Provide, FindProviders.
// RO:WHY   The hottest path there is: decode, walk the table or the store, encode. Nothing here allocates.
// RO:SECURITY  a request is answered whoever sends it, and makes no node a contact: that takes an answer.
// RO:METRICS  dht_rpcs_total{op,code="served"|"denied"}
// RO:TEST  Tests/DhtLoopTests/Kademlia/ResponderTests.swift, BatchTests.swift

/// Answers to peers.
struct Responder: ~Copyable {
    private var gate: Gate
    private var forwarder = Forwarder()
    /// Scratch memory of one answer.
    private var nearest = ContactList()

    init(_ admission: consuming AdmissionControl) { gate = Gate(admission) }

    /// Requests that are being forwarded.
    var forwarded: Int { forwarder.count }

    /// As `Gate.replace`.
    mutating func replace(_ admission: consuming AdmissionControl) { gate.replace(admission) }

    /// Answers one request over the link it came by.
    @inline(__always)
    mutating func answer(
        _ request: EnvelopeView, with lists: borrowing MessageLists, _ link: Link, _ nowUs: UInt64,
        _ core: inout NodeCore
    ) {
        guard gate.admits(request, records: lists.records.count, link, nowUs, &core.context) else { return }
        core.peers.noteSender(of: request, nowUs, &core.rpcs, &core.context)
        let start = core.context.beginEnvelope(to: request.src, rpc: request.rpc)
        let next = append(answerTo: request, with: lists, nowUs, &core)
        assert(core.context.outbox.bytes.count > start, "a request without an answer")
        core.context.outbox.reply(over: link, from: start)
        if let next { forwarder.passOn(request, to: next, link, nowUs, &core) }
    }

    /// Appends the message that answers a request.
    ///
    /// - Returns: the contact to forward the request to, of which the answer says that more is to come.
    @inline(__always)
    private mutating func append(
        answerTo request: EnvelopeView, with lists: borrowing MessageLists, _ nowUs: UInt64,
        _ core: inout NodeCore
    ) -> Contact? {
        switch request.message {
        case .ping:
            core.context.outbox.bytes.appendPong()
            core.context.stats.count(.ping, .served)
        case .findNode(let target, let recursion):
            let mayPassOn = recursion > 0 && Self.isFar(target, core)
            core.context.stats.count(.findNode, .served)
            return appendNodes(closestTo: target, asker: request.src, mayPassOn: mayPassOn, nowUs, &core)
        case .get(let key, let wantsNodes, let recursion):
            core.context.stats.count(.get, .served)
            return appendFoundOrNodes(
                key, wantsNodes: wantsNodes, asker: request.src, mayPassOn: recursion > 0, nowUs, &core)
        case .put(let record):
            Self.appendStored(record, nowUs, &core)
        case .putMany:
            Self.appendStoredMany(lists.records, nowUs, &core)
        case .provide(let cid, let node, let ttlSeconds):
            Self.appendProvided(cid, node.bytes, ttlSeconds, nowUs, &core)
        case .findProviders(let cid, let limit):
            appendProviders(cid, limit: limit, asker: request.src, nowUs, &core)
            core.context.stats.count(.findProviders, .served)
        case .malformed(let error):
            core.context.stats.reject(.wire(error))
            core.context.outbox.bytes.appendError(kind: "malformed", detail: error.detail)
        default:
            core.context.stats.reject(.unsupported)
            core.context.outbox.bytes.appendError(
                kind: "unsupported", detail: "this node does not know that message")
        }
        return nil
    }

    /// Whether nodes closer to `id` than the local one know of some that it does not.
    private static func isFar(_ id: NodeID, _ core: borrowing NodeCore) -> Bool {
        core.context.config.id.distance(to: id).leadingZeroBitCount < core.peers.table.crowdedDepth
    }

    // MARK: - Contacts

    /// `Nodes` with the K closest to `target`. For the local id the node itself comes first.
    private mutating func appendNodes(
        closestTo target: NodeID, asker: NodeID, mayPassOn: Bool, _ nowUs: UInt64, _ core: inout NodeCore
    ) -> Contact? {
        let others = findNearest(target, asker: asker, nowUs, core)
        assert(others == nearest.count || others == nearest.count - 1, "an asker is a contact once at most")
        let next =
            mayPassOn ? forwarder.nextStep(to: target, asker: asker, of: nearest, nowUs, core) : nil
        let isSelf = target == core.context.config.id
        core.context.outbox.bytes.beginNodes(count: others + (isSelf ? 1 : 0), isMoreToCome: next != nil)
        if isSelf {
            let at = core.context.endpoints.encoded(core.context.advertised)
            core.context.outbox.bytes.appendContact(target, at: at)
        }
        appendNearest(except: asker, &core.context)
        return next
    }

    /// Fills the scratch memory with the K closest to `target`; how many of them `asker` should hear of. For the
    /// local id there is room left for the node itself.
    private mutating func findNearest(
        _ target: NodeID, asker: NodeID, _ nowUs: UInt64, _ core: borrowing NodeCore
    ) -> Int {
        let most = Limits.contactsPerMessage - (target == core.context.config.id ? 1 : 0)
        core.peers.table.closest(
            to: target, min(core.context.config.k, most), seenSinceUs: core.peers.toldSinceUs(nowUs),
            into: &nearest)
        var count = nearest.count
        for index in 0..<nearest.count where nearest[index].id == asker { count -= 1 }
        return count
    }

    private func appendNearest(except asker: NodeID, _ context: inout NodeContext) {
        for index in 0..<nearest.count {
            let contact = nearest[index]
            guard contact.id != asker else { continue }
            context.outbox.bytes.appendContact(contact.id, at: context.endpoints.encoded(contact.endpoint))
        }
    }

    // MARK: - Records

    private mutating func appendFoundOrNodes(
        _ key: Key, wantsNodes: Bool, asker: NodeID, mayPassOn: Bool, _ nowUs: UInt64, _ core: inout NodeCore
    ) -> Contact? {
        guard let record = core.records.find(key, nowUs) else {
            return appendNodes(closestTo: key, asker: asker, mayPassOn: mayPassOn, nowUs, &core)
        }
        let contacts = wantsNodes ? findNearest(key, asker: asker, nowUs, core) : 0
        core.context.outbox.bytes.beginFound(
            key: key, seq: record.seq, ttlSeconds: secondsLeft(until: record.expiresAtUs, nowUs),
            value: record.value, isTombstone: record.isTombstone, contacts: contacts)
        if wantsNodes { appendNearest(except: asker, &core.context) }
        return nil
    }

    private static func appendStored(_ record: RecordView, _ nowUs: UInt64, _ core: inout NodeCore) {
        let verdict = take(record, nowUs, &core)
        core.context.stats.count(.put, verdict == .taken ? .served : .denied)
        switch verdict {
        case .taken:
            core.context.outbox.bytes.appendStored(
                ok: true, code: verdict.code, ttlSeconds: core.context.clampedTtl(record.ttlSeconds))
        case .stale:
            core.context.outbox.bytes.appendStale(seq: core.records.find(record.key, nowUs)?.seq ?? 0)
        case .full, .tooLarge:
            core.context.outbox.bytes.appendStored(ok: false, code: verdict.code, ttlSeconds: 0)
        }
    }

    /// Takes a batch, record by record. How many were refused goes before which they are, so the verdicts wait.
    private static func appendStoredMany(
        _ records: [RecordView], _ nowUs: UInt64, _ core: inout NodeCore
    ) {
        assert(records.count <= Limits.recordsPerMessage, "more records than a message holds")
        withUnsafeTemporaryAllocation(of: Verdict.self, capacity: Limits.recordsPerMessage) { verdicts in
            var taken = 0
            for index in records.indices {
                let verdict = take(records[index], nowUs, &core)
                verdicts.initializeElement(at: index, to: verdict)
                if verdict == .taken { taken += 1 }
            }
            assert(taken <= records.count, "more records are taken than came")
            core.context.stats.count(.putMany, taken > 0 ? .served : .denied)
            core.context.outbox.bytes.beginStoredMany(stored: taken, refused: records.count - taken)
            for index in records.indices where verdicts[index] != .taken {
                let isStale = verdicts[index] == .stale
                let held = isStale ? core.records.find(records[index].key, nowUs) : nil
                core.context.outbox.bytes.appendRefusal(
                    index: index, code: verdicts[index].code, seq: isStale ? held?.seq ?? 0 : nil)
            }
        }
    }

    /// Stores a peer's record here if it may be.
    private static func take(_ record: RecordView, _ nowUs: UInt64, _ core: inout NodeCore) -> Verdict {
        guard record.value.count <= core.context.config.maxValueBytes else { return .tooLarge }
        let outcome = core.records.keep(
            record.key, seq: record.seq, ttlSeconds: core.context.clampedTtl(record.ttlSeconds),
            value: record.value.bytes, isTombstone: record.isTombstone, nowUs, &core.context)
        switch outcome {
        case .stored, .refreshed:
            core.context.stats.recordsTaken += 1
            return .taken
        case .stale: return .stale
        case .full: return .full
        }
    }

    // MARK: - Providers

    private static func appendProvided(
        _ cid: Key, _ node: UnsafeRawBufferPointer, _ ttlSeconds: UInt64, _ nowUs: UInt64,
        _ core: inout NodeCore
    ) {
        guard node.count > 0 else {
            core.context.stats.count(.provide, .denied)
            return core.context.outbox.bytes.appendStored(ok: false, code: "bad_node", ttlSeconds: 0)
        }
        let ttl = core.context.clampedTtl(ttlSeconds)
        let isKept = core.records.keepProvider(cid, Array(node), ttlSeconds: ttl, nowUs, &core.context)
        core.context.stats.count(.provide, isKept ? .served : .denied)
        core.context.outbox.bytes.appendStored(
            ok: isKept, code: isKept ? "" : "full", ttlSeconds: isKept ? ttl : 0)
    }

    private mutating func appendProviders(
        _ cid: Key, limit: UInt64, asker: NodeID, _ nowUs: UInt64, _ core: inout NodeCore
    ) {
        let most = min(Int(clamping: limit), Limits.contactsPerMessage)
        let found = core.records.findProviders(cid, limit: most, nowUs)
        assert(found.count <= most, "more providers than were asked for")
        core.context.outbox.bytes.beginProviders(count: found.count)
        for provider in found {
            provider.node.withUnsafeBytes {
                core.context.outbox.bytes.appendProvider(
                    node: $0, ttlSeconds: secondsLeft(until: provider.expiresAtUs, nowUs))
            }
        }
        core.context.outbox.bytes.beginProviderNodes(
            count: findNearest(cid, asker: asker, nowUs, core))
        appendNearest(except: asker, &core.context)
    }

    // MARK: - Forwarding

    /// As `Forwarder.handBack`.
    mutating func handBack(
        _ reply: EnvelopeView, contacts: [ContactView], for rpc: NodeRpcs.Pending, _ core: inout NodeCore
    ) {
        forwarder.handBack(reply, contacts: contacts, for: rpc, &core)
    }

    /// As `Forwarder.handBackNothing`.
    mutating func handBackNothing(for id: UInt64, _ core: inout NodeCore) {
        forwarder.handBackNothing(for: id, &core)
    }

    /// As `Forwarder.abandon`.
    mutating func abandon(_ id: UInt64, _ core: inout NodeCore) { forwarder.abandon(id, &core) }
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
        case .repeatedKey: "a field is there twice"
        case .missingField: "a mandatory field is missing"
        case .badKeyLength: "ids and keys are 32 bytes"
        case .textTooLong: "texts are at most 255 bytes"
        case .tooMany: "at most 64 contacts, providers or records in a message"
        }
    }
}
