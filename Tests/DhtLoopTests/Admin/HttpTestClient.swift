// RO:WHAT  A client and a service for the tests of the admin port, all on the test's own thread.
import CEpoll
import Glibc
import Testing

@testable import DhtLoop

/// What a server said.
struct HttpTestResponse {
    let status: Int
    let headers: [String: String]
    let body: [UInt8]

    var text: String { String(decoding: body, as: UTF8.self) }

    /// Takes the first complete response off `bytes`; nil when there is none yet. A HEAD has no body.
    init?(_ bytes: inout [UInt8], toHead: Bool) {
        let separator = Array("\r\n\r\n".utf8)
        guard let headEnd = bytes.firstIndex(of: separator) else { return nil }
        let lines = String(decoding: bytes[..<headEnd], as: UTF8.self).split(separator: "\r\n")
        status = Int(lines[0].split(separator: " ")[1]) ?? 0
        var headers: [String: String] = [:]
        for line in lines.dropFirst() {
            let parts = line.split(separator: ":", maxSplits: 1)
            headers[parts[0].lowercased()] = String(parts[1].drop { $0 == " " })
        }
        self.headers = headers
        let bodyStart = headEnd + separator.count
        let length = toHead ? 0 : Int(headers["content-length"] ?? "0") ?? 0
        guard bytes.count >= bodyStart + length else { return nil }
        body = Array(bytes[bodyStart..<bodyStart + length])
        bytes.removeFirst(bodyStart + length)
    }
}

extension [UInt8] {
    fileprivate func firstIndex(of part: [UInt8]) -> Int? {
        guard count >= part.count else { return nil }
        return (0...count - part.count).first { self[$0..<$0 + part.count].elementsEqual(part) }
    }
}

/// A client that never waits: the test turns the server between its calls.
final class HttpTestClient {
    private let fd: FileDescriptor
    private let turn: () -> Void
    private var unsent: [UInt8] = []
    private var received: [UInt8] = []
    /// The server has closed the connection.
    private(set) var isClosed = false

    init(_ address: SocketAddress, turn: @escaping () -> Void) throws {
        let dialled = try Sockets.dial(address)
        fd = (consume dialled).fd
        self.turn = turn
    }

    func send(_ text: String, body: [UInt8] = []) { unsent += Array(text.utf8) + body }

    /// A request with the length of its body.
    func request(_ method: String, _ target: String, headers: [String] = [], body: [UInt8]? = nil) {
        let all = headers + (body.map { ["Content-Length: \($0.count)"] } ?? []) + ["Host: test"]
        send("\(method) \(target) HTTP/1.1\r\n\(all.map { $0 + "\r\n" }.joined())\r\n", body: body ?? [])
    }

    /// Turns the server until a response is complete; nil when the connection ends or 500 turns bring none.
    func response(toHead: Bool = false) -> HttpTestResponse? {
        for _ in 0..<500 {
            if let response = HttpTestResponse(&received, toHead: toHead) { return response }
            guard !isClosed else { return nil }
            exchange()
        }
        return nil
    }

    /// Turns the server until it closes the connection; false when 500 turns do not bring that.
    func waitForClose() -> Bool {
        for _ in 0..<500 where !isClosed { exchange() }
        return isClosed
    }

    /// Turns the server until `isSo`; records an issue when 500 turns do not bring that.
    func exchange(
        sourceLocation: SourceLocation = #_sourceLocation, until isSo: () -> Bool
    ) {
        for _ in 0..<500 where !isSo() { exchange() }
        if !isSo() { Issue.record("500 turns in vain", sourceLocation: sourceLocation) }
    }

    /// Sends and receives what goes without waiting, with one turn of the server.
    func exchange() {
        push()
        turn()
        var chunk = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = recv(fd.raw, &chunk, chunk.count, Int32(MSG_DONTWAIT))
            if count > 0 { received += chunk[..<count] }
            if count == 0 || count < 0 && errno == ECONNRESET { isClosed = true }
            if count <= 0 { return }
        }
    }

    /// Sends what goes without waiting, and leaves the server alone.
    func push() {
        guard !unsent.isEmpty else { return }
        let flags = Int32(MSG_DONTWAIT) | Int32(MSG_NOSIGNAL)
        let count = unsent.withUnsafeBytes { Glibc.send(fd.raw, $0.baseAddress, $0.count, flags) }
        if count > 0 { unsent.removeFirst(count) }
        if count < 0, errno == EPIPE || errno == ECONNRESET { unsent = [] }
    }

    /// Shuts the client's side down, as one does that went away.
    func hangUp() { shutdown(fd.raw, Int32(SHUT_RDWR)) }
}

/// A node that does what its test says.
final class FakeNode: NodeBackend {
    struct Put: Equatable {
        let key: Key
        let value: [UInt8]
        let ttlSeconds: UInt64?
        var ifMatch: UInt64?
    }

    struct Delete: Equatable {
        let key: Key
        let ifMatch: UInt64?
    }

    struct Search: Equatable {
        let key: Key
        let limit: Int
    }

    var readiness = ReadinessReport(gates: [ReadinessReport.Gate("queues_ok", isOpen: true)])
    var puts: [Put] = []
    var gets: [Key] = []
    var deletes: [Delete] = []
    var provides: [ProvideRequest] = []
    var searches: [Search] = []
    var explained: [Key] = []
    var pinged: [NodeID] = []
    var recordLimits: [Int] = []
    /// Disjoint paths that each search and each put asked for.
    var paths: [Int?] = []
    var tickets: [AdminTicket] = []
    var onCall: (AdminTicket) -> Void = { _ in }

    func renderMetrics(into page: inout PrometheusText) { page.gauge("fake", "A fake.", 1) }

    func startPut(_ request: PutRequest, ticket: AdminTicket, nowUs: UInt64) {
        paths.append(request.paths)
        puts.append(
            Put(
                key: request.key, value: Array(request.value), ttlSeconds: request.ttlSeconds,
                ifMatch: request.ifMatch))
        started(ticket)
    }

    func startGet(_ key: Key, paths: Int?, ticket: AdminTicket, nowUs: UInt64) {
        self.paths.append(paths)
        gets.append(key)
        started(ticket)
    }

    func startDelete(_ key: Key, ifMatch: UInt64?, ticket: AdminTicket, nowUs: UInt64) {
        deletes.append(Delete(key: key, ifMatch: ifMatch))
        started(ticket)
    }

    func startProvide(_ request: ProvideRequest, ticket: AdminTicket, nowUs: UInt64) {
        provides.append(request)
        started(ticket)
    }

    func startFindProviders(
        _ key: Key, limit: Int, paths: Int?, ticket: AdminTicket, nowUs: UInt64
    ) {
        self.paths.append(paths)
        searches.append(Search(key: key, limit: limit))
        started(ticket)
    }

    func startPing(_ id: NodeID, ticket: AdminTicket, nowUs: UInt64) {
        pinged.append(id)
        started(ticket)
    }

    func startExplain(_ key: Key, paths: Int?, ticket: AdminTicket, nowUs: UInt64) {
        self.paths.append(paths)
        explained.append(key)
        started(ticket)
    }

    private func started(_ ticket: AdminTicket) {
        tickets.append(ticket)
        onCall(ticket)
    }

    static let peer = NodeID(1, 2, 3, 4)

    func stats(nowUs: UInt64) -> StatsReport {
        var metrics = DhtMetrics()
        (metrics.puts, metrics.records, metrics.ready) = (3, 5, true)
        metrics.getLatency.observe(0.003)
        let call = StatsReport.RecentCall(
            op: "get", key: KeyText.key("a"), outcome: "found", hops: 2, elapsedUs: 1500,
            endedAgoUs: 4_000_000)
        let session = StatsReport.Session(peer: "127.0.0.1:9700", isOpen: true, isKept: true, txDepth: 1)
        return StatsReport(
            id: Self.peer, home: "127.0.0.1:9700", uptimeUs: 61_500_000, metrics: metrics,
            sessions: [session],
            switchSessions: 2, recent: [call])
    }

    func routing(nowUs: UInt64) -> RoutingReport {
        let peers = [
            RoutingReport.Peer(
                id: NodeID(9, 9, 9, 9), endpoint: "127.0.0.1:9700", rttUs: 1500, lastSeenAgoUs: 2_000_000,
                failures: 0),
            RoutingReport.Peer(
                id: NodeID(8, 8, 8, 8), endpoint: "[::1]:9", rttUs: nil, lastSeenAgoUs: 0, failures: 1),
        ]
        let bucket = TableHealth.Bucket(prefix: 4, contacts: 2, spares: 1, oldestSilenceUs: 2_000_000)
        let health = TableHealth(
            contacts: 2, spares: 1, buckets: [bucket], deepest: 4, gaps: [0, 1, 2, 3],
            oldestSilenceUs: 2_000_000)
        return RoutingReport(
            id: Self.peer, k: 20, health: health, peers: [peers], networkSizeEstimate: 3,
            networkEntropyBits: 1)
    }

    func records(limit: Int, nowUs: UInt64) -> [RecordSummary] {
        recordLimits.append(limit)
        let entry = RecordSummary.Entry(node: "local://a", leftUs: 1_500_000)
        return [
            RecordSummary(key: KeyText.key("a"), byteCount: 3, seq: 7, leftUs: 2_000_000, entries: [entry])
        ]
    }
}

extension PutReport {
    static func fake(acks: Int, wanted: Int = 3, failures: [Failure] = []) -> PutReport {
        PutReport(
            acks: acks, wanted: wanted, ttlSeconds: 60, expiresAtSeconds: 1_761_534_300, hops: 2,
            elapsedUs: 1234, failures: failures)
    }
}

extension SearchReport {
    static let fake = SearchReport(hops: 2, elapsedUs: 1500)
}

/// A node's admin port on a loop of its own.
final class TestPort {
    let loop: EventLoop
    let node = FakeNode()
    let server: AdminServer

    /// Listens on loopback unless `host` says otherwise.
    init(maxValueBytes: Int = 65_536, host: String = "127.0.0.1") throws {
        loop = try EventLoop()
        server = try AdminServer(
            loop: loop, address: #require(SocketAddress("\(host):0")), node: node,
            build: BuildInfo(
                service: "svc-dht", version: "1.2.3", git: "abc", built: "now", features: ["pq"]),
            maxValueBytes: maxValueBytes)
    }

    deinit {
        server.stop()
        // A loop lets go of what was detached at the end of a turn.
        loop.turn(maxWaitUs: 0)
    }

    func client() throws -> HttpTestClient {
        try HttpTestClient(server.address) { [loop] in loop.turn(maxWaitUs: 10_000) }
    }

    /// One request on a connection of its own.
    func ask(_ method: String, _ target: String, headers: [String] = [], body: [UInt8]? = nil) throws
        -> HttpTestResponse
    {
        let client = try client()
        client.request(method, target, headers: headers, body: body)
        return try #require(client.response(toHead: method == "HEAD"))
    }

    /// Answers every call from within it.
    func answerAtOnce(_ outcome: CallOutcome) {
        node.onCall = { [unowned self] in server.complete($0, outcome, nowUs: loop.nowUs) }
    }

    /// Answers every get with `value` from within it.
    func answerAtOnce(value: [UInt8]) {
        node.onCall = { [unowned self] in found(value, $0) }
    }

    func found(_ value: [UInt8], _ ticket: AdminTicket) {
        value.withUnsafeBytes { bytes in
            let found = FoundValue(bytes: bytes, seq: 7, ttlSeconds: 60)
            server.complete(ticket, .found(found, .fake), nowUs: loop.nowUs)
        }
    }
}
