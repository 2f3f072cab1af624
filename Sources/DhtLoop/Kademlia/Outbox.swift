// RO:WHAT  Outbox: what a DhtNode wants done, in order: payloads to send, calls that ended.
// RO:WHY   The node does no I/O. Whoever drives it takes the actions out and performs them, so a daemon,
//          a simulator and a test run the same machine.
// RO:INVARIANTS  slices point into `bytes`; both are cleared together once performed.

/// Something to tell an operator.
public enum NodeEvent: Equatable, Sendable {
    /// A request of ours ended. Those that went well are told only when `DhtNode.tellsEveryRpc` is set.
    case rpcEnded(RpcOp, peer: NodeID, code: RpcCode, elapsedUs: UInt64)
    /// The routing table is no longer empty, or is empty again.
    case hasPeers(Bool)
    /// Requests were refused because their senders are over their rate: so many since this was last told, the
    /// latest one over this link and from that peer.
    case shedding(UInt64, peer: NodeID, link: Link)
    /// A leaving node has given away what it could; so many copies were taken.
    case handedOver(records: Int)
}

/// Actions of a node, to be performed in order and then cleared.
public struct Outbox: ~Copyable {
    /// One thing to do.
    public enum Action: Sendable {
        /// Send the payload over a session to this endpoint; open one if there is none.
        case send(EndpointID, ByteSlice)
        /// Send the payload back over the session a request came by.
        case reply(Link, ByteSlice)
        /// Keep sessions to these endpoints open, the most wanted first, instead of those named before.
        case warm([EndpointID])
        /// A call has ended.
        case finished(OperationID, OperationResult)
        /// Worth a line in the log.
        case event(NodeEvent)
    }

    /// The payloads, end to end.
    public var bytes = ByteBuffer(capacity: 4096)
    public private(set) var actions: [Action] = []

    init() { actions.reserveCapacity(64) }

    /// Whether there is nothing to do.
    public var isEmpty: Bool { actions.isEmpty }

    /// The bytes of a payload, borrowed until the node is touched again.
    public func payload(_ slice: ByteSlice) -> UnsafeRawBufferPointer { slice.bytes(in: bytes.bytes) }

    /// Forgets everything; memory is kept, up to a bound.
    public mutating func clear() {
        actions.removeAll(keepingCapacity: true)
        if bytes.capacity > 4 << 20 { bytes.release(keeping: 4096) } else { bytes.clear() }
    }

    /// Everything appended since `start` is a payload for `endpoint`.
    mutating func send(to endpoint: EndpointID, from start: Int) {
        assert(start < bytes.count, "a payload of nothing")
        actions.append(.send(endpoint, ByteSlice(offset: start, count: bytes.count - start)))
    }

    /// Everything appended since `start` is a reply over `link`.
    @inline(__always)
    mutating func reply(over link: Link, from start: Int) {
        assert(start < bytes.count, "a payload of nothing")
        actions.append(.reply(link, ByteSlice(offset: start, count: bytes.count - start)))
    }

    mutating func warm(_ endpoints: [EndpointID]) { actions.append(.warm(endpoints)) }

    mutating func tell(_ event: NodeEvent) { actions.append(.event(event)) }

    mutating func finish(_ call: OperationID, _ result: OperationResult) {
        actions.append(.finished(call, result))
    }
}
