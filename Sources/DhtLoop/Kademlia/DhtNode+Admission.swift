// RO:WHAT  What a node does with requests over their sender's rate: Busy, silence, and now and then a word to the log.
// RO:WHY   Who is told when to come back comes back then; who does not listen costs no more than reading it.
// RO:METRICS  dht_rpcs_total{op,code="shed"}, dht_rejected_total{reason="over_rate"}

/// Requests that were refused and not told of yet.
struct Shedding {
    /// Between two events, in microseconds: a flood must not flood the log.
    static let quietUs: UInt64 = 1_000_000

    var untold: UInt64 = 0
    /// No event before this.
    var quietUntilUs: UInt64 = 0
}

extension DhtNode {
    /// Changes the rates of `NodeConfig`, in requests a second; 0 is no limit. What peers were ahead is forgiven.
    public mutating func setRates(perPeer: Int, common: Int) {
        admission = AdmissionControl(perPeer: perPeer, common: common, secret: generator.next())
    }

    /// Whether a request is to be answered. One that is not has been dealt with.
    mutating func isAdmitted(
        _ request: EnvelopeView, with lists: borrowing MessageLists, _ link: Link, _ nowUs: UInt64
    ) -> Bool {
        var cost: UInt64 = 1
        switch request.message {
        case .putMany: cost = UInt64(max(1, lists.records.count))
        // Each step makes another node work.
        case .findNode(_, let recursion), .get(_, _, let recursion): cost += UInt64(recursion)
        default: break
        }
        switch admission.admit(link, src: request.src, cost: cost, nowUs: nowUs) {
        case .admitted: return true
        case .busy(let retryMs): sayBusy(request, retryMs, link)
        case .dropped: stats.reject(.overRate)
        }
        shedding.untold += 1
        if nowUs >= shedding.quietUntilUs {
            outbox.tell(.shedding(shedding.untold, peer: request.src, link: link))
            shedding = Shedding(quietUntilUs: nowUs + Shedding.quietUs)
        }
        return false
    }

    private mutating func sayBusy(_ request: EnvelopeView, _ retryMs: UInt64, _ link: Link) {
        // Nothing that this node knows was asked, so there is nothing to ask again.
        guard let op = request.message.op else { return stats.reject(.overRate) }
        stats.count(op, .shed)
        let start = outbox.bytes.count
        encoder.begin(&outbox.bytes, dst: request.src, rpc: request.rpc)
        outbox.bytes.appendBusy(retryMs: retryMs)
        outbox.reply(over: link, from: start)
    }
}

extension MessageView {
    /// The operation that a request asks for; nil for anything else.
    fileprivate var op: RpcOp? {
        switch self {
        case .ping: .ping
        case .findNode: .findNode
        case .get: .get
        case .put: .put
        case .putMany: .putMany
        case .provide: .provide
        case .findProviders: .findProviders
        default: nil
        }
    }
}
