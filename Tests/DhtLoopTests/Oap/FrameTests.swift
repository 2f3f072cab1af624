// RO:WHAT  FrameHead: bounds, kinds, and how early each is judged.
import Testing

@testable import DhtLoop

@Suite("FrameHead")
struct FrameTests {
    private func parse(_ bytes: [UInt8]) throws(OapError) -> FrameHead? {
        let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: bytes.count, alignment: 1)
        defer { copy.deallocate() }
        copy.copyBytes(from: bytes)
        return try FrameHead.parse(UnsafeRawBufferPointer(copy))
    }

    @Test("a head reads back as it was written", arguments: [0, 1, 255, 256, 65_535, FrameHead.maxPayload])
    func roundTrip(payloadCount: Int) throws {
        for kind in [FrameKind.data, .ctrl] {
            let head = FrameHead(kind: kind, payloadCount: payloadCount)
            var bytes = [UInt8](repeating: 0, count: FrameHead.byteCount)
            bytes.withUnsafeMutableBytes { head.store(to: $0.baseAddress!) }
            #expect(try parse(bytes) == head)
            #expect(head.frameCount == payloadCount + 5)
        }
    }

    @Test("the length counts the kind and is big-endian")
    func bytes() throws {
        #expect(try parse([0, 0, 1, 2, 1]) == FrameHead(kind: .data, payloadCount: 257))
    }

    @Test("a length no frame may have is refused before the kind is there")
    func lengths() {
        #expect(throws: OapError.zeroLength) { try parse([0, 0, 0, 0]) }
        #expect(throws: OapError.tooLong) { try parse([0, 0x10, 0, 1]) }
        #expect(throws: OapError.tooLong) { try parse([0x80, 0, 0, 0]) }
        #expect(throws: OapError.tooLong) { try parse([0xFF, 0xFF, 0xFF, 0xFF]) }
        #expect(throws: Never.self) { try parse([0, 0x10, 0, 0]) }
    }

    @Test(
        "a kind that is neither Data nor Ctrl is refused before the payload is there",
        arguments: [0] + (3...255))
    func kinds(kind: Int) {
        #expect(throws: OapError.unknownKind) { try parse([0, 0, 0, 9, UInt8(kind)]) }
    }

    @Test("fewer bytes than a head ask for more", arguments: 0..<5)
    func prefix(count: Int) throws { #expect(try parse(Array([0, 0, 0, 9, 1][..<count])) == nil) }
}
