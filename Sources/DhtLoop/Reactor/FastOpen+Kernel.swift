// RO:WHAT  What this kernel does of the fast open that is asked for.
// RO:WHY   A sysctl forbids it without a word; somebody has to say so.
// RO:TEST  Tests/DhtLoopTests/Reactor/FastOpenTests.swift

extension FastOpen {
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
