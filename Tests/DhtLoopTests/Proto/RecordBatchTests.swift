// RO:WHAT  RecordBatch against what the encoder writes, and full batches against the frame.
// RO:WHY   One byte counted short, and a frame of a mebibyte closes the session it is sent on.
import Testing

@testable import DhtLoop

@Suite("RecordBatch")
struct RecordBatchTests {
    private static let edges: [UInt64] = [
        0, 1, 23, 24, 255, 256, 65_535, 65_536, (1 << 32) - 1, 1 << 32, .max,
    ]

    private func written(_ count: Int, value: [UInt8], seq: UInt64, ttl: UInt64, dead: Bool) -> Int {
        var buffer = ByteBuffer()
        value.withUnsafeBytes {
            for _ in 0..<count {
                buffer.appendRecord(key: .zero, seq: seq, ttlSeconds: ttl, value: $0, isTombstone: dead)
            }
        }
        return buffer.count
    }

    @Test("a record is counted with the bytes it takes", arguments: edges, [false, true])
    func exact(number: UInt64, dead: Bool) {
        let value = [UInt8](repeating: 7, count: dead ? 0 : Int(min(number, 70_000)))
        for other in [0, 500, UInt64.max] {
            let counted = RecordBatch.bytes(
                seq: number, ttlSeconds: other, valueBytes: value.count, isTombstone: dead)
            #expect(counted == written(1, value: value, seq: number, ttl: other, dead: dead))
        }
    }

    @Test("a full batch fits one frame with the largest envelope", arguments: UInt64(0)..<16)
    func fits(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        var batch = RecordBatch()
        var records: [EnvelopeImage.Record] = []
        while true {
            let most = seed == 0 ? 10 : Int.random(in: 0...200_000, using: &generator)
            let value = [UInt8](repeating: 0x5A, count: Int.random(in: 0...most, using: &generator))
            guard
                batch.add(
                    seq: .max, ttlSeconds: .max, valueBytes: value.count, isTombstone: value.isEmpty)
            else { break }
            records.append(
                .init(key: .zero, seq: .max, ttl: .max, value: value, isTombstone: value.isEmpty))
        }
        #expect(batch.count == records.count, "seed \(seed)")
        if seed == 0 { #expect(batch.count == Limits.recordsPerMessage) }
        try expectFits(records, "seed \(seed)")
    }

    @Test("bytes up to the limit are let in, and not one more; a lower limit holds too")
    func limit() throws {
        let large = Limits.recordListBytes / 2
        func add(_ bytes: Int, to batch: inout RecordBatch) -> Bool {
            let bare =
                RecordBatch.bytes(seq: 1, ttlSeconds: 1, valueBytes: 70_000, isTombstone: false) - 70_000
            return batch.add(seq: 1, ttlSeconds: 1, valueBytes: bytes - bare, isTombstone: false)
        }
        var batch = RecordBatch()
        let fits = [add(large, to: &batch), add(large + 1, to: &batch), add(large, to: &batch)]
        #expect(fits == [true, false, true])
        #expect(batch.count == 2 && batch.bytes == Limits.recordListBytes)
        var small = RecordBatch(limit: 200_000)
        let smallFits = [add(100_000, to: &small), add(100_001, to: &small), add(100_000, to: &small)]
        #expect(smallFits == [true, false, true])
    }

    @Test("a single record of any size that may be stored is let in, whatever the limit")
    func single() throws {
        for limit in [0, 1000, .max] {
            var batch = RecordBatch(limit: limit)
            let first = batch.add(
                seq: .max, ttlSeconds: .max, valueBytes: Limits.valueBytes, isTombstone: false)
            let second = batch.add(
                seq: .max, ttlSeconds: .max, valueBytes: Limits.valueBytes, isTombstone: false)
            #expect(first && !second && batch.count == 1, "limit \(limit)")
        }
        let value = [UInt8](repeating: 1, count: Limits.valueBytes)
        try expectFits([.init(key: .zero, seq: .max, ttl: .max, value: value)], "one record")
    }

    private func expectFits(_ records: [EnvelopeImage.Record], _ what: String) throws {
        let longest = [UInt8](repeating: UInt8(ascii: "h"), count: Limits.textBytes)
        let image = EnvelopeImage(
            dst: .zero, src: .zero, at: longest, net: .max, rpc: .max, body: .putMany(records))
        let bytes = try #require(image.encoded())
        // A frame holds its kind too.
        #expect(bytes.count + 1 <= Limits.frameBytes, "\(what)")
        let again = try EnvelopeImage(decoding: bytes)
        #expect(again == image, "\(what)")
    }
}
