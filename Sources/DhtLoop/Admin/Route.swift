// RO:WHAT  Route: the paths of the admin port, and which one a request means.
// RO:WHY   A table: a new route is a row here and a case in AdminRoutes, and 404 and 405 follow by themselves.
// RO:INVARIANTS  a parameter is the last segment of its path and holds no slash.
// RO:TEST  Tests/DhtLoopTests/Admin/AdminServerTests.swift

/// What a route does.
enum RouteAction: Equatable {
    case health
    case readiness
    case metrics
    case version
    case page
    case getValue
    case putValue
    case deleteValue
    case provide
    case findProviders
    case lookup
    case explain
    case ping
    case stats
    case routing
    case debugList

    /// It changes what the network stores.
    var isWrite: Bool { self == .putValue || self == .deleteValue || self == .provide }
}

/// One method on one path.
struct Route: Sendable {
    let method: HttpMethod
    /// The path without its parameter; it ends in a slash when there is one.
    let path: StaticString
    let takesParameter: Bool
    let action: RouteAction

    /// What every service has.
    static let common = [
        Route(.get, "/healthz", .health),
        Route(.get, "/readyz", .readiness),
        Route(.get, "/metrics", .metrics),
        Route(.get, "/version", .version),
    ]

    /// What a node has beyond that.
    static let node = [
        Route(.get, "/dht/kv/", parameter: true, .getValue),
        Route(.put, "/dht/kv/", parameter: true, .putValue),
        Route(.delete, "/dht/kv/", parameter: true, .deleteValue),
        Route(.post, "/dht/provide", .provide),
        Route(.get, "/dht/find_providers/", parameter: true, .findProviders),
        Route(.get, "/dht/lookup", .lookup),
        Route(.get, "/dht/explain/", parameter: true, .explain),
        Route(.get, "/dht/ping/", parameter: true, .ping),
        Route(.get, "/dht/stats", .stats),
        Route(.get, "/dht/routing", .routing),
        Route(.get, "/dht/_debug/list", .debugList),
        // Names in circulation.
        Route(.post, "/provide", .provide),
        Route(.get, "/find/", parameter: true, .findProviders),
        Route(.get, "/", .page),
    ]

    private init(_ method: HttpMethod, _ path: StaticString, parameter: Bool = false, _ action: RouteAction) {
        (self.method, self.path, self.action, takesParameter) = (method, path, action, parameter)
    }
}

/// What a request's method and path come to.
enum RouteMatch: Equatable {
    /// `parameter` is where the path's parameter lies in it, still escaped.
    case found(RouteAction, parameter: Range<Int>)
    /// The path exists, for the methods listed.
    case otherMethods(allow: String)
    case noSuchPath
}

extension Route {
    /// Finds the route of `method` and `path` (escaped, without its query) among `routes`.
    static func match(_ method: HttpMethod, _ path: UnsafeRawBufferPointer, in routes: [Route]) -> RouteMatch
    {
        let wanted = method == .head ? .get : method
        var allowed: [String] = []
        for route in routes {
            guard let parameter = route.parameter(in: path) else { continue }
            if route.method == wanted { return .found(route.action, parameter: parameter) }
            allowed += route.method == .get ? ["GET", "HEAD"] : [route.method.rawValue]
        }
        return allowed.isEmpty ? .noSuchPath : .otherMethods(allow: allowed.joined(separator: ", "))
    }

    /// Where the parameter lies in `path`, empty for a route without one; nil when the path is another one.
    private func parameter(in path: UnsafeRawBufferPointer) -> Range<Int>? {
        let length = self.path.utf8CodeUnitCount
        guard path.count >= length, let start = path.baseAddress else { return nil }
        guard sameBytes(start, self.path.utf8Start, count: length) else { return nil }
        let rest = length..<path.count
        guard takesParameter else { return rest.isEmpty ? rest : nil }
        return rest.isEmpty || path[rest].contains(UInt8(ascii: "/")) ? nil : rest
    }
}
