// RO:WHAT  Percent-encoded text of a request's path or query.
// RO:WHY   libmicrohttpd would end a key at %00 and turn %2F into a path separator.
// RO:SECURITY  reads what any client sent; a broken escape is nil, never a guess.
// RO:TEST  Tests/DhtLoopTests/Admin/RequestTargetTests.swift

enum RequestTarget {
    /// `text` with its %XX escapes decoded (RFC 3986, section 2.1); nil when one is broken.
    static func decode(_ text: UnsafeRawBufferPointer) -> [UInt8]? {
        var decoded: [UInt8] = []
        decoded.reserveCapacity(text.count)
        var index = 0
        while index < text.count {
            guard text[index] == UInt8(ascii: "%") else {
                decoded.append(text[index])
                index += 1
                continue
            }
            guard index + 2 < text.count else { return nil }
            let digits = String(decoding: text[index + 1...index + 2], as: UTF8.self)
            guard let byte = Hex.bytes(digits) else { return nil }
            decoded += byte
            index += 3
        }
        return decoded
    }
}
