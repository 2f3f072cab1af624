// RO:WHAT  HttpServer: its limits, with the time in the test's hands.
import Glibc
import Testing

@testable import DhtLoop

/// Answers every request with the length of its body, or keeps it waiting.
private final class Echo: HttpHandler {
    var waits = false

    override func accept(_ exchange: HttpExchange) { exchange.bodyLimit = 1000 }

    override func respond(to exchange: HttpExchange, nowUs: UInt64) {
        if waits { return }
        let status: HttpStatus = exchange.bodyFault == nil ? .ok : .serviceUnavailable
        exchange.answer(HttpAnswer(status, type: MediaType.bytes, body: exchange.bodyBytes))
    }
}

/// A server without a loop, and a clock that only the test moves.
private final class Bench {
    let handler = Echo()
    let server: HttpServer
    var nowUs: UInt64 = 1_000_000

    init(_ limits: HttpLimits = HttpLimits()) throws {
        server = try HttpServer(
            #require(SocketAddress("127.0.0.1:0")), handler: handler, limits: limits, nowUs: nowUs)
    }

    func client() throws -> HttpTestClient {
        try HttpTestClient(server.address) { [unowned self] in
            // A busy kernel delivers late, even on loopback: a turn gives it two milliseconds.
            var readable = pollfd(fd: server.fileDescriptor, events: Int16(POLLIN), revents: 0)
            poll(&readable, 1, 2)
            server.run(nowUs: nowUs)
        }
    }
}

@Suite("HttpServer")
struct HttpServerTests {
    @Test("a client that sends a byte now and then is cut when its time is up")
    func slowRequest() throws {
        let bench = try Bench()
        let client = try bench.client()
        for byte in "GET /" {
            client.send(String(byte))
            bench.nowUs += 5_000_000
            client.exchange()
        }
        #expect(!client.isClosed && bench.server.stats.connections == 1)
        bench.nowUs += 10_000_000
        #expect(client.waitForClose())
        #expect(bench.server.stats.overdue == 1)
    }

    @Test("time spent waiting for the network is not the client's")
    func waitingIsFree() throws {
        let bench = try Bench()
        bench.handler.waits = true
        let client = try bench.client()
        client.request("GET", "/")
        client.exchange { !bench.server.waiting.isEmpty }
        bench.nowUs += 100_000_000
        client.exchange()
        let exchange = try #require(bench.server.waiting.first)
        exchange.answer(HttpAnswer(.ok, type: MediaType.text, text: "late"))
        bench.server.answered(exchange, nowUs: bench.nowUs)
        #expect(client.response()?.text == "late")
        #expect(bench.server.stats.overdue == 0)
    }

    @Test("each request of a connection has its own time")
    func keepAlive() throws {
        let bench = try Bench()
        let client = try bench.client()
        for _ in 0..<5 {
            bench.nowUs += 20_000_000
            client.request("GET", "/")
            #expect(client.response()?.status == 200)
        }
    }

    @Test("connections over the limit wait until one is closed")
    func connectionLimit() throws {
        var limits = HttpLimits()
        limits.connections = 2
        let bench = try Bench(limits)
        let clients = try (0..<3).map { _ in try bench.client() }
        for client in clients { client.request("GET", "/") }
        #expect(clients[0].response()?.status == 200)
        #expect(clients[1].response()?.status == 200)
        for _ in 0..<20 { clients[2].exchange() }
        #expect(bench.server.stats.connections == 2)
        clients[0].hangUp()
        #expect(clients[2].response()?.status == 200)
    }

    @Test("bodies of all requests together have a bound, and what is held is given back")
    func heldBytes() throws {
        var limits = HttpLimits()
        limits.heldBytes = 1500
        let bench = try Bench(limits)
        bench.handler.waits = true
        let holder = try bench.client()
        holder.request("PUT", "/", body: [UInt8](repeating: 1, count: 1000))
        holder.exchange { !bench.server.waiting.isEmpty }
        let held = try #require(bench.server.waiting.first)
        bench.handler.waits = false
        let other = try bench.client()
        other.request("PUT", "/", body: [UInt8](repeating: 2, count: 600))
        #expect(other.response()?.status == 503)
        held.answer(HttpAnswer(.ok, type: MediaType.text, text: ""))
        #expect(holder.response()?.status == 200)
        other.request("PUT", "/", body: [UInt8](repeating: 2, count: 600))
        #expect(other.response()?.status == 200)
    }

    @Test("a refused body is read to its end, so that its client sees the answer")
    func drained() throws {
        let bench = try Bench()
        let client = try bench.client()
        client.request("PUT", "/", body: [UInt8](repeating: 3, count: 1 << 20))
        #expect(client.response()?.status == 503)
        client.request("PUT", "/", body: [1])
        #expect(client.response()?.body == [1])
    }

    @Test("a body without end is cut")
    func endlessBody() throws {
        var limits = HttpLimits()
        limits.drainBytes = 100_000
        let bench = try Bench(limits)
        let client = try bench.client()
        client.send("PUT / HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in 0..<20 { client.send("2710\r\n\(String(repeating: "x", count: 10_000))\r\n") }
        #expect(client.waitForClose())
    }

    @Test("a port that is taken is an error of bind")
    func portTaken() throws {
        let bench = try Bench()
        let error = #expect(throws: SystemError.self) {
            try HttpServer(bench.server.address, handler: Echo(), nowUs: 0)
        }
        #expect(error?.operation == "bind")
    }
}
