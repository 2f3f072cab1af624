// RO:WHAT  The messages of a load generator: how a request is written and what its answer is counted as.
// RO:WHY   Everything is really encoded and decoded: an answer that is wrong must not count.

/// An encoder for each session's id.
struct LoadEncoders {
    private final class Box {
        let encoder: EnvelopeEncoder

        init(_ encoder: consuming EnvelopeEncoder) { self.encoder = encoder }
    }

    private let net: UInt64
    private var boxes: [Box] = []

    init(net: UInt64) { self.net = net }

    /// The next session's; a client has no endpoint.
    mutating func add(src: NodeID) {
        boxes.append(
            Box(EnvelopeEncoder(src: src, at: UnsafeRawBufferPointer(start: nil, count: 0), net: net)))
    }

    @inline(__always)
    func begin(_ buffer: inout ByteBuffer, session: Int, dst: NodeID, rpc: UInt64) {
        boxes[session].encoder.begin(&buffer, dst: dst, rpc: rpc)
    }
}

extension LoadRunner {
    /// Makes a relayed frame 128 bytes long: the shortest number that takes two bytes on the wire.
    private static let relayFiller: UInt64 = 24
    /// The id of what is sent before a run; no slot of `requests` has it.
    private static let preludeRpc = UInt64.max

    /// Sends the request named `rpc`; false when the session's queue is full, and then it is forgotten.
    @inline(__always)
    func send(_ rpc: UInt64) -> Bool {
        guard let request = requests.peek(rpc) else { return false }
        let session = nextSession
        nextSession = nextSession + 1 == sessions.count ? 0 : nextSession + 1
        scratch.clear()
        encode(request.op, rpc, session: session)
        if sessions[session].send(scratch.bytes) { return true }
        _ = requests.finish(rpc)
        return false
    }

    @inline(__always)
    private func encode(_ op: LoadOp, _ rpc: UInt64, session: Int) {
        let dst = op == .relay ? ids[nextSession] : target ?? .zero
        encoders.begin(&scratch, session: session, dst: dst, rpc: rpc)
        switch op {
        case .ping: scratch.appendPing()
        case .findNode: scratch.appendFindNode(target: .random(using: &generator))
        case .get: scratch.appendGet(key: key(.random(in: 0..<plan.keys, using: &generator)))
        case .put: appendPut()
        case .relay: scratch.appendBusy(retryMs: Self.relayFiller)
        }
    }

    /// Keys are put in turn, so that as many puts as there are keys store each.
    private func appendPut() {
        let number = nextKey % plan.keys
        nextKey += 1
        withUnsafeTemporaryAllocation(byteCount: plan.valueBytes, alignment: 8) { value in
            value.initializeMemory(as: UInt8.self, repeating: UInt8(truncatingIfNeeded: number))
            scratch.appendPut(
                key: key(number), seq: firstSeq + nextKey, ttlSeconds: plan.ttlSeconds,
                value: UnsafeRawBufferPointer(value))
        }
    }

    private func key(_ number: UInt64) -> Key {
        var generator = SeededGenerator(seed: plan.seed ^ number &* 0x9E37_79B9_7F4A_7C15)
        return .random(using: &generator)
    }

    /// A Ping to itself: when it comes back, the switch knows where the id lives.
    func join(_ session: OverlaySession) {
        let index = Int(session.ownerIndex)
        scratch.clear()
        encoders.begin(&scratch, session: index, dst: ids[index], rpc: Self.preludeRpc)
        scratch.appendPing()
        session.send(scratch.bytes)
    }

    /// A Ping to any: the first to answer becomes the target.
    func askForAnyNode() {
        scratch.clear()
        encoders.begin(&scratch, session: 0, dst: .zero, rpc: Self.preludeRpc)
        scratch.appendPing()
        sessions[0].send(scratch.bytes)
    }

    /// Takes what came in on a session.
    @inline(__always)
    func receive(_ payload: UnsafeRawBufferPointer) {
        guard let envelope = try? EnvelopeDecoder.decode(payload, into: &lists) else {
            tally.unreadable += 1
            return
        }
        guard let request = requests.finish(envelope.rpc) else { return receiveUnasked(envelope) }
        tally.contacts += UInt64(lists.contacts.count)
        count(envelope.message, as: request.op)
        settle(request, LoadClock.nowNs())
    }

    @inline(__always)
    private func count(_ message: MessageView, as op: LoadOp) {
        switch (op, message) {
        case (.ping, .pong), (.findNode, .nodes), (.get, .found), (.put, .stored(true, _, _, _)),
            (.relay, .busy):
            break
        case (.get, .nodes): tally.notFound += 1
        case (_, .busy):
            tally.refused += 1
            tally.busy += 1
        default: tally.refused += 1
        }
    }

    private func receiveUnasked(_ envelope: EnvelopeView) {
        switch envelope.message {
        case .ping where envelope.src == envelope.dst: joined += 1
        case .pong where target == nil: target = envelope.src
        // Others look for nodes too; a client is none.
        case .ping: break
        default: tally.stray += 1
        }
    }
}
