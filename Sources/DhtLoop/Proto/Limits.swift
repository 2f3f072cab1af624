// RO:WHAT  The bounds of the wire, with names.
// RO:WHY   A limit that is a number in the middle of a function cannot be checked against another.

/// Wire limits. What an operator may change is in `NodeSettings`; these are fixed by the protocol.
public enum Limits {
    /// Kind and payload of one OAP frame, in bytes.
    public static let frameBytes = 1 << 20
    /// Longest `at` or other text, in bytes (docs/PROTOCOL.md, "Envelope").
    public static let textBytes = 255
    /// Contacts, or providers, in one message. K is at most 64.
    public static let contactsPerMessage = 64
    /// Records in one `PutMany`, and so refusals in its reply.
    public static let recordsPerMessage = 64
    /// Steps that a request may be passed on (docs/PROTOCOL.md, "Recursion").
    public static let recursion: UInt8 = 3
    /// Nesting of unknown CBOR that the decoder follows to skip it.
    public static let cborDepth = 16
    /// Largest value of a record: a frame less the envelope, the record's head and 64 contacts of 300 bytes.
    public static let valueBytes = 983_040
    /// What the records of one `PutMany` may take: a frame less the largest envelope around them.
    public static let recordListBytes = frameBytes - 512
}
