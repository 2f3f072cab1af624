// RO:WHAT  AdminRoutes: from a matched route to its answer.
// RO:WHY   What the admin port says is apart from how HTTP gets there.
// RO:INVARIANTS  every request is answered once: at once here, or when its ticket is completed.
// RO:SECURITY  keys, values and paths are a client's; what is said back is JSON-escaped or opaque bytes.
// RO:TEST  Tests/DhtLoopTests/Admin/AdminServerTests.swift

/// Answers the requests of the admin port.
final class AdminRoutes: HttpHandler {
    private unowned let backend: any AdminBackend
    /// The same service where it is a node.
    private unowned let node: (any NodeBackend)?
    private let routes: [Route]
    private let maxValueBytes: Int
    private let answers: AdminAnswers

    init(backend: any AdminBackend, node: (any NodeBackend)?, build: BuildInfo, maxValueBytes: Int) {
        (self.backend, self.node, self.maxValueBytes) = (backend, node, maxValueBytes)
        routes = Route.common + (node == nil ? [] : Route.node)
        answers = AdminAnswers(build: build)
    }

    override func accept(_ exchange: HttpExchange) {
        exchange.match = Route.match(exchange.method, exchange.path, in: routes)
        if case .found(.putValue, _) = exchange.match { exchange.bodyLimit = maxValueBytes }
    }

    override func respond(to exchange: HttpExchange, nowUs: UInt64) {
        if let fault = exchange.bodyFault {
            return answers.bodyFault(fault, limit: exchange.bodyLimit, exchange)
        }
        switch exchange.match {
        case .noSuchPath: answers.noSuchPath(routes, exchange)
        case .otherMethods(let allow): answers.methodNotAllowed(allow, exchange)
        case .found(let action, let parameter):
            perform(
                action, UnsafeRawBufferPointer(rebasing: exchange.path[parameter]), exchange, nowUs: nowUs)
        }
    }

    private func perform(
        _ action: RouteAction, _ parameter: UnsafeRawBufferPointer, _ exchange: HttpExchange, nowUs: UInt64
    ) {
        switch action {
        case .health: answers.health(exchange)
        case .readiness: answers.readiness(backend.readiness, exchange)
        case .metrics: answers.metrics(backend, exchange)
        case .version: answers.version(exchange)
        case .getValue: getValue(parameter, exchange, nowUs: nowUs)
        case .putValue: putValue(parameter, exchange, nowUs: nowUs)
        }
    }

    private func getValue(_ parameter: UnsafeRawBufferPointer, _ exchange: HttpExchange, nowUs: UInt64) {
        guard takeKey(parameter, exchange) else { return }
        exchange.wantsJson = exchange.query("json").map { $0 != "0" } ?? false
        node?.startGet(exchange.key, ticket: exchange.ticket, nowUs: nowUs)
    }

    private func putValue(_ parameter: UnsafeRawBufferPointer, _ exchange: HttpExchange, nowUs: UInt64) {
        guard takeKey(parameter, exchange) else { return }
        var ttlSeconds: UInt64?
        if let text = exchange.query("ttl_secs") {
            guard let seconds = UInt64(text), seconds > 0 else { return answers.badTtl(exchange) }
            ttlSeconds = seconds
        }
        let report = backend.readiness
        guard report.isReady else {
            return answers.refused(.notReady(retryAfterSeconds: report.retryAfterSeconds), exchange)
        }
        let request = PutRequest(key: exchange.key, value: exchange.bodyBytes, ttlSeconds: ttlSeconds)
        node?.startPut(request, ticket: exchange.ticket, nowUs: nowUs)
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

    /// Answers a put that was started.
    func complete(_ exchange: HttpExchange, _ outcome: PutOutcome) {
        switch outcome {
        case .done(let report): answers.stored(report, exchange)
        case .refused(let refusal): answers.refused(refusal, exchange)
        }
    }

    /// Answers a get that was started.
    func complete(_ exchange: HttpExchange, _ outcome: GetOutcome) {
        switch outcome {
        case .found(let value, let search): answers.found(value, search, exchange)
        case .notFound(let search): answers.notFound(search, exchange)
        case .timedOut(let search): answers.timedOut(search, exchange)
        case .refused(let refusal): answers.refused(refusal, exchange)
        }
    }

    /// Answers a request that the service will not answer any more.
    func abandon(_ exchange: HttpExchange) { answers.refused(.stopping, exchange) }
}
