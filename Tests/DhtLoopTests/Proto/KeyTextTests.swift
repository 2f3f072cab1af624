// RO:WHAT  KeyText: literal keys, hashed keys, and what looks like one but is the other.
import Testing

@testable import DhtLoop

@Suite("KeyText")
struct KeyTextTests {
    static let hex = String(repeating: "0123456789abcdef", count: 4)

    @Test("64 hex digits, with or without b3:, are the key itself")
    func literal() {
        #expect(KeyText.key(Self.hex).description == Self.hex)
        #expect(KeyText.key("b3:" + Self.hex).description == Self.hex)
        #expect(KeyText.key(Self.hex.uppercased()).description == Self.hex)
    }

    @Test(
        "anything else is hashed with SHA-256 (FIPS 180-4 and its examples)",
        arguments: [
            ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
            ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
            (
                "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
                "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
            ),
        ])
    func hashed(text: String, digest: String) {
        #expect(KeyText.key(text).description == digest)
    }

    @Test("a text of a key's length that is no hex is hashed like any other")
    func almostLiteral() {
        let almost = String(Self.hex.dropLast()) + "g"
        #expect(KeyText.key(almost).description != almost)
        #expect(KeyText.key("b3:" + almost) != KeyText.key(almost))
        #expect(KeyText.key("b4:" + Self.hex) != KeyText.key(Self.hex))
    }

    @Test("bytes that are no text are hashed too")
    func binary() {
        let bytes: [UInt8] = [0, 0xFF, 0xFE]
        #expect(bytes.withUnsafeBytes { KeyText.key($0) } != KeyText.key(""))
    }
}
