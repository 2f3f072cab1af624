// RO:WHAT  FastOpen: how far TCP fast open (RFC 7413) is used, and what of it this kernel does.
// RO:WHY   With the first frames in the SYN a cold session costs one round trip instead of two.
// RO:SECURITY  without a cookie whoever forges a source address makes a switch answer that address: `always` is
//          for networks that drop forged packets (docs/OPERATIONS.md, "TCP fast open").
// RO:TEST  Tests/DhtLoopTests/Reactor/FastOpenTests.swift

/// Whether bytes may travel with the SYN. What the kernel does not allow is done by the plain handshake.
public enum FastOpen: String, CaseIterable, Sendable {
    /// Never.
    case off
    /// From the second session to a host on: the first fetches the cookie that proves where we are.
    case cookie
    /// From the first session on, where both sides say so.
    case always

    /// Bits of net.ipv4.tcp_fastopen, which is for IPv6 too.
    private static let (dialBit, listenBit) = (1, 2)

    /// What `sysctl`, the text of net.ipv4.tcp_fastopen, forbids of this; nil for nothing, or when it is unknown.
    ///
    /// - Parameters:
    ///   - dials: whether sessions are dialled.
    ///   - listens: whether sessions are accepted.
    public func forbidden(by sysctl: String, dials: Bool, listens: Bool) -> String? {
        guard self != .off, let bits = Int(sysctl.prefix { $0.isNumber || $0 == "-" }) else { return nil }
        let wanted = (dials ? Self.dialBit : 0) | (listens ? Self.listenBit : 0)
        guard bits & wanted != wanted else { return nil }
        return "net.ipv4.tcp_fastopen is \(bits), \(bits | wanted) is needed"
    }
}
