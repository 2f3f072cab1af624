// RO:WHAT  Gate: lets requests in within their sender's rate; to the others it says Busy, nothing, and now and then a
//          word to the log.
// RO:WHY   A peer that is told when to come back comes back then; one that does not listen costs no more than reading it.
// RO:METRICS  dht_rpcs_total{op,code="shed"}, dht_rejected_total{reason="over_rate"}
// RO:TEST  Tests/DhtLoopTests/Kademlia/GateTests.swift, BusyTests.swift, AdmissionControlTests.swift

/// Decides which requests of peers are answered.
struct Gate: ~Copyable {
    /// Between two events, in microseconds: a flood must not flood the log.
    private static let quietUs: UInt64 = 1_000_000

    private var admission: AdmissionControl
    /// Requests that were refused and not told of yet.
    private var untold: UInt64 = 0
    /// No event before this.
    private var quietUntilUs: UInt64 = 0

    init(_ admission: consuming AdmissionControl) { self.admission = admission }

    /// Other rates; what peers were ahead is forgiven.
    mutating func replace(_ admission: consuming AdmissionControl) { self.admission = admission }

    /// Whether a request is to be answered. One that is not has been dealt with.
    @inline(__always)
    mutating func admits(
        _ request: EnvelopeView, records: Int, _ link: Link, _ nowUs: UInt64, _ context: inout NodeContext
    ) -> Bool {
        !admission.isOn || judge(request, records: records, link, nowUs, &context)
    }

    private mutating func judge(
        _ request: EnvelopeView, records: Int, _ link: Link, _ nowUs: UInt64, _ context: inout NodeContext
    ) -> Bool {
        let cost = Self.cost(of: request.message, records: records)
        switch admission.admit(link, src: request.src, cost: cost, nowUs: nowUs) {
        case .admitted: return true
        case .busy(let retryMs): Self.sayBusy(request, retryMs, link, &context)
        case .dropped: context.stats.reject(.overRate)
        }
        assert(admission.isOn, "a request is refused without a limit")
        untold += 1
        if nowUs >= quietUntilUs {
            context.outbox.tell(.shedding(untold, peer: request.src, link: link))
            (untold, quietUntilUs) = (0, nowUs + Self.quietUs)
        }
        return false
    }

    /// Requests that a message counts as.
    private static func cost(of message: MessageView, records: Int) -> UInt64 {
        switch message {
        case .putMany: UInt64(max(1, records))
        // Each step makes another node work.
        case .findNode(_, let recursion), .get(_, _, let recursion): 1 + UInt64(recursion)
        default: 1
        }
    }

    private static func sayBusy(
        _ request: EnvelopeView, _ retryMs: UInt64, _ link: Link, _ context: inout NodeContext
    ) {
        // Nothing that this node knows was asked, so there is nothing to ask again.
        guard let op = request.message.op else { return context.stats.reject(.overRate) }
        context.stats.count(op, .shed)
        let start = context.beginEnvelope(to: request.src, rpc: request.rpc)
        context.outbox.bytes.appendBusy(retryMs: retryMs)
        context.outbox.reply(over: link, from: start)
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
