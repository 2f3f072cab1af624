// RO:WHAT  OapError: why a session's bytes are refused.
// RO:WHY   One typed error for the layer; each case names a metric label, so the set stays bounded.
// RO:METRICS  overlay_handshake_fail_total{reason} for the first three

/// What was wrong with the bytes of a session. Raw values are metric labels.
public enum OapError: String, Error, CaseIterable, Sendable {
    /// The HELLO does not begin with "OAP1".
    case badMagic = "bad_magic"
    /// The HELLO's version is not 1.
    case badVersion = "bad_version"
    /// The HELLO's capabilities lack GOSSIP_V1.
    case missingGossip = "missing_gossip"
    /// A frame announces length 0, which leaves no room for its kind.
    case zeroLength = "zero_length"
    /// A frame announces more than `Limits.frameBytes`.
    case tooLong = "too_long"
    /// A frame's kind is neither Data nor Ctrl.
    case unknownKind = "unknown_kind"
}
