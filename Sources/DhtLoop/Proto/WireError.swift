// RO:WHAT  WireError: why a peer's bytes are not an envelope.
// RO:WHY   One typed error for the layer; each case names a metric label, so the set stays bounded.
// RO:METRICS  dht_rejected_total{reason}

/// What was wrong with a payload. Raw values are metric labels.
public enum WireError: String, Error, CaseIterable, Sendable {
    /// The bytes end inside an item.
    case truncated
    /// Bytes follow the envelope's last item.
    case trailingBytes = "trailing_bytes"
    /// A reserved or broken CBOR head, or a list that is not built as the wire document says.
    case malformed
    /// An indefinite-length item; the wire has definite lengths only.
    case indefinite
    /// More than `Limits.cborDepth` levels of nesting.
    case tooDeep = "too_deep"
    /// The outer item is no map with the envelope's keys.
    case notEnvelope = "not_envelope"
    /// `v` is not 1.
    case version
    /// A field has another type than the wire document gives it.
    case wrongType = "wrong_type"
    /// A key that the wire document names is there twice in one map.
    case repeatedKey = "repeated_key"
    /// A mandatory key is missing.
    case missingField = "missing_field"
    /// A node id or key is not 32 bytes.
    case badKeyLength = "bad_key_length"
    /// `at`, a provider URI or a text is longer than 255 bytes.
    case textTooLong = "text_too_long"
    /// More in one list than `Limits.contactsPerMessage` or `Limits.recordsPerMessage`.
    case tooMany = "too_many"
}
