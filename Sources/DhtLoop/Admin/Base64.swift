// RO:WHAT  Base64 of some bytes.
// RO:WHY   A value that is no text has to fit into JSON.
// RO:TEST  Tests/DhtLoopTests/Admin/RequestTargetTests.swift

enum Base64 {
    private static let alphabet = Array(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)

    /// `bytes` in the standard alphabet with padding (RFC 4648, section 4).
    static func text(_ bytes: UnsafeRawBufferPointer) -> String {
        let size = (bytes.count + 2) / 3 * 4
        return String(unsafeUninitializedCapacity: size) { text in
            for group in 0..<size / 4 {
                let part = bytes[(3 * group)..<min(3 * group + 3, bytes.count)]
                var word = part.reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
                word <<= UInt32(8 * (3 - part.count))
                for digit in 0..<4 {
                    let value = Int(word >> UInt32(18 - 6 * digit) & 63)
                    text[4 * group + digit] = digit <= part.count ? alphabet[value] : UInt8(ascii: "=")
                }
            }
            return size
        }
    }
}
