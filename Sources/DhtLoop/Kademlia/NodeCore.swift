// RO:WHAT  NodeCore: requests, contacts and records of one node, with the context that they share.
// RO:WHY   Operations, copies and answers all work with these. Each is a machine that alone writes its state; the core
//          only holds them side by side, so that one argument passes them on.

/// The machines that operations, copies and answers work with.
struct NodeCore: ~Copyable {
    var context: NodeContext
    var rpcs: NodeRpcs
    var peers: PeerTable
    var records: Records

    /// Opens a request to `contact`, as `RpcClient.begin`, with what was measured of it.
    mutating func beginRequest(
        _ op: RpcOp, to contact: Contact, _ purpose: RpcPurpose, mayHedge: Bool = false,
        recursion: UInt8 = 0, _ nowUs: UInt64
    ) -> Int? {
        rpcs.begin(
            op, to: contact, for: purpose, rtt: peers.rtt(of: contact.id), mayHedge: mayHedge,
            recursion: recursion, nowUs, &context)
    }

    /// Pings `contact`, as `PeerTable.ping`.
    mutating func ping(_ contact: Contact, _ purpose: RpcPurpose, _ nowUs: UInt64) {
        peers.ping(contact, purpose, nowUs, &rpcs, &context)
    }

    /// Pings a node that is no contact yet, as `PeerTable.verify`.
    mutating func verify(_ contact: Contact, _ nowUs: UInt64) {
        peers.verify(contact, nowUs, &rpcs, &context)
    }

    /// Notes a contact that was only heard of, as `PeerTable.hear`.
    mutating func hear(_ contact: Contact, _ nowUs: UInt64) {
        peers.hear(contact, nowUs, &rpcs, &context)
    }

    /// Stores a record here, as `Records.keep`.
    mutating func keep(_ key: Key, _ version: Version, _ nowUs: UInt64) -> RecordStore.PutOutcome {
        version.value.withUnsafeBytes { value in
            records.keep(
                key, seq: version.seq, ttlSeconds: version.ttlSeconds, value: value,
                isTombstone: version.isTombstone, nowUs, &context)
        }
    }

    /// Sends a record that no caller waits for; not when too many requests are pending, or the peer is busy.
    mutating func give(_ version: Version, _ key: Key, to contact: Contact, _ nowUs: UInt64) {
        guard !rpcs.isBusy(contact.id, nowUs),
            let start = beginRequest(.put, to: contact, .gift, nowUs)
        else { return }
        version.value.withUnsafeBytes {
            context.outbox.bytes.appendPut(
                key: key, seq: version.seq, ttlSeconds: version.ttlSeconds, value: $0,
                isTombstone: version.isTombstone)
        }
        context.outbox.send(to: contact.endpoint, from: start)
    }
}
