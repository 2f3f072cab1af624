// RO:WHAT  Envelopes to bytes, straight into a ByteBuffer.
// RO:WHY   A node's head is the same in every frame but for dst and id: it is kept as bytes and copied.
// RO:INVARIANTS  definite lengths, shortest integers, keys in the wire document's order.
// RO:TEST  Tests/DhtLoopTests/Proto/EnvelopeTests.swift

/// Writes envelopes of one sender.
public struct EnvelopeEncoder: ~Copyable {
    private var head = ByteBuffer(capacity: 128)

    /// The head is encoded once, for this `src`, endpoint (`at`, host:port or empty) and network id.
    public init(src: NodeID, at: UnsafeRawBufferPointer, net: UInt64) {
        head.appendMapHead(7)
        head.appendText("v")
        head.appendUInt(1)
        head.appendText("dst")
        head.appendID(.zero)
        head.appendText("src")
        head.appendID(src)
        head.appendText("at")
        head.appendText(at)
        head.appendText("net")
        head.appendUInt(net)
        head.appendText("id")
        assert(at.count <= Limits.textBytes && EnvelopeHead.hasConstantShape(head.bytes))
    }

    /// Appends the envelope up to and with the key "msg"; one message must follow.
    @inline(__always)
    public func begin(_ buffer: inout ByteBuffer, dst: NodeID, rpc: UInt64) {
        let start = buffer.reserve(head.count + 16)
        start.copyMemory(from: head.base, byteCount: head.count)
        dst.store(to: start + EnvelopeHead.dstOffset)
        buffer.commit(head.count)
        buffer.appendUInt(rpc)
        buffer.appendText("msg")
    }
}

/// What every contact begins with: an array of 2 and the head of a 32-byte string.
enum ContactHead {
    static let byteCount = 3
    /// The three bytes, least significant first, in one store; the fourth is overwritten by the id.
    static let word: UInt32 = 0x20_58_82
}

// MARK: - Messages, in the order of docs/PROTOCOL.md

extension ByteBuffer {
    public mutating func appendPing() { appendEmptyMessage("Ping") }

    public mutating func appendPong() { appendEmptyMessage("Pong") }

    /// A `FindNode` that may be passed on for `recursion` steps, 0...`Limits.recursion`.
    public mutating func appendFindNode(target: NodeID, recursion: UInt8 = 0) {
        appendKeyMessage("FindNode", "target", target, recursion)
    }

    /// A `Get` that may be passed on for `recursion` steps, 0...`Limits.recursion`.
    public mutating func appendGet(key: Key, recursion: UInt8 = 0) {
        appendKeyMessage("Get", "key", key, recursion)
    }

    /// A `Get` that wants the contacts closest to the key even with a record.
    public mutating func appendGetWithNodes(key: Key) {
        beginMessage("Get", fields: 2)
        appendText("key")
        appendID(key)
        appendText("nodes")
        appendBool(true)
    }

    /// A switch's word that it has no session for `node`.
    public mutating func appendUnreachable(node: NodeID) { appendKeyMessage("Unreachable", "node", node) }

    /// `Nodes` up to its list: `count` contacts must follow, each by `appendContact`. With `isMoreToCome` it says that
    /// another answer to the same request follows.
    @inline(__always)
    public mutating func beginNodes(count: Int, isMoreToCome: Bool = false) {
        assert(count >= 0 && count <= Limits.contactsPerMessage)
        beginMessage("Nodes", fields: isMoreToCome ? 2 : 1)
        if isMoreToCome {
            appendText("more")
            appendBool(true)
        }
        appendText("nodes")
        appendArrayHead(count)
    }

    /// One contact; `at` is the endpoint as a CBOR item, out of `EndpointTable.encoded`: short ones are copied
    /// as whole words, which that table's padding allows.
    @inline(__always)
    public mutating func appendContact(_ id: NodeID, at: UnsafeRawBufferPointer) {
        assert(!at.isEmpty && at[0] >> 5 == 3, "an endpoint as a CBOR text")
        let start = reserve(
            ContactHead.byteCount + NodeID.byteCount + max(at.count, EndpointTable.paddedBytes))
        start.storeBytes(of: ContactHead.word.littleEndian, as: UInt32.self)
        id.store(to: start + ContactHead.byteCount)
        let end = start + ContactHead.byteCount + NodeID.byteCount
        if at.count <= EndpointTable.paddedBytes, let source = at.baseAddress {
            end.copyMemory(from: source, byteCount: EndpointTable.paddedBytes)
        } else if let source = at.baseAddress {
            end.copyMemory(from: source, byteCount: at.count)
        }
        commit(ContactHead.byteCount + NodeID.byteCount + at.count)
    }

    /// One contact as another message named it.
    public mutating func appendContact(_ id: NodeID, atText at: UnsafeRawBufferPointer) {
        appendArrayHead(2)
        appendID(id)
        appendText(at)
    }

    /// `Found` up to its list of contacts: `contacts` of them must follow.
    public mutating func beginFound(
        key: Key, seq: UInt64, ttlSeconds: UInt64, value: UnsafeRawBufferPointer, isTombstone: Bool = false,
        contacts: Int
    ) {
        assert(contacts >= 0 && contacts <= Limits.contactsPerMessage)
        beginMessage("Found", fields: 2)
        appendText("record")
        appendRecord(key: key, seq: seq, ttlSeconds: ttlSeconds, value: value, isTombstone: isTombstone)
        appendText("nodes")
        appendArrayHead(contacts)
    }

    public mutating func appendPut(
        key: Key, seq: UInt64, ttlSeconds: UInt64, value: UnsafeRawBufferPointer, isTombstone: Bool = false
    ) {
        beginPut()
        appendRecord(key: key, seq: seq, ttlSeconds: ttlSeconds, value: value, isTombstone: isTombstone)
    }

    /// `Put` up to its record, which must follow, by `appendRecord`.
    public mutating func beginPut() {
        beginMessage("Put", fields: 1)
        appendText("record")
    }

    /// `code` is "" for a store that was taken, else why it was not.
    public mutating func appendStored(ok: Bool, code: StaticString, ttlSeconds: UInt64) {
        beginMessage("Stored", fields: 3)
        appendText("ok")
        appendBool(ok)
        appendText("code")
        appendText(code)
        appendText("ttl")
        appendUInt(ttlSeconds)
    }

    /// Refused, because version `seq` is there already.
    public mutating func appendStale(seq: UInt64) {
        beginMessage("Stored", fields: 4)
        appendText("ok")
        appendBool(false)
        appendText("code")
        appendText("stale")
        appendText("ttl")
        appendUInt(0)
        appendText("seq")
        appendUInt(seq)
    }

    /// `PutMany` up to its list: `count` records (1...`Limits.recordsPerMessage`) must follow, each by
    /// `appendRecord`; `RecordBatch` tells how many fit one frame.
    public mutating func beginPutMany(count: Int) {
        assert(count > 0 && count <= Limits.recordsPerMessage)
        beginMessage("PutMany", fields: 1)
        appendText("records")
        appendArrayHead(count)
    }

    /// `StoredMany` up to its list: `refused` refusals must follow, each by `appendRefusal`.
    public mutating func beginStoredMany(stored: Int, refused: Int) {
        assert(stored >= 0 && max(stored, refused) <= Limits.recordsPerMessage && refused >= 0)
        beginMessage("StoredMany", fields: 2)
        appendText("stored")
        appendUInt(UInt64(stored))
        appendText("refused")
        appendArrayHead(refused)
    }

    /// One refusal: the record's place in the request, in ascending order, and why; with the code "stale", `seq`
    /// is the version that is there.
    public mutating func appendRefusal(index: Int, code: StaticString, seq: UInt64?) {
        assert(index >= 0 && index < Limits.recordsPerMessage)
        appendMapHead(seq == nil ? 2 : 3)
        appendText("index")
        appendUInt(UInt64(index))
        appendText("code")
        appendText(code)
        guard let seq else { return }
        appendText("seq")
        appendUInt(seq)
    }

    public mutating func appendProvide(cid: Key, node: UnsafeRawBufferPointer, ttlSeconds: UInt64) {
        beginMessage("Provide", fields: 3)
        appendText("cid")
        appendID(cid)
        appendText("node")
        appendText(node)
        appendText("ttl")
        appendUInt(ttlSeconds)
    }

    public mutating func appendFindProviders(cid: Key, limit: Int) {
        beginMessage("FindProviders", fields: 2)
        appendText("cid")
        appendID(cid)
        appendText("limit")
        appendUInt(UInt64(limit))
    }

    /// `Providers` up to its list: `count` providers must follow, then `beginProviderNodes`.
    public mutating func beginProviders(count: Int) {
        assert(count >= 0 && count <= Limits.contactsPerMessage)
        beginMessage("Providers", fields: 2)
        appendText("providers")
        appendArrayHead(count)
    }

    /// One provider: its node URI and the seconds it has left.
    public mutating func appendProvider(node: UnsafeRawBufferPointer, ttlSeconds: UInt64) {
        appendArrayHead(2)
        appendText(node)
        appendUInt(ttlSeconds)
    }

    /// The second list of `Providers`: `count` contacts must follow.
    public mutating func beginProviderNodes(count: Int) {
        assert(count >= 0 && count <= Limits.contactsPerMessage)
        appendText("nodes")
        appendArrayHead(count)
    }

    public mutating func appendBusy(retryMs: UInt64) {
        beginMessage("Busy", fields: 1)
        appendText("retry_ms")
        appendUInt(retryMs)
    }

    public mutating func appendError(kind: StaticString, detail: StaticString) {
        beginMessage("Error", fields: 2)
        appendText("kind")
        appendText(kind)
        appendText("detail")
        appendText(detail)
    }

    /// One record of a `PutMany`.
    public mutating func appendRecord(
        key: Key, seq: UInt64, ttlSeconds: UInt64, value: UnsafeRawBufferPointer, isTombstone: Bool = false
    ) {
        let start = self.count
        appendMapHead(isTombstone ? 5 : 4)
        appendText("key")
        appendID(key)
        appendText("seq")
        appendUInt(seq)
        appendText("ttl")
        appendUInt(ttlSeconds)
        appendText("value")
        appendBytes(value)
        if isTombstone {
            appendText("dead")
            appendBool(true)
        }
        assert(
            self.count - start
                == RecordBatch.bytes(
                    seq: seq, ttlSeconds: ttlSeconds, valueBytes: value.count, isTombstone: isTombstone))
    }

    private mutating func beginMessage(_ name: StaticString, fields: Int) {
        appendMapHead(1)
        appendText(name)
        appendMapHead(fields)
    }

    private mutating func appendEmptyMessage(_ name: StaticString) { beginMessage(name, fields: 0) }

    private mutating func appendKeyMessage(
        _ name: StaticString, _ field: StaticString, _ id: NodeID, _ recursion: UInt8 = 0
    ) {
        beginMessage(name, fields: recursion > 0 ? 2 : 1)
        appendText(field)
        appendID(id)
        guard recursion > 0 else { return }
        appendText("recurse")
        appendUInt(UInt64(recursion))
    }
}
