// RO:WHAT  CborReader on its own: heads of every width, refusals, skipping.
import Testing

@testable import DhtLoop

@Suite("CborReader")
struct CborReaderTests {
    @Test(
        "an integer is read at every width, the shortest or not",
        arguments: [
            ("00", 0), ("17", 23), ("1818", 24), ("1800", 0), ("18ff", 255), ("190100", 256), ("190000", 0),
            ("1a00010000", 65536), ("1a00000000", 0), ("1b0000000100000000", 1 << 32),
            ("1bffffffffffffffff", .max),
        ] as [(String, UInt64)])
    func integers(hex: String, value: UInt64) throws {
        try read(hex) { (reader) throws(WireError) in
            #expect(try reader.uint() == value)
            #expect(reader.isAtEnd)
        }
    }

    @Test(
        "only a definite head of the wanted type is taken for an integer",
        arguments: [
            ("20", .wrongType), ("40", .wrongType), ("60", .wrongType), ("80", .wrongType),
            ("a0", .wrongType),
            ("c100", .wrongType), ("f4", .wrongType), ("f6", .wrongType), ("f90000", .wrongType),
            ("5f", .indefinite), ("7f", .indefinite), ("9f", .indefinite), ("bf", .indefinite),
            ("ff", .indefinite), ("1c", .malformed), ("fc", .malformed), ("", .truncated), ("18", .truncated),
            ("1b00000000000000", .truncated), ("5bffffffffffffffff", .truncated),
        ] as [(String, WireError)])
    func refusedIntegers(hex: String, error: WireError) throws {
        try read(hex) { (reader) throws(WireError) in
            #expect(throws: error) { try reader.uint() }
        }
    }

    @Test("a string is a slice of the frame, wherever the reader stands")
    func strings() throws {
        try read("0143010203626869f5", offset: 1) { (reader) throws(WireError) in
            let bytes = try reader.bytes()
            let text = try reader.text()
            #expect(Array(bytes.bytes) == [1, 2, 3])
            #expect(Array(text.bytes) == Array("hi".utf8))
            #expect(bytes.bytes.baseAddress.map { $0 + 4 } == text.bytes.baseAddress)
            #expect(text.spells("hi") && !text.spells("ho") && !text.spells("h"))
            #expect(try reader.bool())
            #expect(reader.isAtEnd)
        }
    }

    @Test("borrowed bytes are equal when they say the same, wherever they lie")
    func equality() throws {
        try read("43010203430102034301020440") { (reader) throws(WireError) in
            let (first, second, other) = (try reader.bytes(), try reader.bytes(), try reader.bytes())
            #expect(first == second)
            #expect(first != other)
            #expect(try reader.bytes() == .empty)
            #expect(first != .empty)
        }
    }

    @Test(
        "a count that the bytes left cannot hold is refused before anything is read",
        arguments: ["8200", "9affffffff", "9b7fffffffffffffff", "9b8000000000000000", "9bffffffffffffffff"])
    func arrayCounts(hex: String) throws {
        try read(hex) { (reader) throws(WireError) in
            #expect(throws: WireError.truncated) { try reader.arrayHead() }
        }
    }

    @Test(
        "a map needs two bytes a pair",
        arguments: ["a100", "a2000000", "bb7fffffffffffffff", "bb8000000000000000", "bbffffffffffffffff"])
    func mapCounts(hex: String) throws {
        try read(hex) { (reader) throws(WireError) in
            #expect(throws: WireError.truncated) { try reader.mapHead() }
        }
    }

    @Test(
        "skipping passes exactly one item",
        arguments: [
            "00", "3863", "4401020304", "6161", "820102", "a201020304", "c11a00000000", "f5", "f97e00", "80",
        ])
    func skips(hex: String) throws {
        try read(hex + "05") { (reader) throws(WireError) in
            try reader.skip()
            #expect(try reader.uint() == 5)
        }
    }

    @Test(
        "skipping refuses what it cannot pass",
        arguments: [
            ("8201", .truncated), ("a101", .truncated), ("c1", .truncated), ("9f00ff", .indefinite),
            ("821c00", .malformed), ("bb8000000000000000", .truncated), ("bb8000000000000001", .truncated),
        ] as [(String, WireError)])
    func refusedSkips(hex: String, error: WireError) throws {
        try read(hex) { (reader) throws(WireError) in
            #expect(throws: error) { try reader.skip() }
        }
    }

    @Test("skipping follows as many levels as the limit says, and no more")
    func depth() throws {
        let deepest = String(repeating: "81", count: Limits.cborDepth - 1) + "80"
        try read(deepest) { (reader) throws(WireError) in try reader.skip() }
        try read("81" + deepest) { (reader) throws(WireError) in
            #expect(throws: WireError.tooDeep) { try reader.skip() }
        }
    }

    @Test("a literal is taken only where it stands whole")
    func literals() throws {
        try read("6161") { (reader) throws(WireError) in
            #expect(reader.take("ab") == false)
            #expect(reader.take("aaa") == false)
            #expect(reader.offset == 0)
            #expect(reader.take("aa") == true)
            #expect(reader.isAtEnd)
            #expect(reader.take("a") == false)
            #expect(reader.take("") == true)
        }
    }

    private func read(
        _ hex: String, offset: Int = 0, _ body: (inout CborReader) throws(WireError) -> Void
    ) throws {
        let frame = try #require(Hex.bytes(hex))
        try frame.withUnsafeBytes { raw in
            var reader = CborReader(raw, offset: offset)
            try body(&reader)
        }
    }
}
