// RO:WHAT  Keys as parts of a request's path.

import DhtLoop

/// A key as a path segment: what is not unreserved (RFC 3986, section 2.3) is escaped.
func escapedPathSegment(_ text: String) -> String {
    var escaped = ""
    for byte in text.utf8 {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."),
            UInt8(ascii: "_"), UInt8(ascii: "~"):
            escaped.unicodeScalars.append(Unicode.Scalar(byte))
        default: escaped += "%" + Hex.string([byte])
        }
    }
    return escaped
}
