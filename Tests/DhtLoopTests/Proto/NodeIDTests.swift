// RO:WHAT  NodeID: metric, order, prefixes, text.
import Testing

@testable import DhtLoop

@Suite("NodeID")
struct NodeIDTests {
    @Test("hex text and wire bytes are the same 32 bytes")
    func hexRoundTrip() throws {
        let text = (0..<32).map { Hex.string([UInt8($0 * 7)]) }.joined()
        let id = try #require(NodeID(hex: text))
        #expect(id.description == text)
        var bytes = [UInt8](repeating: 0, count: 32)
        bytes.withUnsafeMutableBytes { id.store(to: $0.baseAddress!) }
        #expect(bytes == (0..<32).map { UInt8($0 * 7) })
    }

    @Test(
        "text that is not 64 hex digits is refused", arguments: ["", "00", String(repeating: "g", count: 64)])
    func badHex(text: String) { #expect(NodeID(hex: text) == nil) }

    @Test("a random id sharing a prefix shares exactly that many bits", arguments: 0..<256)
    func sharedPrefix(prefix: Int) {
        var generator = SeededGenerator(seed: UInt64(prefix))
        let id = NodeID.random(using: &generator)
        for _ in 0..<8 {
            let other = id.random(sharingPrefix: prefix, using: &generator)
            #expect(id.distance(to: other).leadingZeroBitCount == prefix)
        }
    }

    @Test("bits count from the most significant")
    func bits() {
        let id = NodeID(1 << 63, 0, 0, 1)
        #expect(id.bit(0) && id.bit(255))
        #expect(!id.bit(1) && !id.bit(254))
        #expect(NodeID.zero.leadingZeroBitCount == 256)
    }
}
