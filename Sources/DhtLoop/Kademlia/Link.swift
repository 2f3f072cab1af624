// RO:WHAT  Link: the session that a payload came by.
// RO:WHY   A reply goes back the same way, and a session of the local switch is one peer, whatever ids it claims.

/// The session a payload came by. A reply goes back the same way.
public struct Link: Equatable, Hashable, Sendable {
    /// The overlay endpoint at the other end of a session we opened; the own home for the embedded switch.
    public var endpoint: EndpointID
    /// Which of the embedded switch's sessions, or `dialled`. Opaque to the node.
    public var token: UInt64

    /// The token of a session that we opened.
    public static let dialled = UInt64.max - 1

    public init(endpoint: EndpointID, token: UInt64 = Self.dialled) {
        self.endpoint = endpoint
        self.token = token
    }
}
