// RO:WHAT  FastOpen: how far TCP fast open (RFC 7413) is used.
// RO:WHY   With the first frames in the SYN a cold session costs one round trip instead of two.
// RO:SECURITY  without a cookie whoever forges a source address makes a switch answer that address: `always` is
//          for networks that drop forged packets (docs/OPERATIONS.md, "TCP fast open").

/// Whether bytes may travel with the SYN. What the kernel does not allow is done by the plain handshake.
public enum FastOpen: String, CaseIterable, Sendable {
    /// Never.
    case off
    /// From the second session to a host on: the first fetches the cookie that proves where we are.
    case cookie
    /// From the first session on, where both sides say so.
    case always
}
