// RO:WHAT  Version: one version of a record, with the life it has left.
// RO:WHY   Reads, repairs, copies and refreshes compare versions, and all by the one order that stands here.
// RO:TEST  Tests/DhtLoopTests/Kademlia/RecordTests.swift

/// A version of a record, as it was met or is to be sent.
struct Version: Equatable {
    var seq: UInt64
    var ttlSeconds: UInt64
    var value: [UInt8]
    var isTombstone: Bool

    /// Whether this is to be kept of the two: the higher seq, then a tombstone, then the greater bytes.
    func wins(over other: Version) -> Bool {
        if seq != other.seq { return seq > other.seq }
        if isTombstone != other.isTombstone { return isTombstone }
        return other.value.lexicographicallyPrecedes(value)
    }
}

extension Version {
    /// A copy of what is stored here, with the life that it has left.
    init(stored: StoredRecord, _ nowUs: UInt64) {
        self.init(
            seq: stored.seq, ttlSeconds: secondsLeft(until: stored.expiresAtUs, nowUs),
            value: Array(stored.value), isTombstone: stored.isTombstone)
    }

    /// A copy of what a peer sent.
    init(_ record: RecordView) {
        self.init(
            seq: record.seq, ttlSeconds: record.ttlSeconds, value: Array(record.value.bytes),
            isTombstone: record.isTombstone)
    }
}

/// Whole seconds until `timeUs`, to the nearest; at least 1 for a record that lives.
func secondsLeft(until timeUs: UInt64, _ nowUs: UInt64) -> UInt64 {
    timeUs > nowUs ? max(1, (timeUs - nowUs + 500_000) / 1_000_000) : 0
}
