// RO:WHAT  Scribe: reads and writes messages for those who are no nodes: switches and adversaries.
// RO:WHY   They use the real codec, so that what they say is judged by the real decoder.

import DhtLoop

/// Room for what is read, and a buffer to write answers in, used again and again.
struct Scribe: ~Copyable {
    var lists = MessageLists()
    var buffer = ByteBuffer(capacity: 4096)

    /// What a switch says when nobody holds the id to which `payload` goes; nil when nothing is to be said.
    mutating func unreachable(answering payload: UnsafeRawBufferPointer) -> [UInt8]? {
        guard let view = try? EnvelopeDecoder.decode(payload, into: &lists) else { return nil }
        if case .unreachable = view.message { return nil }
        begin(src: .zero, at: UnsafeRawBufferPointer(start: nil, count: 0), answering: view)
        buffer.appendUnreachable(node: view.dst)
        return Array(buffer.bytes)
    }

    /// Begins the answer to `request`; one message must follow.
    mutating func begin(src: NodeID, at: UnsafeRawBufferPointer, answering request: EnvelopeView) {
        buffer.clear()
        EnvelopeEncoder(src: src, at: at, net: request.net)
            .begin(&buffer, dst: request.src, rpc: request.rpc)
    }
}
