// RO:WHAT  Envelopes against golden vectors, cuts, flipped bits and generated messages.
// RO:WHY   Every byte here may come from a stranger; each must end as a value or a typed error.
import Testing

@testable import DhtLoop

@Suite("Envelope")
struct EnvelopeTests {
    @Test("a golden vector decodes to its fields", arguments: Vectors.golden.valid)
    func decodesGolden(vector: ValidVector) throws {
        let bytes = try #require(Hex.bytes(vector.hex))
        #expect(try EnvelopeImage(decoding: bytes).expected() == vector.expect)
    }

    @Test(
        "what was decoded is encoded to the same bytes", arguments: Vectors.golden.valid.filter(\.canonical))
    func encodesGolden(vector: ValidVector) throws {
        let bytes = try #require(Hex.bytes(vector.hex))
        let again = try #require(try EnvelopeImage(decoding: bytes).encoded())
        #expect(Hex.string(again) == vector.hex)
    }

    @Test("a bad vector is refused with its reason", arguments: Vectors.golden.invalid)
    func refusesGolden(vector: InvalidVector) throws {
        let bytes = try #require(Hex.bytes(vector.hex))
        let error = try #require(WireError(rawValue: vector.error))
        switch vector.part {
        case .head:
            #expect(throws: error) { try decoded(bytes) }
        case .message:
            #expect(try decoded(bytes).message == .malformed(error))
        }
    }

    @Test("every reason to refuse an envelope has a vector")
    func allReasonsCovered() {
        let covered = Set(Vectors.golden.invalid.map(\.error))
        #expect(covered == Set(WireError.allCases.map(\.rawValue)))
    }

    @Test("an envelope cut short anywhere is truncated", arguments: Vectors.golden.valid)
    func cutAnywhere(vector: ValidVector) throws {
        let bytes = try #require(Hex.bytes(vector.hex))
        for length in 0..<bytes.count {
            #expect(reason(Array(bytes[..<length])) == .truncated, "cut to \(length) of \(bytes.count) bytes")
        }
    }

    @Test(
        "no flipped bit traps, and what still decodes stays inside the frame", arguments: Vectors.golden.valid
    )
    func flippedBits(vector: ValidVector) throws {
        var bytes = try #require(Hex.bytes(vector.hex))
        for bit in 0..<bytes.count * 8 {
            bytes[bit >> 3] ^= 1 << (bit & 7)
            _ = try? EnvelopeImage(decoding: bytes)
            bytes[bit >> 3] ^= 1 << (bit & 7)
        }
    }

    @Test("no flipped bit of a bad vector traps", arguments: Vectors.golden.invalid)
    func flippedBitsOfBad(vector: InvalidVector) throws {
        var bytes = try #require(Hex.bytes(vector.hex))
        for bit in 0..<bytes.count * 8 {
            bytes[bit >> 3] ^= 1 << (bit & 7)
            _ = try? EnvelopeImage(decoding: bytes)
            bytes[bit >> 3] ^= 1 << (bit & 7)
        }
    }

    @Test(
        "a key twice is noticed once the second one is read; cut before, the bytes are truncated",
        arguments: Vectors.golden.invalid.filter { $0.error == WireError.repeatedKey.rawValue })
    func cutRepeats(vector: InvalidVector) throws {
        let bytes = try #require(Hex.bytes(vector.hex))
        let reasons = (0...bytes.count).map { reason(Array(bytes[..<$0])) }
        let noticed = try #require(reasons.firstIndex(of: .repeatedKey))
        #expect(reasons[..<noticed].allSatisfy { $0 == .truncated })
        #expect(reasons[noticed...].allSatisfy { $0 == .repeatedKey })
    }

    @Test("a mebibyte of nesting is too deep, and costs no stack", arguments: [0x81, 0xC1] as [UInt8])
    func deepNesting(head: UInt8) throws {
        let deep = [UInt8](repeating: head, count: 1 << 20)
        #expect(reason(deep) == .notEnvelope)
        let ping = try #require(Vectors.golden.valid.first { $0.name == "ping" })
        var bytes = try #require(Hex.bytes(ping.hex))
        bytes.removeLast(6)  // "Ping": {}
        #expect(reason(bytes + [0x61, UInt8(ascii: "x")] + deep) == .tooDeep)
    }

    @Test("what is encoded decodes to the same", arguments: UInt64(0)..<64)
    func roundTrip(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        for turn in 0..<64 {
            let image = EnvelopeImage.random(using: &generator)
            let bytes = try #require(image.encoded(), "seed \(seed), turn \(turn)")
            #expect(try EnvelopeImage(decoding: bytes) == image, "seed \(seed), turn \(turn)")
        }
    }

    @Test(
        "random bytes behind a good beginning never trap; what they say survives encoding",
        arguments: UInt64(0)..<64)
    func randomTail(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        for turn in 0..<256 {
            var bytes = try #require(EnvelopeImage.random(using: &generator).encoded())
            let keep = Int.random(in: 0...bytes.count, using: &generator)
            bytes.removeSubrange(keep...)
            for _ in 0..<Int.random(in: 0...64, using: &generator) {
                bytes.append(UInt8.random(in: 0...255, using: &generator))
            }
            guard let image = try? EnvelopeImage(decoding: bytes), let again = image.encoded() else {
                continue
            }
            #expect(try EnvelopeImage(decoding: again) == image, "seed \(seed), turn \(turn)")
        }
    }

    @Test("the largest value fits one frame with the largest head and 64 contacts")
    func largestFrame() throws {
        let longest = [UInt8](repeating: UInt8(ascii: "h"), count: Limits.textBytes)
        let contact = EnvelopeImage.Contact(id: NodeID(.max, .max, .max, .max), at: longest)
        let value = [UInt8](repeating: 0x5A, count: Limits.valueBytes)
        let record = EnvelopeImage.Record(key: contact.id, seq: .max, ttl: .max, value: value)
        let image = EnvelopeImage(
            dst: contact.id, src: contact.id, at: longest, net: .max, rpc: .max,
            body: .found(record, nodes: Array(repeating: contact, count: Limits.contactsPerMessage)))
        let bytes = try #require(image.encoded())
        #expect(bytes.count < Limits.frameBytes)
        #expect(try EnvelopeImage(decoding: bytes) == image)
    }

    private func decoded(_ bytes: [UInt8]) throws(WireError) -> EnvelopeView {
        var lists = MessageLists()
        return try bytes.span.bytes.withUnsafeBytes { (raw) throws(WireError) in
            try EnvelopeDecoder.decode(raw, into: &lists)
        }
    }

    /// Why `bytes` are refused, be it in the head or in the message; nil when they are not.
    private func reason(_ bytes: [UInt8]) -> WireError? {
        do throws(WireError) {
            guard case .malformed(let error) = try decoded(bytes).message else { return nil }
            return error
        } catch {
            return error
        }
    }
}
