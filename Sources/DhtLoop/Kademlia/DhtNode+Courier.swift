// RO:WHAT  Records go out in batches: the next one on each route, and what becomes of it.
// RO:WHY   A record nobody waits for may take its time, but must not be lost because its taker was busy.
// RO:METRICS  dht_replicated_total, dht_rpcs_total{op="put_many"}

extension DhtNode {
    /// Bytes of one batch: a few hundred small records, and the loop is not held up by large ones.
    private static let batchBytes = 131_072
    /// Wait before routes are tried again that had no free request.
    private static let retryUs: UInt64 = 100_000

    /// Sends the next batch on each route that has none under way.
    mutating func dispatch(_ nowUs: UInt64) {
        var (index, retryUs) = (0, UInt64.max)
        while index < courier.routes.count {
            let id = courier[index].contact.id
            if !courier[index].underWay.isEmpty {
                index += 1
            } else if let untilUs = busyPeers.until(id, nowUs) {
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
        if op == .putMany { outbox.bytes.beginPutMany(count: versions.count) }
        for (key, version) in zip(route.underWay, versions) {
            version.value.withUnsafeBytes { value in
                if op == .putMany {
                    outbox.bytes.appendRecord(
                        key: key, seq: version.seq, ttlSeconds: version.ttlSeconds, value: value,
                        isTombstone: version.isTombstone)
                } else {
                    outbox.bytes.appendPut(
                        key: key, seq: version.seq, ttlSeconds: version.ttlSeconds, value: value,
                        isTombstone: version.isTombstone)
                }
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
        guard let stored, stored.expiresAtUs > nowUs else { return nil }
        return Version(
            seq: stored.seq, ttlSeconds: Self.secondsLeft(until: stored.expiresAtUs, nowUs),
            value: Array(stored.value), isTombstone: stored.isTombstone)
    }

    // MARK: - What became of a batch

    /// A batch was answered.
    mutating func copiesAnswered(_ reply: MessageView, from rpc: PendingRpc, _ nowUs: UInt64) {
        guard let index = courier.index(of: rpc.dst) else { return }
        switch reply {
        case .storedMany(let count):
            taken(count)
            noteRefusals(of: courier[index].underWay)
            finishBatch(at: index)
        case .stored(let isOk, _, _, _):
            if isOk { taken(1) }
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

    /// A batch got no answer. What a busy node may have dropped is sent again; a contact that stays gets what
    /// concerns it once more.
    mutating func copiesLost(_ rpc: PendingRpc, _ nowUs: UInt64) {
        guard let index = courier.index(of: rpc.dst) else { return }
        if busyPeers.said(rpc.dst, since: rpc.sentUs) { return postpone(at: index, nowUs) }
        drop(at: index, nowUs)
        if table.state(of: rpc.dst) != nil { neighbourJoined(rpc.dst, nowUs) }
    }

    private mutating func taken(_ count: UInt64) {
        stats.replicated += count
        if replication.isLeaving { stats.handedOver += count }
    }

    /// A version newer than the one published here is somebody else's: the publication is over.
    private mutating func noteRefusals(of keys: [Key]) {
        for refusal in decoder.refusals where Int(refusal.index) < keys.count {
            let key = keys[Int(refusal.index)]
            if let published = publications.find(key), refusal.seq > published.seq {
                publications.remove(key)
            }
        }
    }

    private mutating func finishBatch(at index: Int) {
        courier[index].underWay.removeAll(keepingCapacity: true)
        courier[index].busySinceUs = nil
        if courier[index].waiting.isEmpty { courier.remove(at: index) }
    }

    private mutating func putBack(at index: Int) {
        courier[index].waiting = courier[index].underWay + courier[index].waiting
        courier[index].underWay = []
    }

    private mutating func postpone(at index: Int, _ nowUs: UInt64) {
        let sinceUs = courier[index].busySinceUs ?? nowUs
        guard nowUs - sinceUs < Courier.busyPatienceUs else { return drop(at: index, nowUs) }
        courier[index].busySinceUs = sinceUs
        putBack(at: index)
        dispatch(nowUs)
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
