// RO:WHAT  Resolver: from an endpoint's text to a socket address.
// RO:WHY   Numeric addresses are answered at once; a resolver of names answers later, without blocking the loop.

/// What a resolver says at once.
public enum ResolverAnswer: Equatable {
    case address(SocketAddress)
    /// The text cannot be resolved.
    case failed
    /// `ResolverClient.resolved` follows, with the same token, unless it is cancelled.
    case pending
}

/// Who waits for a pending answer.
public protocol ResolverClient: AnyObject {
    /// The answer to the question asked with `token`; nil when the name has no address.
    func resolved(_ address: SocketAddress?, token: UInt32, nowUs: UInt64)
}

/// Resolves numeric endpoints, `localhost` among them. Subclasses add names.
open class Resolver {
    public init() {}

    /// Asks for the address of `endpoint`, host:port. A token that is pending is not asked for again.
    open func resolve(
        _ endpoint: UnsafeRawBufferPointer, for client: any ResolverClient, token: UInt32, nowUs: UInt64
    ) -> ResolverAnswer {
        guard let address = SocketAddress(endpoint) else { return .failed }
        return .address(address)
    }

    /// Forgets a pending question.
    open func cancel(client: any ResolverClient, token: UInt32) {}
}
