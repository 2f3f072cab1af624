// RO:WHAT  SocketAddress: a numeric IPv4 or IPv6 address with its port.
// RO:WHY   Sockets want a sockaddr, people and the wire write "host:port".
// RO:SECURITY  parses text that comes from peers: nil for anything odd, no name is ever looked up here.
// RO:TEST  Tests/DhtLoopTests/Reactor/SocketAddressTests.swift

import Glibc

/// An address a socket can bind or connect to.
public struct SocketAddress: Equatable, Sendable, CustomStringConvertible {
    private enum Host: Equatable, Sendable {
        case v4(UInt32)
        case v6(UInt64, UInt64)
    }

    /// Longest numeric host, "ffff:...:255.255.255.255" with its NUL.
    private static let hostBytes = Int(INET6_ADDRSTRLEN)

    private let host: Host
    /// 0...65535; 0 lets the kernel choose when binding.
    public let port: UInt16

    /// Reads `a.b.c.d:port` or `[v6]:port`; nil for other text. Port 0 is taken.
    public init?(_ text: UnsafeRawBufferPointer) {
        guard let colon = text.lastIndex(of: UInt8(ascii: ":")) else { return nil }
        guard let port = Self.port(text[(colon + 1)...]) else { return nil }
        var name = text[..<colon]
        let bracketed = name.first == UInt8(ascii: "[") && name.last == UInt8(ascii: "]")
        if bracketed { name = name.dropFirst().dropLast() }
        guard let host = bracketed ? Self.v6(name) : Self.v4(name) else { return nil }
        (self.host, self.port) = (host, port)
    }

    /// Reads `a.b.c.d:port` or `[v6]:port`.
    public init?(_ text: String) {
        var text = text
        guard let parsed = text.withUTF8({ Self(UnsafeRawBufferPointer($0)) }) else { return nil }
        self = parsed
    }

    /// Reads what the kernel filled in; nil for a family other than IPv4 and IPv6.
    init?(_ storage: sockaddr_storage) {
        switch Int32(storage.ss_family) {
        case AF_INET:
            let address = withUnsafeBytes(of: storage) { $0.loadUnaligned(as: sockaddr_in.self) }
            (host, port) = (.v4(address.sin_addr.s_addr), UInt16(bigEndian: address.sin_port))
        case AF_INET6:
            let address = withUnsafeBytes(of: storage) { $0.loadUnaligned(as: sockaddr_in6.self) }
            host = withUnsafeBytes(of: address.sin6_addr) {
                .v6($0.loadUnaligned(as: UInt64.self), $0.loadUnaligned(fromByteOffset: 8, as: UInt64.self))
            }
            port = UInt16(bigEndian: address.sin6_port)
        default: return nil
        }
    }

    /// The address family, AF_INET or AF_INET6.
    var family: Int32 {
        switch host {
        case .v4: AF_INET
        case .v6: AF_INET6
        }
    }

    /// Only this machine can reach it: 127.0.0.0/8 or ::1.
    var isLoopback: Bool {
        switch host {
        case .v4(let bits): UInt32(bigEndian: bits) >> 24 == UInt32(IN_LOOPBACKNET)
        case .v6(let high, let low): high == 0 && UInt64(bigEndian: low) == 1
        }
    }

    /// Calls `body` with the address as the socket calls want it.
    func withSockaddr<Result>(_ body: (UnsafePointer<sockaddr>, socklen_t) -> Result) -> Result {
        switch host {
        case .v4(let bits):
            var address = sockaddr_in()
            address.sin_family = sa_family_t(AF_INET)
            address.sin_port = port.bigEndian
            address.sin_addr.s_addr = bits
            return Self.rebound(&address, body)
        case .v6(let high, let low):
            var address = sockaddr_in6()
            address.sin6_family = sa_family_t(AF_INET6)
            address.sin6_port = port.bigEndian
            withUnsafeMutableBytes(of: &address.sin6_addr) {
                $0.storeBytes(of: high, as: UInt64.self)
                $0.storeBytes(of: low, toByteOffset: 8, as: UInt64.self)
            }
            return Self.rebound(&address, body)
        }
    }

    /// `a.b.c.d:port` or `[v6]:port`.
    public var description: String {
        let text = String(unsafeUninitializedCapacity: Self.hostBytes) { buffer in
            buffer.withMemoryRebound(to: CChar.self) { chars in
                let room = socklen_t(chars.count)
                let text =
                    switch host {
                    case .v4(var bits): inet_ntop(AF_INET, &bits, chars.baseAddress, room)
                    case .v6(let high, let low):
                        withUnsafeBytes(of: (high, low)) {
                            inet_ntop(AF_INET6, $0.baseAddress, chars.baseAddress, room)
                        }
                    }
                return text.map { strlen($0) } ?? 0
            }
        }
        return family == AF_INET ? "\(text):\(port)" : "[\(text)]:\(port)"
    }

    private static func rebound<Address, Result>(
        _ address: inout Address, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Result
    ) -> Result {
        withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                body($0, socklen_t(MemoryLayout<Address>.size))
            }
        }
    }

    private static func port(_ digits: Slice<UnsafeRawBufferPointer>) -> UInt16? {
        guard !digits.isEmpty, digits.count <= 5 else { return nil }
        var value = 0
        for digit in digits {
            guard digit >= UInt8(ascii: "0"), digit <= UInt8(ascii: "9") else { return nil }
            value = value * 10 + Int(digit - UInt8(ascii: "0"))
        }
        return UInt16(exactly: value)
    }

    private static func v4(_ name: Slice<UnsafeRawBufferPointer>) -> Host? {
        if name.elementsEqual("localhost".utf8) { return .v4(UInt32(INADDR_LOOPBACK).bigEndian) }
        var bits: UInt32 = 0
        return convert(name, AF_INET, &bits) ? .v4(bits) : nil
    }

    private static func v6(_ name: Slice<UnsafeRawBufferPointer>) -> Host? {
        var words: (UInt64, UInt64) = (0, 0)
        return convert(name, AF_INET6, &words) ? .v6(words.0, words.1) : nil
    }

    /// inet_pton of bytes that end in no NUL.
    private static func convert(
        _ name: Slice<UnsafeRawBufferPointer>, _ family: Int32, _ result: UnsafeMutableRawPointer
    ) -> Bool {
        guard name.count < hostBytes, !name.contains(0) else { return false }
        return withUnsafeTemporaryAllocation(of: CChar.self, capacity: hostBytes) { text in
            for (index, byte) in name.enumerated() { text[index] = CChar(bitPattern: byte) }
            text[name.count] = 0
            return inet_pton(family, text.baseAddress!, result) == 1
        }
    }
}
