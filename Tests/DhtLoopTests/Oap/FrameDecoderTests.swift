// RO:WHAT  FrameDecoder: streams cut at every point give the same frames.
import Testing

@testable import DhtLoop

/// Decoded events with their bytes copied, fit to be compared.
private enum Seen: Equatable {
    case hello(UInt32)
    case frame(FrameKind, [UInt8])
}

@Suite("FrameDecoder")
struct FrameDecoderTests {
    /// Feeds each piece from memory of exactly its size, so that reading past it is caught by a sanitizer.
    private func decode(_ pieces: [[UInt8]]) throws(OapError) -> [Seen] {
        var decoder = FrameDecoder()
        var seen: [Seen] = []
        for piece in pieces {
            let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: piece.count, alignment: 1)
            defer { memory.deallocate() }
            memory.copyBytes(from: piece)
            var input = UnsafeRawBufferPointer(memory)
            while let event = try decoder.next(&input) {
                switch event {
                case .hello(let hello): seen.append(.hello(hello.caps))
                case .frame(let kind, let payload): seen.append(.frame(kind, Array(payload)))
                }
            }
            #expect(input.isEmpty)
        }
        return seen
    }

    private func frame(_ kind: FrameKind, _ payload: [UInt8]) -> [UInt8] {
        var head = [UInt8](repeating: 0, count: FrameHead.byteCount)
        head.withUnsafeMutableBytes {
            FrameHead(kind: kind, payloadCount: payload.count).store(to: $0.baseAddress!)
        }
        return head + payload
    }

    private var stream: [UInt8] {
        HelloTests.good + frame(.data, [1, 2, 3]) + frame(.ctrl, []) + frame(.data, []) + frame(.data, [9])
    }

    private let expected: [Seen] = [
        .hello(1), .frame(.data, [1, 2, 3]), .frame(.ctrl, []), .frame(.data, []), .frame(.data, [9]),
    ]

    @Test("one piece, and one byte at a time, give the same events")
    func extremes() throws {
        #expect(try decode([stream]) == expected)
        #expect(try decode(stream.map { [$0] }) == expected)
    }

    @Test("two cuts anywhere give the same events")
    func everyTwoCuts() throws {
        let bytes = stream
        for first in 0...bytes.count {
            for second in first...bytes.count {
                let pieces = [Array(bytes[..<first]), Array(bytes[first..<second]), Array(bytes[second...])]
                #expect(try decode(pieces) == expected, "cut at \(first) and \(second)")
            }
        }
    }

    @Test("random frames in random pieces come out whole", arguments: 0..<20 as Range<UInt64>)
    func random(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        var (bytes, expected): ([UInt8], [Seen]) = (HelloTests.good, [.hello(1)])
        for _ in 0..<30 {
            let limit = 1 << Int.random(in: 0...15, using: &generator)
            let payload = (0..<Int.random(in: 0...limit, using: &generator)).map {
                UInt8(truncatingIfNeeded: $0)
            }
            bytes += frame(.data, payload)
            expected.append(.frame(.data, payload))
        }
        var pieces: [[UInt8]] = []
        var offset = 0
        while offset < bytes.count {
            let end = min(bytes.count, offset + Int.random(in: 1...20_000, using: &generator))
            pieces.append(Array(bytes[offset..<end]))
            offset = end
        }
        #expect(try decode(pieces) == expected, "seed \(seed)")
    }

    @Test("the longest frame comes out whole from small pieces")
    func longest() throws {
        let payload = [UInt8](repeating: 7, count: FrameHead.maxPayload)
        let bytes = HelloTests.good + frame(.data, payload)
        let pieces = stride(from: 0, to: bytes.count, by: 10_007).map {
            Array(bytes[$0..<min(bytes.count, $0 + 10_007)])
        }
        #expect(try decode(pieces) == [.hello(1), .frame(.data, payload)])
    }

    @Test("bad bytes are refused at every cut point, in the HELLO, behind it, and behind a frame")
    func refusals() {
        let good = HelloTests.good + frame(.data, [5])
        let cases: [([UInt8], OapError)] = [
            ([0x4F, 0x41, 0x50, 0x32], .badMagic),
            ([0x4F, 0x41, 0x50, 0x31, 2], .badVersion),
            ([0x4F, 0x41, 0x50, 0x31, 1, 0, 0, 0, 0], .missingGossip),
            (good + [0, 0, 0, 0], .zeroLength),
            (good + [0x80, 0, 0, 0], .tooLong),
            (good + [0, 0, 0, 2, 3], .unknownKind),
        ]
        for (bytes, error) in cases {
            for cut in 0...bytes.count {
                #expect(throws: error, "cut at \(cut)") {
                    try decode([Array(bytes[..<cut]), Array(bytes[cut...])])
                }
            }
        }
    }

    @Test("trimming between pieces loses no byte")
    func trim() throws {
        var decoder = FrameDecoder()
        var payloads: [[UInt8]] = []
        for byte in stream {
            try withUnsafeBytes(of: byte) {
                var input = $0
                while let event = try decoder.next(&input) {
                    if case .frame(.data, let payload) = event { payloads.append(Array(payload)) }
                }
            }
            decoder.trim()
        }
        #expect(payloads == [[1, 2, 3], [], [9]])
    }
}
