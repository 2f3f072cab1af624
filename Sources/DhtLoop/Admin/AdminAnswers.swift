// RO:WHAT  AdminAnswers: the bodies, headers and status codes of the admin port.
// RO:WHY   Names, order and codes are a contract; all of them stand here.
// RO:INVARIANTS  every error is JSON with `error`, what went wrong, and `hint`, how to mend it.
// RO:TEST  Tests/DhtLoopTests/Admin/AdminServerTests.swift

/// Writes answers. Buffers are kept from answer to answer.
final class AdminAnswers {
    private let build: BuildInfo
    private let healthy: HttpAnswer
    var json = JsonWriter(capacity: 1024)
    private var page = PrometheusText()

    init(build: BuildInfo) {
        self.build = build
        healthy = HttpAnswer(.ok, type: MediaType.text, text: "ok")
    }

    func health(_ exchange: HttpExchange) { exchange.answer(healthy) }

    func metrics(_ backend: any AdminBackend, _ exchange: HttpExchange) {
        page.clear()
        backend.renderMetrics(into: &page)
        exchange.answer(HttpAnswer(.ok, type: PrometheusText.contentType, body: page.bytes))
    }

    func version(_ exchange: HttpExchange) {
        begin()
        json.field("service", build.service)
        json.field("version", build.version)
        json.field("git", build.git)
        json.field("built", build.built)
        json.field("features", build.features)
        send(.ok, exchange)
    }

    func readiness(_ report: ReadinessReport, _ exchange: HttpExchange) {
        begin()
        json.field("service", build.service)
        json.field("ready", report.isReady)
        json.field("degraded", !report.isReady)
        json.field("missing", report.gates.filter { !$0.isOpen }.map(\.name))
        json.key("gates")
        json.beginObject()
        for gate in report.gates { json.field(gate.name, gate.isOpen) }
        json.endObject()
        write(detail: report.gates)
        json.field("retry_after", report.isReady ? 0 : report.retryAfterSeconds)
        if report.isReady { return send(.ok, exchange) }
        send(.serviceUnavailable, exchange, ("Retry-After", String(report.retryAfterSeconds)))
    }

    private func write(detail gates: [ReadinessReport.Gate]) {
        json.key("detail")
        json.beginObject()
        for gate in gates {
            json.key(gate.name)
            json.beginObject()
            for number in gate.numbers { json.field(number.name, number.value) }
            json.endObject()
        }
        json.endObject()
    }

    /// Begins an object.
    func begin() {
        json.clear()
        json.beginObject()
    }

    /// Ends the object that was begun, and answers with it.
    func send(_ status: HttpStatus, _ exchange: HttpExchange, _ header: (String, String)? = nil) {
        json.endObject()
        json.newline()
        let answer = HttpAnswer(status, type: MediaType.json, body: json.bytes)
        if let header { answer.header(header.0, header.1) }
        exchange.answer(answer)
    }
}

// Keys and values.
extension AdminAnswers {
    /// 200 with all the acks that were wanted, 202 with fewer, 503 when nobody stored it.
    func stored(_ report: PutReport, _ exchange: HttpExchange) {
        begin()
        if report.acks == 0 {
            write(error: "nobody stored the value", hint: "see failed for each node's reason, then try again")
        }
        json.field("key", exchange.key.description)
        json.field("acks", report.acks)
        json.field("wanted", report.wanted)
        json.field("ttl_secs_used", report.ttlSeconds)
        json.field("expires_at", report.expiresAtSeconds)
        write(SearchReport(hops: report.hops, elapsedUs: report.elapsedUs))
        write(report.failures)
        if report.acks == 0 { return send(.serviceUnavailable, exchange, ("Retry-After", "1")) }
        send(report.acks < report.wanted ? .accepted : .ok, exchange)
    }

    func write(_ failures: [PutReport.Failure]) {
        json.key("failed")
        json.beginArray()
        for failure in failures {
            json.beginObject()
            json.field("peer", failure.peer.description)
            json.field("cause", failure.cause)
            json.endObject()
        }
        json.endArray()
    }

    /// 409 with the version that stands in the way, as far as one was seen.
    func conflict(currentSeq: UInt64?, _ exchange: HttpExchange) {
        begin()
        write(error: "another version is there", hint: "get the value, then put with If-Match: its ETag")
        json.field("key", exchange.key.description)
        if let currentSeq { json.field("seq", currentSeq) }
        send(.conflict, exchange, currentSeq.map { ("ETag", "\"\($0)\"") })
    }

    func found(_ value: FoundValue, _ search: SearchReport, _ exchange: HttpExchange) {
        if exchange.wantsJson { return foundJson(value, search, exchange) }
        let answer = HttpAnswer(.ok, type: MediaType.bytes, body: value.bytes)
        answer.header("ETag", "\"\(value.seq)\"")
        answer.header("Cache-Control", "no-cache")
        answer.header("X-DHT-TTL-Secs", String(value.ttlSeconds))
        answer.header("X-DHT-Hops", String(search.hops))
        answer.header("X-DHT-Elapsed-Ms", search.elapsedMs.description)
        exchange.answer(answer)
    }

    private func foundJson(_ value: FoundValue, _ search: SearchReport, _ exchange: HttpExchange) {
        begin()
        json.field("key", exchange.key.description)
        json.field("seq", value.seq)
        json.field("ttl_secs", value.ttlSeconds)
        write(search)
        if let text = String(validating: value.bytes, as: UTF8.self) {
            json.field("encoding", "utf-8")
            json.field("value", text)
        } else {
            json.field("encoding", "base64")
            json.field("value", Base64.text(value.bytes))
        }
        send(.ok, exchange)
    }

    func notFound(_ search: SearchReport, _ exchange: HttpExchange) {
        write(search, exchange, error: "not found", "the closest nodes all answered and none has this key")
        send(.notFound, exchange)
    }

    func timedOut(_ search: SearchReport, _ exchange: HttpExchange) {
        write(
            search, exchange, error: "timed out", "the key may exist: try again, or raise RON_DHT_DEADLINE_MS"
        )
        // Callers of the alias know 200, 404 and 503.
        if exchange.isLookup { return send(.serviceUnavailable, exchange, ("Retry-After", "1")) }
        send(.gatewayTimeout, exchange)
    }

    private func write(_ search: SearchReport, _ exchange: HttpExchange, error: String, _ hint: String) {
        begin()
        write(error: error, hint: hint)
        json.field("key", exchange.key.description)
        write(search)
    }

    func write(_ search: SearchReport) {
        json.field("hops", search.hops)
        json.field("elapsed_ms", search.elapsedMs)
    }
}

// Errors.
extension AdminAnswers {
    /// Answers with an error and nothing else.
    func fail(
        _ status: HttpStatus, _ error: String, hint: String, _ exchange: HttpExchange,
        _ header: (String, String)? = nil
    ) {
        begin()
        write(error: error, hint: hint)
        send(status, exchange, header)
    }

    func write(error: String, hint: String) {
        json.field("error", error)
        json.field("hint", hint)
    }

    func refused(_ refusal: CallRefusal, _ exchange: HttpExchange) {
        switch refusal {
        case .notReady(let seconds):
            comeBack("not ready", hint: "GET /readyz says which gate is closed", after: seconds, exchange)
        case .busy(let seconds):
            comeBack(
                "busy", hint: "too many calls are running: try again after retry_after seconds",
                after: seconds, exchange)
        case .stopping:
            comeBack("stopping", hint: "this node is shutting down: ask another one", after: 1, exchange)
        case .unsupported:
            fail(
                .notImplemented, "not implemented", hint: "this build of the node cannot do that", exchange)
        }
    }

    private func comeBack(
        _ error: String, hint: String, after seconds: Int, _ exchange: HttpExchange
    ) {
        begin()
        write(error: error, hint: hint)
        json.field("retry_after", seconds)
        send(.serviceUnavailable, exchange, ("Retry-After", String(seconds)))
    }

    func bodyFault(_ fault: HttpExchange.BodyFault, limit: Int, _ exchange: HttpExchange) {
        switch fault {
        case .tooLarge:
            begin()
            write(
                error: "too large",
                hint: "at most \(limit) bytes are taken here; RON_DHT_MAX_VALUE bounds values")
            json.field("limit", limit)
            send(.contentTooLarge, exchange)
        case .noRoom: refused(.busy(retryAfterSeconds: 1), exchange)
        }
    }

    func noSuchPath(_ routes: [Route], _ exchange: HttpExchange) {
        let paths = routes.map { "\($0.path)" + ($0.takesParameter ? "{key}" : "") }
        var seen: [String] = []
        for path in paths where !seen.contains(path) { seen.append(path) }
        fail(
            .notFound, "no such path",
            hint: "there are \(seen.joined(separator: ", ")); escape / in a key as %2F", exchange)
    }

    func methodNotAllowed(_ allow: String, _ exchange: HttpExchange) {
        fail(.methodNotAllowed, "method not allowed", hint: "use \(allow)", exchange, ("Allow", allow))
    }

    func badEscape(_ exchange: HttpExchange) {
        fail(
            .badRequest, "bad escape in path",
            hint: "a % is followed by two hexadecimal digits; write % as %25", exchange)
    }

    func badVersion(_ exchange: HttpExchange) {
        fail(.badRequest, "bad If-Match", hint: "the ETag of a value as it was got, such as \"7\"", exchange)
    }

    func badId(_ exchange: HttpExchange) {
        fail(.badRequest, "bad id", hint: "a node id has 64 hexadecimal digits", exchange)
    }

    func badLimit(_ exchange: HttpExchange) {
        fail(.badRequest, "bad limit", hint: "a whole number, 1 or more", exchange)
    }

    func badPaths(_ exchange: HttpExchange) {
        let hint = "how many disjoint paths to walk on: a whole number, 1 to \(NodeConfig.maxPaths)"
        fail(.unprocessable, "bad paths", hint: hint, exchange)
    }

    func noKey(_ exchange: HttpExchange) {
        fail(.badRequest, "no key", hint: "ask for /dht/lookup?key=KEY", exchange)
    }

    func refused(_ refusal: AdminAccess.Refusal, _ exchange: HttpExchange) {
        switch refusal {
        case .unauthorized:
            fail(
                .unauthorized, "unauthorized",
                hint: "send Authorization: Bearer <the token in RON_DHT_ADMIN_TOKEN_FILE>", exchange,
                ("WWW-Authenticate", "Bearer"))
        case .writesShut:
            fail(
                .forbidden, "writes are shut",
                hint: "the admin port is not on loopback: start the node with RON_DHT_ADMIN_TOKEN_FILE",
                exchange)
        case .debugShut:
            fail(.forbidden, "debugging is shut", hint: "the admin port is not on loopback", exchange)
        }
    }

    /// The page for people, with nothing from elsewhere and nothing that it could send elsewhere.
    func page(_ exchange: HttpExchange) {
        let answer = HttpAnswer(.ok, type: MediaType.html, text: DashboardPage.html)
        answer.header(
            "Content-Security-Policy",
            "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:; "
                + "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
        answer.header("X-Content-Type-Options", "nosniff")
        answer.header("Cache-Control", "no-cache")
        exchange.answer(answer)
    }

    func badTtl(_ exchange: HttpExchange) {
        fail(.badRequest, "bad ttl_secs", hint: "a whole number of seconds, 1 or more", exchange)
    }
}

extension SearchReport {
    /// Milliseconds with three digits behind the point.
    var elapsedMs: Double { Double(elapsedUs) / 1000 }
}
