// RO:WHAT  Answers about providers of content.
// RO:WHY   Names and codes are those that callers of the original know; what was added says more.
// RO:TEST  Tests/DhtLoopTests/Admin/ProvideRouteTests.swift

extension AdminAnswers {
    /// 200 when somebody took it, 503 when nobody did.
    func provided(_ report: ProvideReport, _ exchange: HttpExchange) {
        begin()
        if report.acks == 0 {
            write(
                error: "nobody took the provider", hint: "see failed for each node's reason, then try again")
        } else {
            json.field("ok", true)
        }
        json.field("ttl_secs_used", report.ttlSeconds)
        json.field("acks", report.acks)
        json.field("wanted", report.wanted)
        write(report.failures)
        if report.acks == 0 { return send(.serviceUnavailable, exchange, ("Retry-After", "1")) }
        send(.ok, exchange)
    }

    /// 200, with no providers too when the closest nodes all said so; 504 when the deadline came before any.
    func providers(_ report: ProvidersReport, _ exchange: HttpExchange) {
        begin()
        let isCut = report.providers.isEmpty && !report.isComplete
        if isCut {
            write(
                error: "lookup failed or timed out",
                hint: "there may be providers: try again, or raise RON_DHT_DEADLINE_MS")
        }
        json.field("cid", ContentId.text(exchange.key))
        json.field("providers", report.providers)
        write(report.search)
        json.field("complete", report.isComplete)
        send(isCut ? .gatewayTimeout : .ok, exchange)
    }

    func provideFault(_ fault: ProvideFault, _ exchange: HttpExchange) {
        switch fault {
        case .mediaType:
            fail(
                .unsupportedMediaType, "unsupported media type", hint: "send Content-Type: application/json",
                exchange)
        case .syntax:
            fail(
                .badRequest, "bad JSON", hint: #"send {"cid":"b3:<64 hex>","node":"<scheme>://<id>"}"#,
                exchange)
        case .field(let name, let expected):
            fail(.unprocessable, "bad field", hint: "\(name): \(expected)", exchange)
        case .nodeUri:
            fail(
                .badRequest, "invalid node URI",
                hint: "<scheme>://<id> without white space, at most \(NodeUri.maxBytes) bytes", exchange)
        }
    }

    func badCid(_ exchange: HttpExchange) {
        fail(.badRequest, "bad cid", hint: "a cid is \(ContentId.shape)", exchange)
    }
}
