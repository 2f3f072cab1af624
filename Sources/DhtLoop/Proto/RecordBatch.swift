// RO:WHAT  RecordBatch: how many records one PutMany takes before its frame is full.
// RO:WHY   The list's count comes before the records, so a sender must know what fits before it writes.
// RO:INVARIANTS  the bytes counted are those that `appendRecord` writes.
// RO:TEST  Tests/DhtLoopTests/Proto/RecordBatchTests.swift

/// The size of a `PutMany` to be written, counted record by record.
public struct RecordBatch: Sendable {
    /// Records that have been counted in.
    public private(set) var count = 0
    /// Bytes they take on the wire, without the envelope.
    public private(set) var bytes = 0
    private let limit: Int

    /// `limit` is in bytes of records; more than `Limits.recordListBytes` would not fit a frame, and counts as
    /// that. A single record of up to `Limits.valueBytes` is let in even where it is over a lower limit.
    public init(limit: Int = Limits.recordListBytes) { self.limit = min(limit, Limits.recordListBytes) }

    /// Counts a record in; false, and nothing changed, when it belongs into the next message.
    public mutating func add(seq: UInt64, ttlSeconds: UInt64, valueBytes: Int, isTombstone: Bool) -> Bool {
        let more = Self.bytes(
            seq: seq, ttlSeconds: ttlSeconds, valueBytes: valueBytes, isTombstone: isTombstone)
        let fits = count == 0 ? more <= Limits.recordListBytes : bytes + more <= limit
        guard fits, count < Limits.recordsPerMessage else { return false }
        count += 1
        bytes += more
        return true
    }

    /// Bytes of one record on the wire.
    public static func bytes(seq: UInt64, ttlSeconds: UInt64, valueBytes: Int, isTombstone: Bool) -> Int {
        let key = 4 + 2 + NodeID.byteCount
        let numbers = 4 + headBytes(seq) + 4 + headBytes(ttlSeconds)
        let value = 6 + headBytes(UInt64(valueBytes)) + valueBytes
        return 1 + key + numbers + value + (isTombstone ? 6 : 0)
    }

    /// Bytes of the shortest CBOR head that holds `number`.
    private static func headBytes(_ number: UInt64) -> Int {
        switch number {
        case 0..<24: 1
        case 24...0xFF: 2
        case 0x100...0xFFFF: 3
        case 0x1_0000...0xFFFF_FFFF: 5
        default: 9
        }
    }
}
