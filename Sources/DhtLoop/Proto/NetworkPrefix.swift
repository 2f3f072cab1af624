// RO:WHAT  NetworkPrefix: the network that an endpoint's literal address lies in, /24 of IPv4 or /48 of IPv6.
// RO:WHY   Addresses of one network come cheap to one owner; how many of them fill a table is bounded by this.
// RO:INVARIANTS  a pure function of the text; anything but a literal address of another host has no network.
// RO:SECURITY  the text is a peer's: any bytes are taken, and nothing is resolved.
// RO:TEST  Tests/DhtLoopTests/Proto/NetworkPrefixTests.swift

/// A network by its leading address bits.
public struct NetworkPrefix: Hashable, Sendable {
    /// The leading bits, below the address family in the top byte; 0 for no network.
    let rawValue: UInt64

    /// That of loopback addresses, of names, and of what cannot be read.
    public static let none = NetworkPrefix(rawValue: 0)

    private init(rawValue: UInt64) { self.rawValue = rawValue }

    /// The network of an endpoint as `EndpointTable.isValid` takes it: `host:port` or `[v6]:port`.
    public init(endpoint text: UnsafeRawBufferPointer) {
        guard let colon = text.lastIndex(of: UInt8(ascii: ":")) else {
            self = .none
            return
        }
        let host = text[..<colon]
        if host.first == UInt8(ascii: "["), host.last == UInt8(ascii: "]") {
            self = Self.v6(host.dropFirst().dropLast())
        } else {
            self = Self.address4(host).map(Self.v4) ?? .none
        }
    }

    private static func v4(_ address: UInt32) -> NetworkPrefix {
        address >> 24 == 127 || address == 0 ? .none : NetworkPrefix(rawValue: 4 << 56 | UInt64(address >> 8))
    }

    private static func v6(_ text: Slice<UnsafeRawBufferPointer>) -> NetworkPrefix {
        guard let (high, low) = address6(text) else { return .none }
        // ::ffff:a.b.c.d is an IPv4 address by another name.
        if high == 0, low >> 32 == 0xFFFF { return v4(UInt32(truncatingIfNeeded: low)) }
        return high == 0 && low <= 1 ? .none : NetworkPrefix(rawValue: 6 << 56 | high >> 16)
    }

    /// Four decimal numbers of at most three digits; nil for anything else.
    private static func address4(_ text: Slice<UnsafeRawBufferPointer>) -> UInt32? {
        var (address, parts): (UInt32, Int) = (0, 0)
        for part in text.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false) {
            guard (1...3).contains(part.count), part.allSatisfy({ (0x30...0x39).contains($0) }) else {
                return nil
            }
            let number = part.reduce(UInt32(0)) { $0 * 10 + UInt32($1 - 0x30) }
            guard number <= 255, parts < 4 else { return nil }
            address = address << 8 | number
            parts += 1
        }
        return parts == 4 ? address : nil
    }

    /// Eight groups of hexadecimal digits, of which one run of zeros may be left out and the last two may be
    /// written as an IPv4 address (RFC 4291, 2.2); nil for anything else.
    private static func address6(_ text: Slice<UnsafeRawBufferPointer>) -> (high: UInt64, low: UInt64)? {
        var groups: [UInt16] = []
        var gap: Int?
        var rest = text
        while !rest.isEmpty, groups.count < 8 {
            if rest.starts(with: "::".utf8), gap == nil {
                gap = groups.count
                rest = rest.dropFirst(2)
                continue
            }
            if !groups.isEmpty, gap != groups.count {
                guard rest.first == UInt8(ascii: ":") else { return nil }
                rest = rest.dropFirst()
            }
            let group = rest.prefix { $0 != UInt8(ascii: ":") }
            rest = rest[group.endIndex...]
            if let number = hexadecimal(group) {
                groups.append(number)
            } else if rest.isEmpty, let address = address4(group) {
                groups += [UInt16(address >> 16), UInt16(truncatingIfNeeded: address)]
            } else {
                return nil
            }
        }
        guard rest.isEmpty, gap == nil ? groups.count == 8 : groups.count < 8 else { return nil }
        groups.insert(contentsOf: repeatElement(0, count: 8 - groups.count), at: gap ?? 0)
        let words = [groups[..<4], groups[4...]].map { $0.reduce(UInt64(0)) { $0 << 16 | UInt64($1) } }
        return (words[0], words[1])
    }

    /// One to four hexadecimal digits.
    private static func hexadecimal(_ digits: Slice<UnsafeRawBufferPointer>) -> UInt16? {
        guard (1...4).contains(digits.count) else { return nil }
        var number: UInt16 = 0
        for digit in digits {
            switch digit {
            case 0x30...0x39: number = number << 4 | UInt16(digit - 0x30)
            case 0x41...0x46, 0x61...0x66: number = number << 4 | UInt16(digit & 0x5F - 0x37)
            default: return nil
            }
        }
        return number
    }
}

extension NetworkPrefix: CustomStringConvertible {
    /// As `192.0.2.0/24` or `2001:db8:1::/48`; `-` for none.
    public var description: String {
        let bits = rawValue & 0xFFFF_FFFF_FFFF
        switch rawValue >> 56 {
        case 4: return "\(bits >> 16).\(bits >> 8 & 255).\(bits & 255).0/24"
        case 6:
            let groups = [bits >> 32, bits >> 16 & 0xFFFF, bits & 0xFFFF].map { String($0, radix: 16) }
            return groups.joined(separator: ":") + "::/48"
        default: return "-"
        }
    }
}
