// RO:WHAT  Hello: its bytes, and every way to get them wrong.
import Testing

@testable import DhtLoop

@Suite("Hello")
struct HelloTests {
    static let good: [UInt8] = [0x4F, 0x41, 0x50, 0x31, 1, 0, 0, 0, 1]

    private func parse(_ bytes: [UInt8]) throws(OapError) -> Hello? {
        let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: bytes.count, alignment: 1)
        defer { copy.deallocate() }
        copy.copyBytes(from: bytes)
        return try Hello.parse(UnsafeRawBufferPointer(copy))
    }

    @Test("ours is OAP1, version 1, GOSSIP_V1")
    func encode() {
        var bytes = [UInt8](repeating: 0xEE, count: Hello.byteCount)
        bytes.withUnsafeMutableBytes { Hello.ours.store(to: $0.baseAddress!) }
        #expect(bytes == Self.good)
    }

    @Test("a beginning of a good HELLO asks for more", arguments: 0..<9)
    func prefix(count: Int) throws { #expect(try parse(Array(Self.good[..<count])) == nil) }

    @Test("unknown capabilities and bytes behind the HELLO do not matter")
    func lenient() throws {
        #expect(try parse(Self.good + [1, 2, 3]) == Hello.ours)
        #expect(try parse([0x4F, 0x41, 0x50, 0x31, 1, 0xFF, 0, 0, 3])?.caps == 0xFF00_0003)
    }

    @Test("a wrong byte is refused when it comes, not when the HELLO is complete", arguments: 0..<40)
    func everyBit(bit: Int) {
        var bytes = Array(Self.good[...(bit / 8)])
        bytes[bit / 8] ^= 1 << UInt8(bit % 8)
        #expect(throws: bit < 32 ? OapError.badMagic : .badVersion) { try parse(bytes) }
    }

    @Test("a HELLO without GOSSIP_V1 is refused")
    func noGossip() {
        #expect(throws: OapError.missingGossip) { try parse([0x4F, 0x41, 0x50, 0x31, 1, 0, 0, 0, 2]) }
    }
}
