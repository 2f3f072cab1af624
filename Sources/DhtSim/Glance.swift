// RO:WHAT  Glance: what an encoded message asks for, told from a few of its bytes.
// RO:WHY   Traffic is counted by purpose; decoding each frame once more would cost as much as the node does.

import DhtLoop

/// A glance at an encoded message, without decoding it.
enum Glance {
    /// What the message in `payload` asks for; `.other` for what is no request.
    static func purpose(_ payload: UnsafeRawBufferPointer) -> Purpose {
        guard let name = nameOffset(payload), name + 2 < payload.count else { return .other }
        // The name's length and its second letter are enough.
        switch (payload[name], payload[name + 2]) {
        case (0x68, UInt8(ascii: "i")): return .findNode
        case (0x63, UInt8(ascii: "e")): return .get
        case (0x63, UInt8(ascii: "u")), (0x67, UInt8(ascii: "u")): return .put
        case (0x64, UInt8(ascii: "i")): return .ping
        default: return .other
        }
    }

    /// Whether the message in `payload` is Busy.
    static func isBusy(_ payload: UnsafeRawBufferPointer) -> Bool {
        guard let name = nameOffset(payload), name + 1 < payload.count else { return false }
        return payload[name] == 0x64 && payload[name + 1] == UInt8(ascii: "B")
    }

    /// Where the message's name begins, for the constant head that our encoder writes; else nil.
    private static func nameOffset(_ payload: UnsafeRawBufferPointer) -> Int? {
        guard EnvelopeHead.hasConstantShape(payload) else { return nil }
        let at = EnvelopeHead.srcOffset + NodeID.byteCount + 3
        guard let net = skipItem(payload, at), let id = skipItem(payload, net + 4),
            let message = skipItem(payload, id + 3)
        else { return nil }
        return message + 5
    }

    /// The offset behind the CBOR text or integer at `offset`.
    private static func skipItem(_ payload: UnsafeRawBufferPointer, _ offset: Int) -> Int? {
        guard offset + 1 < payload.count else { return nil }
        let (major, short) = (payload[offset] >> 5, payload[offset] & 31)
        switch (major, short) {
        case (3, 0..<24): return offset + 1 + Int(short)
        case (3, 24): return offset + 2 + Int(payload[offset + 1])
        case (0, 0..<24): return offset + 1
        case (0, 24...27): return offset + 1 + 1 << Int(short - 24)
        default: return nil
        }
    }
}
