// RO:WHAT  AdminRoutes: from a matched route to its answer.
// RO:WHY   What the admin port says is apart from how HTTP gets there.
// RO:INVARIANTS  every request is answered once: at once here, or when its ticket is completed.
// RO:SECURITY  keys, values and paths are a client's; what is said back is JSON-escaped or opaque bytes.
// RO:TEST  Tests/DhtLoopTests/Admin/AdminServerTests.swift

/// Answers the requests of the admin port.
final class AdminRoutes: HttpHandler {
    /// A content id, a node URI and a number, with room for white space.
    private static let maxProvideBytes = 4096
    /// Most providers, and most records, that one answer names.
    private static let maxProviders = Limits.contactsPerMessage
    private static let maxRecords = 1000

    private unowned let backend: any AdminBackend
    /// The same service where it is a node.
    private unowned let node: (any NodeBackend)?
    private let routes: [Route]
    private let maxValueBytes: Int
    private let answers: AdminAnswers
    /// Set once the port's address is known.
    var access = AdminAccess(isLoopback: false)
    /// The port closes: who asks now is told so, and nothing is started that nobody would answer.
    var isStopping = false

    init(backend: any AdminBackend, node: (any NodeBackend)?, build: BuildInfo, maxValueBytes: Int) {
        (self.backend, self.node, self.maxValueBytes) = (backend, node, maxValueBytes)
        routes = Route.common + (node == nil ? [] : Route.node)
        answers = AdminAnswers(build: build)
    }

    override func accept(_ exchange: HttpExchange) {
        exchange.match = Route.match(exchange.method, exchange.path, in: routes)
        guard case .found(let action, _) = exchange.match, refusal(of: action, exchange) == nil else {
            return
        }
        if action == .putValue { exchange.bodyLimit = maxValueBytes }
        if action == .provide { exchange.bodyLimit = Self.maxProvideBytes }
    }

    override func respond(to exchange: HttpExchange, nowUs: UInt64) {
        if isStopping { return abandon(exchange) }
        switch exchange.match {
        case .noSuchPath: answers.noSuchPath(routes, exchange)
        case .otherMethods(let allow): answers.methodNotAllowed(allow, exchange)
        case .found(let action, let parameter):
            if let refusal = refusal(of: action, exchange) { return answers.refused(refusal, exchange) }
            if let fault = exchange.bodyFault {
                return answers.bodyFault(fault, limit: exchange.bodyLimit, exchange)
            }
            let parameter = UnsafeRawBufferPointer(rebasing: exchange.path[parameter])
            if let node {
                perform(action, on: node, parameter, exchange, nowUs: nowUs)
            } else {
                performCommon(action, exchange)
            }
        }
    }

    private func refusal(of action: RouteAction, _ exchange: HttpExchange) -> AdminAccess.Refusal? {
        access.refusal(of: action, authorization: exchange.header("Authorization"))
    }

    private func perform(
        _ action: RouteAction, on node: any NodeBackend, _ parameter: UnsafeRawBufferPointer,
        _ exchange: HttpExchange, nowUs: UInt64
    ) {
        switch action {
        case .health, .readiness, .metrics, .version: performCommon(action, exchange)
        case .page: answers.page(exchange)
        case .stats: answers.stats(node.stats(nowUs: nowUs), exchange)
        case .routing: answers.routing(node.routing(nowUs: nowUs), exchange)
        case .debugList: debugList(node, exchange, nowUs: nowUs)
        case .provide: provide(node, exchange, nowUs: nowUs)
        case .findProviders: findProviders(node, parameter, exchange, nowUs: nowUs)
        case .ping: ping(node, parameter, exchange, nowUs: nowUs)
        case .lookup: lookUp(node, exchange, nowUs: nowUs)
        case .getValue, .putValue, .deleteValue, .explain:
            guard takeKey(parameter, exchange) else { return }
            performOnKey(action, node, exchange, nowUs: nowUs)
        }
    }

    private func performCommon(_ action: RouteAction, _ exchange: HttpExchange) {
        switch action {
        case .health: answers.health(exchange)
        case .readiness: answers.readiness(backend.readiness, exchange)
        case .metrics: answers.metrics(backend, exchange)
        default: answers.version(exchange)
        }
    }

    private func performOnKey(
        _ action: RouteAction, _ node: any NodeBackend, _ exchange: HttpExchange, nowUs: UInt64
    ) {
        if action == .deleteValue { return deleteValue(node, exchange, nowUs: nowUs) }
        guard let paths = takePaths(exchange) else { return }
        switch action {
        case .putValue: putValue(node, exchange, paths, nowUs: nowUs)
        case .explain:
            node.startExplain(exchange.key, paths: paths.count, ticket: exchange.ticket, nowUs: nowUs)
        default:
            exchange.wantsJson = exchange.query("json").map { $0 != "0" } ?? false
            node.startGet(exchange.key, paths: paths.count, ticket: exchange.ticket, nowUs: nowUs)
        }
    }

    private func putValue(
        _ node: any NodeBackend, _ exchange: HttpExchange, _ paths: WantedPaths, nowUs: UInt64
    ) {
        var ttlSeconds: UInt64?
        if let text = exchange.query("ttl_secs") {
            guard let seconds = UInt64(text), seconds > 0 else { return answers.badTtl(exchange) }
            ttlSeconds = seconds
        }
        guard let version = takeVersion(exchange), isReady(exchange) else { return }
        let request = PutRequest(
            key: exchange.key, value: exchange.bodyBytes, ttlSeconds: ttlSeconds, paths: paths.count,
            ifMatch: version.seq)
        node.startPut(request, ticket: exchange.ticket, nowUs: nowUs)
    }

    private func deleteValue(_ node: any NodeBackend, _ exchange: HttpExchange, nowUs: UInt64) {
        guard let version = takeVersion(exchange), isReady(exchange) else { return }
        node.startDelete(exchange.key, ifMatch: version.seq, ticket: exchange.ticket, nowUs: nowUs)
    }

    private func provide(_ node: any NodeBackend, _ exchange: HttpExchange, nowUs: UInt64) {
        do throws(ProvideFault) {
            let request = try ProvideRequest(
                exchange.bodyBytes, contentType: exchange.header("Content-Type"))
            guard isReady(exchange) else { return }
            exchange.key = request.key
            node.startProvide(request, ticket: exchange.ticket, nowUs: nowUs)
        } catch {
            answers.provideFault(error, exchange)
        }
    }

    private func findProviders(
        _ node: any NodeBackend, _ parameter: UnsafeRawBufferPointer, _ exchange: HttpExchange, nowUs: UInt64
    ) {
        guard let decoded = RequestTarget.decode(parameter) else { return answers.badEscape(exchange) }
        guard let key = ContentId.key(String(decoding: decoded, as: UTF8.self)) else {
            return answers.badCid(exchange)
        }
        guard let limit = takeLimit(exchange, most: Self.maxProviders), let paths = takePaths(exchange)
        else { return }
        exchange.key = key
        node.startFindProviders(
            key, limit: limit, paths: paths.count, ticket: exchange.ticket, nowUs: nowUs)
    }

    private func ping(
        _ node: any NodeBackend, _ parameter: UnsafeRawBufferPointer, _ exchange: HttpExchange, nowUs: UInt64
    ) {
        guard let id = NodeID(hex: String(decoding: parameter, as: UTF8.self)) else {
            return answers.badId(exchange)
        }
        exchange.key = id
        node.startPing(id, ticket: exchange.ticket, nowUs: nowUs)
    }

    private func lookUp(_ node: any NodeBackend, _ exchange: HttpExchange, nowUs: UInt64) {
        var text = exchange.query("key") ?? ""
        guard !text.isEmpty else { return answers.noKey(exchange) }
        guard text.withUTF8({ takeKey(UnsafeRawBufferPointer($0), exchange) }),
            let paths = takePaths(exchange)
        else { return }
        (exchange.wantsJson, exchange.isLookup) = (true, true)
        node.startGet(exchange.key, paths: paths.count, ticket: exchange.ticket, nowUs: nowUs)
    }

    private func debugList(_ node: any NodeBackend, _ exchange: HttpExchange, nowUs: UInt64) {
        guard let limit = takeLimit(exchange, most: Self.maxRecords) else { return }
        answers.records(node.records(limit: limit, nowUs: nowUs), exchange)
    }

    /// Whether the service is ready; answers when it is not.
    private func isReady(_ exchange: HttpExchange) -> Bool {
        let report = backend.readiness
        if report.isReady { return true }
        answers.refused(.notReady(retryAfterSeconds: report.retryAfterSeconds), exchange)
        return false
    }

    /// The version that `If-Match` names, none without one; answers and returns nil when it names none of ours.
    private func takeVersion(_ exchange: HttpExchange) -> WantedVersion? {
        guard let text = exchange.header("If-Match") else { return WantedVersion(seq: nil) }
        let isQuoted = text.utf8.count >= 2 && text.hasPrefix("\"") && text.hasSuffix("\"")
        if isQuoted, let seq = UInt64(text.dropFirst().dropLast()) { return WantedVersion(seq: seq) }
        answers.badVersion(exchange)
        return nil
    }

    /// `?limit=`, at most and by default `most`; answers and returns nil when it is no number.
    private func takeLimit(_ exchange: HttpExchange, most: Int) -> Int? {
        guard let text = exchange.query("limit") else { return most }
        if let limit = Int(text), limit > 0 { return min(limit, most) }
        answers.badLimit(exchange)
        return nil
    }

    /// `?paths=`, none without it; answers and returns nil when it is no number that a lookup takes.
    private func takePaths(_ exchange: HttpExchange) -> WantedPaths? {
        guard let text = exchange.query("paths") else { return WantedPaths(count: nil) }
        if let count = Int(text), (1...NodeConfig.maxPaths).contains(count) {
            return WantedPaths(count: count)
        }
        answers.badPaths(exchange)
        return nil
    }

    /// Reads the key out of the path; answers and returns false when its escapes are broken.
    private func takeKey(_ parameter: UnsafeRawBufferPointer, _ exchange: HttpExchange) -> Bool {
        guard parameter.contains(UInt8(ascii: "%")) else {
            exchange.key = KeyText.key(parameter)
            return true
        }
        guard let decoded = RequestTarget.decode(parameter) else {
            answers.badEscape(exchange)
            return false
        }
        exchange.key = decoded.withUnsafeBytes { KeyText.key($0) }
        return true
    }

    /// Answers a call that was started.
    func complete(_ exchange: HttpExchange, _ outcome: CallOutcome) {
        switch outcome {
        case .stored(let report): answers.stored(report, exchange)
        case .conflict(let seq): answers.conflict(currentSeq: seq, exchange)
        case .found(let value, let search): answers.found(value, search, exchange)
        case .notFound(let search): answers.notFound(search, exchange)
        case .timedOut(let search): answers.timedOut(search, exchange)
        case .provided(let report): answers.provided(report, exchange)
        case .providers(let report): answers.providers(report, exchange)
        case .pinged(let outcome): answers.pinged(outcome, exchange)
        case .explained(let report): answers.explained(report, exchange)
        case .refused(let refusal): answers.refused(refusal, exchange)
        }
    }

    /// Answers a request that the service will not answer any more.
    func abandon(_ exchange: HttpExchange) { answers.refused(.stopping, exchange) }
}

/// How many disjoint paths a lookup shall walk on; no number for as many as it would.
private struct WantedPaths {
    let count: Int?
}

/// What `If-Match` asks for; no number for any version.
private struct WantedVersion {
    let seq: UInt64?
}
