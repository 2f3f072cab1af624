// RO:WHAT  NameResolver: endpoints with DNS names, for the names that the configuration trusts.
// RO:WHY   Bootstrap entries are names in the field (a headless service); each reconnect asks again once the
//          answer's life is over, and goes on to the name's next address, so that all of them are tried.
// RO:INVARIANTS  one question a name at a time; a waiter hears once, or has cancelled.
// RO:SECURITY  endpoints come from peers as well: a name that no operator wrote is never looked up.
// RO:TEST  Tests/DhtLoopTests/Reactor/NameResolverTests.swift

/// Resolves numeric endpoints at once, and trusted names through DNS.
public final class NameResolver: Resolver {
    /// What an answer's TTL is clamped into, in seconds.
    private static let ttlSecondsRange: ClosedRange<UInt64> = 1...86_400
    /// How long addresses serve on when nobody answers any more.
    private static let staleUs: UInt64 = 5_000_000

    private let loop: EventLoop
    private let channel: AresChannel
    private var names: [String: Name] = [:]

    /// - Parameter servers: DNS servers as `host:port`, separated by commas; nil for the system's.
    public init(loop: EventLoop, servers: String? = nil) throws(SystemError) {
        self.loop = loop
        channel = try AresChannel(loop: loop, servers: servers)
        super.init()
    }

    /// Lets the names in `endpoints`, `host:port` each, be looked up; those of before as well.
    public func trust(_ endpoints: [String]) {
        for endpoint in endpoints where names[endpoint] == nil && SocketAddress(endpoint) == nil {
            guard let colon = endpoint.lastIndex(of: ":") else { continue }
            guard let port = UInt16(endpoint[endpoint.index(after: colon)...]) else { continue }
            names[endpoint] = Name(host: String(endpoint[..<colon]), port: port, resolver: self)
        }
    }

    /// Ends the questions that are open; their waiters hear that there is no address.
    public func stop() { channel.stop() }

    override public func resolve(
        _ endpoint: UnsafeRawBufferPointer, for client: any ResolverClient, token: UInt32, nowUs: UInt64
    ) -> ResolverAnswer {
        if let address = SocketAddress(endpoint) { return .address(address) }
        guard let name = names[String(decoding: endpoint, as: UTF8.self)] else { return .failed }
        if !name.isAsking, name.expiresUs <= nowUs || name.known.isEmpty { ask(name) }
        if name.isAsking {
            name.waiters.append((client, token))
            return .pending
        }
        return name.nextAddress().map { .address($0) } ?? .failed
    }

    override public func cancel(client: any ResolverClient, token: UInt32) {
        for name in names.values { name.waiters.removeAll { $0.client === client && $0.token == token } }
    }

    private func ask(_ name: Name) {
        name.isAsking = true
        channel.ask(name.host, port: name.port, name)
    }

    fileprivate func answered(_ name: Name, _ addresses: [SocketAddress], ttlSeconds: UInt64) {
        name.isAsking = false
        if addresses.isEmpty {
            name.expiresUs = loop.nowUs + Self.staleUs
        } else {
            let range = Self.ttlSecondsRange
            let seconds = min(max(ttlSeconds, range.lowerBound), range.upperBound)
            (name.known, name.expiresUs) = (addresses, loop.nowUs + seconds * 1_000_000)
        }
        let waiters = name.waiters
        name.waiters.removeAll()
        for waiter in waiters {
            waiter.client.resolved(name.nextAddress(), token: waiter.token, nowUs: loop.nowUs)
        }
    }
}

/// One trusted name with what is known of it.
private final class Name: NameQuestion {
    let host: String
    let port: UInt16
    private unowned let resolver: NameResolver
    /// From the latest good answer.
    var known: [SocketAddress] = []
    var expiresUs: UInt64 = 0
    var isAsking = false
    var waiters: [(client: any ResolverClient, token: UInt32)] = []
    private var turn = 0

    init(host: String, port: UInt16, resolver: NameResolver) {
        (self.host, self.port, self.resolver) = (host, port, resolver)
    }

    /// The next address in turn; nil when there is none.
    func nextAddress() -> SocketAddress? {
        guard !known.isEmpty else { return nil }
        defer { turn &+= 1 }
        return known[turn % known.count]
    }

    override func answered(_ addresses: [SocketAddress], ttlSeconds: UInt64) {
        resolver.answered(self, addresses, ttlSeconds: ttlSeconds)
    }
}
