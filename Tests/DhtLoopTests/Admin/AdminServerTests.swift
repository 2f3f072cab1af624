// RO:WHAT  The admin port, spoken to over real sockets: every route, every status, answers that come later.
import Testing

@testable import DhtLoop

@Suite("AdminServer")
struct AdminServerTests {
    @Test("healthz says ok while the loop turns")
    func health() throws {
        let response = try TestPort().ask("GET", "/healthz")
        #expect(response.status == 200 && response.text == "ok")
        #expect(response.headers["content-type"] == "text/plain; charset=utf-8")
    }

    @Test("readyz is 200 or 503 with Retry-After, and shows every gate with its numbers")
    func readiness() throws {
        let port = try TestPort()
        typealias Gate = ReadinessReport.Gate
        port.node.readiness = ReadinessReport(gates: [Gate("listeners_bound", isOpen: true)])
        let ready = try port.ask("GET", "/readyz")
        #expect(ready.status == 200)
        #expect(
            ready.text == #"{"service":"svc-dht","ready":true,"degraded":false,"missing":[],"#
                + #""gates":{"listeners_bound":true},"detail":{"listeners_bound":{}},"retry_after":0}"# + "\n"
        )
        port.node.readiness = ReadinessReport(
            gates: [
                Gate("listeners_bound", isOpen: true),
                Gate("routing_ready", isOpen: false, numbers: [("entries", 3), ("entries_wanted", 20)]),
            ], retryAfterSeconds: 2)
        let waiting = try port.ask("GET", "/readyz")
        #expect(waiting.status == 503 && waiting.headers["retry-after"] == "2")
        #expect(
            waiting.text
                == #"{"service":"svc-dht","ready":false,"degraded":true,"missing":["routing_ready"],"#
                + #""gates":{"listeners_bound":true,"routing_ready":false},"#
                + #""detail":{"listeners_bound":{},"routing_ready":{"entries":3,"entries_wanted":20}},"#
                + #""retry_after":2}"# + "\n")
    }

    @Test("metrics are the text format, version 0.0.4")
    func metrics() throws {
        let response = try TestPort().ask("GET", "/metrics")
        #expect(response.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8")
        #expect(response.text.contains("fake 1\n"))
    }

    @Test("version names the build")
    func version() throws {
        let response = try TestPort().ask("GET", "/version")
        #expect(
            response.text
                == #"{"service":"svc-dht","version":"1.2.3","git":"abc","built":"now","features":["pq"]}"#
                + "\n")
    }

    @Test(
        "HEAD has the headers of GET and no body",
        arguments: [
            "/", "/healthz", "/readyz", "/metrics", "/version", "/dht/stats", "/dht/routing",
            "/dht/_debug/list",
        ])
    func head(path: String) throws {
        let port = try TestPort()
        let head = try port.ask("HEAD", path)
        let get = try port.ask("GET", path)
        #expect(head.status == get.status && head.body.isEmpty)
        #expect(head.headers["content-length"] == get.headers["content-length"])
    }

    @Test(
        "a path that is not there is 404 with a hint",
        arguments: [
            "/index.html", "/healthz/", "/dht/kv", "/dht/kv/", "/dht/kv/a/b", "/dht%2Fkv/a", "//healthz",
        ])
    func noSuchPath(path: String) throws {
        let response = try TestPort().ask("GET", path)
        #expect(response.status == 404)
        #expect(response.text.hasPrefix(#"{"error":"no such path","hint":"there are /healthz, "#))
    }

    @Test(
        "another method is 405 with Allow",
        arguments: [
            ("POST", "/healthz", "GET, HEAD"), ("BREW", "/readyz", "GET, HEAD"),
            ("POST", "/dht/kv/a", "GET, HEAD, PUT, DELETE"), ("DELETE", "/", "GET, HEAD"),
        ])
    func otherMethod(method: String, path: String, allow: String) throws {
        let response = try TestPort().ask(method, path, body: [1, 2, 3])
        #expect(response.status == 405 && response.headers["allow"] == allow)
        #expect(response.text == #"{"error":"method not allowed","hint":"use \#(allow)"}"# + "\n")
    }

    @Test("a switch's port has no values")
    func switchPort() throws {
        let loop = try EventLoop()
        let backend = FakeNode()
        let server = try AdminServer(
            loop: loop, address: #require(SocketAddress("127.0.0.1:0")), backend: backend as any AdminBackend,
            build: BuildInfo(service: "svc-overlay", version: "1", git: "a", built: "b"))
        defer {
            server.stop()
            loop.turn(maxWaitUs: 0)
        }
        let client = try HttpTestClient(server.address) { loop.turn(maxWaitUs: 10_000) }
        client.request("GET", "/dht/kv/a")
        #expect(client.response()?.status == 404)
        client.request("GET", "/version")
        #expect(client.response()?.text.contains("svc-overlay") == true)
    }
}

@Suite("AdminServer values")
struct AdminServerValueTests {
    static let peer = NodeID(1, 2, 3, 4)

    @Test("a put hands over key, value and ttl, and tells what became of it")
    func put() throws {
        let port = try TestPort()
        port.answerAtOnce(.stored(.fake(acks: 3)))
        let value: [UInt8] = [0, 255, 10, 13]
        let response = try port.ask("PUT", "/dht/kv/greeting?ttl_secs=60", body: value)
        let key = KeyText.key("greeting")
        #expect(port.node.puts == [FakeNode.Put(key: key, value: value, ttlSeconds: 60)])
        #expect(response.status == 200)
        #expect(
            response.text == #"{"key":"\#(key)","acks":3,"wanted":3,"ttl_secs_used":60,"#
                + #""expires_at":1761534300,"hops":2,"elapsed_ms":1.234,"failed":[]}"# + "\n")
    }

    @Test("a put under the wanted acks is 202 and names who failed; one that nobody stored is 503")
    func partialPut() throws {
        let port = try TestPort()
        let failure = PutReport.Failure(peer: Self.peer, cause: "timeout")
        port.answerAtOnce(.stored(.fake(acks: 2, failures: [failure])))
        let partial = try port.ask("PUT", "/dht/kv/a", body: [1])
        #expect(partial.status == 202)
        #expect(partial.text.contains(#""failed":[{"peer":"\#(Self.peer)","cause":"timeout"}]"#))
        port.answerAtOnce(.stored(.fake(acks: 0, failures: [failure])))
        let none = try port.ask("PUT", "/dht/kv/a", body: [1])
        #expect(none.status == 503 && none.headers["retry-after"] == "1")
        #expect(none.text.hasPrefix(#"{"error":"nobody stored the value""#))
    }

    @Test("keys are taken literally, hashed, and decoded from their escapes")
    func keys() throws {
        let port = try TestPort()
        port.answerAtOnce(.notFound(.fake))
        for text in [KeyTextTests.hex, "b3:" + KeyTextTests.hex, "a%2Fb%20%00", "%e2%82%ac", "+"] {
            _ = try port.ask("GET", "/dht/kv/" + text)
        }
        let expected = [KeyTextTests.hex, KeyTextTests.hex, "a/b \0", "€", "+"].map { KeyText.key($0) }
        #expect(port.node.gets == expected)
    }

    @Test(
        "a broken escape or ttl is 400 and reaches nobody",
        arguments: ["%", "%4", "a%zz", "%4%", "a?ttl_secs=x"])
    func badRequest(target: String) throws {
        let port = try TestPort()
        let response = try port.ask("PUT", "/dht/kv/" + target, body: [1])
        #expect(response.status == 400 && response.text.contains(#""hint":"#))
        #expect(port.node.puts.isEmpty)
    }

    @Test("a get that waits is answered when its value comes, to the byte")
    func suspendedGet() throws {
        let port = try TestPort()
        let client = try port.client()
        client.request("GET", "/dht/kv/a")
        client.exchange { !port.node.tickets.isEmpty }
        port.found([0, 1, 2, 0xFF, 0], port.node.tickets[0])
        let response = try #require(client.response())
        #expect(response.status == 200 && response.body == [0, 1, 2, 0xFF, 0])
        #expect(response.headers["etag"] == "\"7\"")
        #expect(response.headers["content-type"] == "application/octet-stream")
        #expect(response.headers["x-dht-ttl-secs"] == "60" && response.headers["x-dht-hops"] == "2")
        #expect(response.headers["x-dht-elapsed-ms"] == "1.5")
        #expect(port.server.stats.requests == 1)
    }

    @Test("an empty value is found and is not the same as none")
    func emptyValue() throws {
        let port = try TestPort()
        port.answerAtOnce(.stored(.fake(acks: 1, wanted: 1)))
        #expect(try port.ask("PUT", "/dht/kv/a", body: []).status == 200)
        #expect(try port.ask("PUT", "/dht/kv/a").status == 200)
        #expect(port.node.puts.map(\.value) == [[], []])
        port.answerAtOnce(value: [])
        let response = try port.ask("GET", "/dht/kv/a")
        #expect(response.status == 200 && response.body.isEmpty && response.headers["content-length"] == "0")
    }

    @Test("json=1 wraps a value: text as it is, other bytes as base64")
    func wrapped() throws {
        let port = try TestPort()
        port.answerAtOnce(value: Array("é\"".utf8))
        let key = KeyText.key("a")
        let head = #"{"key":"\#(key)","seq":7,"ttl_secs":60,"hops":2,"elapsed_ms":1.5,"#
        #expect(
            try port.ask("GET", "/dht/kv/a?json=1").text == head + #""encoding":"utf-8","value":"é\""}"#
                + "\n")
        port.answerAtOnce(value: [0xFF, 0])
        #expect(
            try port.ask("GET", "/dht/kv/a?json").text == head + #""encoding":"base64","value":"/wA="}"#
                + "\n")
        #expect(try port.ask("GET", "/dht/kv/a?json=0").body == [0xFF, 0])
    }

    @Test("not found, timed out and refused are told apart")
    func misses() throws {
        let port = try TestPort()
        let outcomes: [(CallOutcome, Int, String)] = [
            (.notFound(.fake), 404, "not found"), (.timedOut(.fake), 504, "timed out"),
            (.refused(.busy(retryAfterSeconds: 3)), 503, "busy"),
            (.refused(.notReady(retryAfterSeconds: 4)), 503, "not ready"),
        ]
        for (outcome, status, error) in outcomes {
            port.answerAtOnce(outcome)
            let response = try port.ask("GET", "/dht/kv/a")
            #expect(response.status == status)
            #expect(response.text.hasPrefix(#"{"error":"\#(error)","hint":"#))
            #expect((response.headers["retry-after"] != nil) == (status == 503))
        }
    }

    @Test("a put while not ready is 503 and reaches nobody; a get is tried all the same")
    func notReady() throws {
        let port = try TestPort()
        port.node.readiness = ReadinessReport(
            gates: [ReadinessReport.Gate("routing_ready", isOpen: false)], retryAfterSeconds: 5)
        let response = try port.ask("PUT", "/dht/kv/a", body: [1])
        #expect(response.status == 503 && response.headers["retry-after"] == "5")
        #expect(port.node.puts.isEmpty)
        port.answerAtOnce(value: [1])
        #expect(try port.ask("GET", "/dht/kv/a").status == 200)
    }

    @Test("a value at the limit is taken, one byte more is 413 with the limit", arguments: [1, 100, 65_536])
    func valueLimit(limit: Int) throws {
        let port = try TestPort(maxValueBytes: limit)
        port.answerAtOnce(.stored(.fake(acks: 3)))
        let value = (0..<limit).map { UInt8(truncatingIfNeeded: $0) }
        #expect(try port.ask("PUT", "/dht/kv/a", body: value).status == 200)
        #expect(port.node.puts.first?.value == value)
        let response = try port.ask("PUT", "/dht/kv/a", body: value + [0])
        #expect(response.status == 413 && response.text.contains(#""limit":\#(limit)"#))
        #expect(port.node.puts.count == 1)
    }

    @Test("a body of unknown length is limited as it comes")
    func chunkedBody() throws {
        let port = try TestPort(maxValueBytes: 8)
        port.answerAtOnce(.stored(.fake(acks: 3)))
        let head = "PUT /dht/kv/a HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n"
        let client = try port.client()
        client.send(head + "3\r\nabc\r\n5\r\ndefgh\r\n0\r\n\r\n")
        #expect(client.response()?.status == 200)
        #expect(port.node.puts.map(\.value) == [Array("abcdefgh".utf8)])
        client.send(head + "3\r\nabc\r\n6\r\ndefghi\r\n0\r\n\r\n")
        #expect(client.response()?.status == 413)
        #expect(port.node.puts.count == 1)
    }

    @Test("a client that asks before it sends too much is told at once")
    func expectContinue() throws {
        let port = try TestPort(maxValueBytes: 8)
        let client = try port.client()
        client.send("PUT /dht/kv/a HTTP/1.1\r\nHost: t\r\nContent-Length: 9\r\nExpect: 100-continue\r\n\r\n")
        #expect(client.response()?.status == 413)
    }

    @Test("a body announced as huge is refused without waiting for it")
    func hugeBody() throws {
        let port = try TestPort()
        let client = try port.client()
        client.send("PUT /dht/kv/a HTTP/1.1\r\nHost: t\r\nContent-Length: 99999999999\r\n\r\n")
        #expect(client.response()?.status == 413)
    }
}

@Suite("AdminServer life")
struct AdminServerLifeTests {
    @Test("a client that goes away while its call runs leaves nothing behind")
    func clientGoesAway() throws {
        let port = try TestPort()
        let client = try port.client()
        client.request("GET", "/dht/kv/a")
        client.exchange { !port.node.tickets.isEmpty }
        let ticket = port.node.tickets[0]
        client.hangUp()
        client.exchange()
        port.found([1, 2, 3], ticket)
        #expect(client.waitForClose())
        client.exchange { port.server.stats.connections == 0 }
        port.found([1, 2, 3], ticket)
        #expect(try port.ask("GET", "/healthz").status == 200)
    }

    @Test("a ticket answers its own request once, and never the next one of the same connection")
    func staleTicket() throws {
        let port = try TestPort()
        let client = try port.client()
        client.request("GET", "/dht/kv/a")
        client.exchange { !port.node.tickets.isEmpty }
        let first = port.node.tickets[0]
        port.found([1], first)
        port.found([2], first)
        #expect(client.response()?.body == [1])
        client.request("GET", "/dht/kv/b")
        client.exchange { port.node.tickets.count == 2 }
        #expect(port.node.tickets[1] != first)
        port.found([3], first)
        port.server.complete(AdminTicket(rawValue: .max), .notFound(.fake), nowUs: port.loop.nowUs)
        port.found([4], port.node.tickets[1])
        #expect(client.response()?.body == [4])
    }

    @Test("calls of many clients are answered in any order")
    func manyClients() throws {
        let port = try TestPort()
        let clients = try (0..<20).map { _ in try port.client() }
        for (index, client) in clients.enumerated() {
            client.request("GET", "/dht/kv/\(index)")
            client.exchange { port.node.tickets.count > index }
        }
        for index in clients.indices.reversed() { port.found([UInt8(index)], port.node.tickets[index]) }
        for (index, client) in clients.enumerated() {
            #expect(client.response()?.body == [UInt8(index)])
        }
    }

    @Test("requests that come in one piece are answered one by one")
    func pipelining() throws {
        let port = try TestPort()
        port.answerAtOnce(value: [7])
        let client = try port.client()
        for _ in 0..<3 {
            client.request("GET", "/healthz")
            client.request("GET", "/dht/kv/a")
        }
        for _ in 0..<3 {
            #expect(client.response()?.text == "ok")
            #expect(client.response()?.body == [7])
        }
    }

    @Test("stopping answers what waits and closes")
    func stop() throws {
        let port = try TestPort()
        let client = try port.client()
        client.request("GET", "/dht/kv/a")
        client.exchange { !port.node.tickets.isEmpty }
        port.server.stop()
        let response = try #require(client.response())
        #expect(response.status == 503 && response.text.hasPrefix(#"{"error":"stopping""#))
        #expect(client.waitForClose())
        port.found([1], port.node.tickets[0])
        port.server.stop()
    }

    @Test("a request that comes as the port stops is told so, and is not begun")
    func stopAsOneComes() throws {
        let port = try TestPort()
        let client = try port.client()
        client.request("GET", "/healthz")
        #expect(client.response()?.status == 200)
        client.request("GET", "/dht/kv/a")
        client.push()
        port.server.stop()
        #expect(client.response()?.status == 503)
        #expect(client.waitForClose() && port.node.tickets.isEmpty)
    }

    @Test("an idle port has no timer, an open connection has one")
    func idle() throws {
        let port = try TestPort()
        let client = try port.client()
        client.request("GET", "/healthz")
        #expect(client.response()?.status == 200)
        client.hangUp()
        client.exchange { port.server.stats.connections == 0 }
        let turns = port.loop.timersFired
        port.loop.turn(maxWaitUs: 20_000)
        #expect(port.loop.timersFired == turns)
    }

    enum NoHttp: String, CaseIterable {
        case version = "GET /healthz HTTP/9.9\r\nHost: t\r\n\r\n"
        case binary = "\u{1} \u{2} \u{3}\r\n\r\n"
        case length = "GET /healthz HTTP/1.1\r\nContent-Length: x\r\n\r\n"
        /// Made longer by the test.
        case longTarget = "GET /"
        case longHeader = "GET / HTTP/1.1\r\nA: "

        var text: String {
            switch self {
            case .longTarget, .longHeader: rawValue + String(repeating: "a", count: 1 << 20) + "\r\n\r\n"
            default: rawValue
            }
        }
    }

    @Test("what is no HTTP is refused and counted", arguments: NoHttp.allCases)
    func notHttp(kind: NoHttp) throws {
        let port = try TestPort()
        let client = try port.client()
        client.send(kind.text)
        if let response = client.response() { #expect(response.status >= 400) }
        #expect(client.waitForClose())
        #expect(port.server.rejected == 1)
        #expect(try port.ask("GET", "/healthz").status == 200)
    }
}
