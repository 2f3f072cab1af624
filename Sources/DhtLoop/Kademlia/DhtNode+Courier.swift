// RO:WHAT  Records go out in batches: the next one on each route, and what becomes of it.
// RO:WHY   A record nobody waits for may take its time, but must not be lost because its taker was busy.
// RO:METRICS  dht_replicated_total, dht_rpcs_total{op="put_many"}

extension DhtNode {
    /// Bytes of one batch: a few hundred small records, and the loop is not held up by large ones.
    private static let batchBytes = 131_072
    /// Wait before a route is tried again that had no free request, or whose batch was lost.
    private static let retryUs: UInt64 = 100_000

    /// Routes that waited are tried again. Nothing may be left of what they waited with.
    mutating func courierTimerFired(_ nowUs: UInt64) {
        courier.timer = .none
        dispatch(nowUs)
        copiesWentOn(nowUs)
    }

    /// Sends the next batch on each route that has none under way.
    mutating func dispatch(_ nowUs: UInt64) {
        var (index, retryUs) = (0, UInt64.max)
        while index < courier.routes.count {
            if !courier[index].underWay.isEmpty {
                index += 1
            } else if let untilUs = pause(of: courier[index], nowUs) {
                retryUs = min(retryUs, untilUs)
                index += 1
            } else if sendBatch(at: index, nowUs) {
                if courier[index].underWay.isEmpty { retryUs = min(retryUs, nowUs + Self.retryUs) }
                index += 1
            } else {
                courier.remove(at: index)
            }
        }
        armCourier(retryUs)
    }

    /// When a route may be tried again; nil when that is now.
    private func pause(of route: Courier.Route, _ nowUs: UInt64) -> UInt64? {
        let untilUs = max(busyPeers.until(route.contact.id, nowUs) ?? 0, route.resumeUs)
        return untilUs > nowUs ? untilUs : nil
    }

    private mutating func armCourier(_ atUs: UInt64) {
        wheel.cancel(courier.timer)
        courier.timer =
            atUs == .max ? .none : wheel.schedule(atUs: atUs, token: TimerToken(.courier).packed)
    }

    /// Sends what fits one message; false when nothing is left to send.
    private mutating func sendBatch(at index: Int, _ nowUs: UInt64) -> Bool {
        var route = courier[index]
        let limit = route.takesSingles ? 1 : Limits.recordsPerMessage
        var (batch, versions, looked) = (RecordBatch(limit: Self.batchBytes), [Version](), 0)
        for key in route.waiting {
            guard versions.count < limit else { break }
            if let version = version(of: key, nowUs) {
                guard
                    batch.add(
                        seq: version.seq, ttlSeconds: version.ttlSeconds, valueBytes: version.value.count,
                        isTombstone: version.isTombstone)
                else { break }
                versions.append(version)
                route.underWay.append(key)
            }
            looked += 1
        }
        guard !versions.isEmpty else { return false }
        guard send(route, versions, nowUs) else { return true }
        route.waiting.removeFirst(looked)
        courier[index] = route
        return true
    }

    private mutating func send(_ route: Courier.Route, _ versions: [Version], _ nowUs: UInt64) -> Bool {
        let op: RpcOp = route.takesSingles ? .put : .putMany
        guard let start = beginRequest(op, to: route.contact, .copies, nowUs) else { return false }
        if op == .put { outbox.bytes.beginPut() } else { outbox.bytes.beginPutMany(count: versions.count) }
        for (key, version) in zip(route.underWay, versions) {
            version.value.withUnsafeBytes { value in
                outbox.bytes.appendRecord(
                    key: key, seq: version.seq, ttlSeconds: version.ttlSeconds, value: value,
                    isTombstone: version.isTombstone)
            }
        }
        outbox.send(to: route.contact.endpoint, from: start)
        return true
    }

    /// A record as it should be sent: what was published here with a whole life, or what is stored here.
    private func version(of key: Key, _ nowUs: UInt64) -> Version? {
        let stored = store.find(key, nowUs: nowUs)
        if let published = publications.find(key), published.seq >= stored?.seq ?? 0 {
            return Version(
                seq: published.seq, ttlSeconds: config.ttlSeconds, value: published.value,
                isTombstone: false)
        }
        return stored.map { Version(stored: $0, nowUs) }
    }

    // MARK: - What became of a batch

    /// A batch was answered.
    mutating func copiesAnswered(
        _ reply: MessageView, with lists: borrowing MessageLists, from rpc: PendingRpc, _ nowUs: UInt64
    ) {
        guard let index = courier.index(of: rpc.dst) else { return }
        switch reply {
        case .storedMany(let count):
            taken(min(count, UInt64(courier[index].underWay.count)))
            noteRefusals(lists.refusals, of: courier[index].underWay)
            finishBatch(at: index)
        case .stored(let isOk, _, _, let seq):
            if isOk { taken(1) } else if let key = courier[index].underWay.first { noteNewer(key, seq) }
            finishBatch(at: index)
        case .busy:
            return postpone(at: index, nowUs)
        default:
            // Older nodes know no batches. One that refuses single records as well is owed nothing more.
            guard !courier[index].takesSingles else { return drop(at: index, nowUs) }
            courier[index].takesSingles = true
            putBack(at: index)
        }
        dispatch(nowUs)
        copiesWentOn(nowUs)
    }

    /// A batch got no answer. What a busy node may have dropped, or a contact that stays has not got, is sent
    /// again.
    mutating func copiesLost(_ rpc: PendingRpc, _ nowUs: UInt64) {
        guard let index = courier.index(of: rpc.dst) else { return }
        let isThere = table.state(of: rpc.dst) != nil
        guard isThere || busyPeers.said(rpc.dst, since: rpc.sentUs) else { return drop(at: index, nowUs) }
        // Where a session is down all that is sent there is lost at once: time must pass in between.
        courier[index].resumeUs = nowUs + Self.retryUs
        postpone(at: index, nowUs)
    }

    private mutating func taken(_ count: UInt64) {
        stats.replicated += count
        if replication.isLeaving { stats.handedOver += count }
    }

    private mutating func noteRefusals(_ refusals: [RefusalView], of keys: [Key]) {
        for refusal in refusals where refusal.index < keys.count {
            noteNewer(keys[refusal.index], refusal.seq)
        }
    }

    /// A version newer than the one published here is somebody else's: the publication is over.
    private mutating func noteNewer(_ key: Key, _ seq: UInt64) {
        if let published = publications.find(key), seq > published.seq { publications.remove(key) }
    }

    private mutating func finishBatch(at index: Int) {
        courier[index].underWay.removeAll(keepingCapacity: true)
        courier[index].stalledSinceUs = nil
        if courier[index].waiting.isEmpty { courier.remove(at: index) }
    }

    private mutating func putBack(at index: Int) {
        courier[index].waiting = courier[index].underWay + courier[index].waiting
        courier[index].underWay = []
    }

    private mutating func postpone(at index: Int, _ nowUs: UInt64) {
        let sinceUs = courier[index].stalledSinceUs ?? nowUs
        guard nowUs - sinceUs < Courier.patienceUs else { return drop(at: index, nowUs) }
        courier[index].stalledSinceUs = sinceUs
        putBack(at: index)
        dispatch(nowUs)
        copiesWentOn(nowUs)
    }

    private mutating func drop(at index: Int, _ nowUs: UInt64) {
        courier.remove(at: index)
        copiesWentOn(nowUs)
    }

    /// Whoever waited for the courier may go on.
    private mutating func copiesWentOn(_ nowUs: UInt64) {
        finishPass(nowUs)
        republishOn(nowUs)
    }
}
