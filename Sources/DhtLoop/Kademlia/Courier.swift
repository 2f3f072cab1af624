// RO:WHAT  Courier: records on their way to nodes that should hold them, in batches, one at a time to each node.
// RO:WHY   A newcomer may be owed ten thousand records. One message on its way to each node paces itself by what
//          the node can take, and a batch of 64 costs little more than a record. A record that no caller waits for may
//          take its time, but must not be lost because its taker was busy.
// RO:INVARIANTS  a route has keys waiting or a batch under way; none is kept for neither; `waiting` is the sum over
//                the routes.
// RO:METRICS  dht_replicated_total, dht_rpcs_total{op="put_many"}
// RO:TEST  Tests/DhtLoopTests/Kademlia/CourierTests.swift

/// What is owed to which nodes.
struct Courier {
    /// What is owed to one node.
    private struct Delivery {
        var contact: Contact
        /// Records that wait, the first one first.
        var waiting: [Key] = []
        /// Records in the batch that is on its way.
        var underWay: [Key] = []
        /// It knows no batches: records go one by one.
        var takesSingles = false
        /// Since when it has taken nothing, for being busy or out of reach, in microseconds; nil while it takes.
        var stalledSinceUs: UInt64?
        /// A batch was lost: nothing is sent before then.
        var resumeUs: UInt64 = 0
    }

    /// What became of a batch.
    struct BatchEnd {
        /// Records that were taken.
        var taken: UInt64 = 0
        /// Records of which the node has another version, and the `seq` of that.
        var refused: [(key: Key, seq: UInt64)] = []
        /// Whether the node is owed nothing more, for it took nothing for too long or cannot take records.
        var isDropped = false
    }

    /// Records that may wait before no more may be added (`isFull`).
    static let mostWaiting = 8192
    /// After so long a node that takes nothing is owed nothing more.
    static let patienceUs: UInt64 = 60_000_000
    /// Bytes of one batch: a few hundred small records, and the loop is not held up by large ones.
    private static let batchBytes = 131_072
    /// Wait before a route is tried again that had no free request, or whose batch was lost.
    private static let retryUs: UInt64 = 100_000

    private var routes: [Delivery] = []
    private(set) var waiting = 0

    var isIdle: Bool { routes.isEmpty }
    /// Whether those that add records should wait until some have gone.
    var isFull: Bool { waiting >= Self.mostWaiting }

    /// Owes `key` to `contact`.
    mutating func add(_ key: Key, to contact: Contact) {
        waiting += 1
        if let index = index(of: contact.id) { return routes[index].waiting.append(key) }
        routes.append(Delivery(contact: contact, waiting: [key]))
    }

    /// Adds the endpoints of the nodes that are owed something.
    func addEndpoints(to used: inout Set<EndpointID>) {
        for route in routes { used.insert(route.contact.endpoint) }
    }

    private func index(of id: NodeID) -> Int? { routes.firstIndex { $0.contact.id == id } }

    /// Owes nothing to that node any more.
    private mutating func remove(at index: Int) {
        waiting -= routes[index].waiting.count
        routes.remove(at: index)
        assert(waiting == routes.reduce(0) { $0 + $1.waiting.count }, "records that wait are miscounted")
    }

    // MARK: - Sending

    /// Sends the next batch on each route that has none under way. `version` finds a record as it should be sent.
    mutating func dispatch(
        _ nowUs: UInt64, _ core: inout NodeCore, version: (Key, borrowing Records) -> Version?
    ) {
        var (index, retryUs) = (0, UInt64.max)
        while index < routes.count {
            if !routes[index].underWay.isEmpty {
                index += 1
            } else if let untilUs = pause(of: routes[index], nowUs, core.rpcs) {
                retryUs = min(retryUs, untilUs)
                index += 1
            } else if sendBatch(at: index, nowUs, &core, version) {
                if routes[index].underWay.isEmpty { retryUs = min(retryUs, nowUs + Self.retryUs) }
                index += 1
            } else {
                remove(at: index)
            }
        }
        assert(retryUs > nowUs, "a route is tried again at once")
        if retryUs == .max {
            core.context.timers.callOff(.courier)
        } else {
            core.context.timers.plan(.courier, atUs: retryUs)
        }
    }

    /// When a route may be tried again; nil when that is now.
    private func pause(of route: Delivery, _ nowUs: UInt64, _ rpcs: borrowing NodeRpcs) -> UInt64? {
        let untilUs = max(rpcs.busyUntilUs(route.contact.id, nowUs) ?? 0, route.resumeUs)
        return untilUs > nowUs ? untilUs : nil
    }

    /// Sends what fits one message; false when nothing is left to send.
    private mutating func sendBatch(
        at index: Int, _ nowUs: UInt64, _ core: inout NodeCore,
        _ version: (Key, borrowing Records) -> Version?
    ) -> Bool {
        let limit = routes[index].takesSingles ? 1 : Limits.recordsPerMessage
        var (batch, looked) = (RecordBatch(limit: Self.batchBytes), 0)
        var (keys, versions) = ([Key](), [Version]())
        for key in routes[index].waiting {
            guard versions.count < limit else { break }
            if let version = version(key, core.records) {
                guard
                    batch.add(
                        seq: version.seq, ttlSeconds: version.ttlSeconds, valueBytes: version.value.count,
                        isTombstone: version.isTombstone)
                else { break }
                versions.append(version)
                keys.append(key)
            }
            looked += 1
        }
        guard !versions.isEmpty else { return false }
        guard send(keys, versions, over: routes[index], nowUs, &core) else { return true }
        assert(routes[index].underWay.isEmpty, "two batches are on their way to one node")
        assert(versions.count <= limit && looked >= versions.count, "a batch is miscounted")
        routes[index].underWay = keys
        routes[index].waiting.removeFirst(looked)
        waiting -= looked
        assert(waiting >= 0, "fewer records wait than none")
        return true
    }

    private func send(
        _ keys: [Key], _ versions: [Version], over route: Delivery, _ nowUs: UInt64, _ core: inout NodeCore
    ) -> Bool {
        let op: RpcOp = route.takesSingles ? .put : .putMany
        guard let start = core.beginRequest(op, to: route.contact, .copies, nowUs) else { return false }
        if op == .put {
            core.context.outbox.bytes.beginPut()
        } else {
            core.context.outbox.bytes.beginPutMany(count: versions.count)
        }
        for (key, version) in zip(keys, versions) {
            version.value.withUnsafeBytes { value in
                core.context.outbox.bytes.appendRecord(
                    key: key, seq: version.seq, ttlSeconds: version.ttlSeconds, value: value,
                    isTombstone: version.isTombstone)
            }
        }
        core.context.outbox.send(to: route.contact.endpoint, from: start)
        return true
    }

    // MARK: - What became of a batch

    /// A batch to `id` was answered; nil when none was under way.
    mutating func answered(
        _ reply: MessageView, refusals: [RefusalView], by id: NodeID, _ nowUs: UInt64
    ) -> BatchEnd? {
        guard let index = index(of: id) else { return nil }
        var end = BatchEnd()
        switch reply {
        case .storedMany(let count):
            let keys = routes[index].underWay
            end.taken = min(count, UInt64(keys.count))
            for refusal in refusals where refusal.index < keys.count {
                end.refused.append((keys[refusal.index], refusal.seq))
            }
            finishBatch(at: index)
        case .stored(let isOk, _, _, let seq):
            if isOk {
                end.taken = 1
            } else if let key = routes[index].underWay.first {
                end.refused.append((key, seq))
            }
            finishBatch(at: index)
        case .busy:
            end.isDropped = !postpone(at: index, nowUs)
        default:
            // Older nodes know no batches. One that refuses single records as well is owed nothing more.
            if routes[index].takesSingles {
                remove(at: index)
                end.isDropped = true
            } else {
                routes[index].takesSingles = true
                putBack(at: index)
            }
        }
        return end
    }

    /// A batch to `id` got no answer. What a busy node may have dropped, or a contact that stays has not got, is sent
    /// again (`mayRetry`). Nil when none was under way.
    mutating func lost(by id: NodeID, mayRetry: Bool, _ nowUs: UInt64) -> BatchEnd? {
        guard let index = index(of: id) else { return nil }
        guard mayRetry else {
            remove(at: index)
            return BatchEnd(isDropped: true)
        }
        // Where a session is down all that is sent there is lost at once: time must pass in between.
        routes[index].resumeUs = nowUs + Self.retryUs
        return BatchEnd(isDropped: !postpone(at: index, nowUs))
    }

    private mutating func finishBatch(at index: Int) {
        routes[index].underWay.removeAll(keepingCapacity: true)
        routes[index].stalledSinceUs = nil
        if routes[index].waiting.isEmpty { remove(at: index) }
    }

    private mutating func putBack(at index: Int) {
        waiting += routes[index].underWay.count
        routes[index].waiting = routes[index].underWay + routes[index].waiting
        routes[index].underWay = []
        assert(waiting >= routes[index].waiting.count, "records that wait are miscounted")
    }

    /// What was sent to a node goes back to what waits for it. False, and the node is owed nothing more, when it has
    /// taken nothing for too long.
    private mutating func postpone(at index: Int, _ nowUs: UInt64) -> Bool {
        let sinceUs = routes[index].stalledSinceUs ?? nowUs
        assert(sinceUs <= nowUs, "a node stalls from a time to come")
        guard nowUs - sinceUs < Self.patienceUs else {
            remove(at: index)
            return false
        }
        routes[index].stalledSinceUs = sinceUs
        putBack(at: index)
        return true
    }
}
