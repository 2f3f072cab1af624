// RO:WHAT  Looking into a node: some of its records.
// RO:WHY   People ask what a node holds; nothing on the hot path does.

/// A stored record without its value.
public struct RecordInfo: Equatable, Sendable {
    public var key: Key
    public var byteCount: Int
    public var seq: UInt64
    /// Microseconds it has left.
    public var leftUs: UInt64
}

extension DhtNode {
    /// At most `limit` of the live records, in no stated order.
    public borrowing func recordInfos(limit: Int, nowUs: UInt64) -> [RecordInfo] {
        var infos: [RecordInfo] = []
        store.forEachKey { key in
            guard infos.count < limit, let record = store.find(key, nowUs: nowUs) else { return }
            let leftUs = record.expiresAtUs > nowUs ? record.expiresAtUs - nowUs : 0
            infos.append(
                RecordInfo(key: key, byteCount: record.value.count, seq: record.seq, leftUs: leftUs))
        }
        return infos
    }
}
