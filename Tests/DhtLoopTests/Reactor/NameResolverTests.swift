// RO:WHAT  Names through c-ares, answered by a DNS server of the test's own on the same loop.
import CEpoll
import Glibc
import Testing

@testable import DhtLoop

/// A DNS server that knows one name's IPv4 addresses and no IPv6 ones.
private final class TestDnsServer: EventSource {
    private let fd: FileDescriptor
    private let loop: EventLoop
    var addresses: [[UInt8]] = []
    var ttlSeconds: UInt8 = 60
    /// Questions for IPv4 addresses so far.
    private(set) var questions = 0
    var isSilent = false

    init(_ loop: EventLoop) throws {
        fd = FileDescriptor(owning: socket(AF_INET, Int32(SOCK_DGRAM.rawValue), 0))
        self.loop = loop
        super.init()
        let any = try #require(SocketAddress("127.0.0.1:0"))
        #expect(any.withSockaddr { bind(fd.raw, $0, $1) } == 0)
        loop.attach(self)
        try loop.watch(fd.raw, events: EPOLLIN.rawValue, for: self)
    }

    var address: SocketAddress { get throws { try Sockets.boundAddress(of: fd.raw) } }

    override func ready(_ events: UInt32, nowUs: UInt64) {
        var query = [UInt8](repeating: 0, count: 512)
        var peer = sockaddr_in()
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        withUnsafeMutablePointer(to: &peer) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { peer in
                let count = recvfrom(fd.raw, &query, query.count, 0, peer, &size)
                guard count > 16, !isSilent else { return }
                let reply = answer(Array(query[..<count]))
                sendto(fd.raw, reply, reply.count, 0, peer, size)
            }
        }
    }

    /// The question with its answers: RFC 1035, section 4; names are compressed to the question's.
    private func answer(_ query: [UInt8]) -> [UInt8] {
        var end = 12
        while query[end] != 0 { end += Int(query[end]) + 1 }
        let isV4 = query[end + 2] == 1
        if isV4 { questions += 1 }
        let records = isV4 ? addresses : []
        var reply = query[..<2] + [0x81, 0x80, 0, 1, 0, UInt8(records.count), 0, 0, 0, 0]
        reply += query[12..<end + 5]
        for record in records { reply += [0xC0, 12, 0, 1, 0, 1, 0, 0, 0, ttlSeconds, 0, 4] + record }
        return Array(reply)
    }
}

private final class TestClient: ResolverClient {
    var answers: [SocketAddress?] = []

    func resolved(_ address: SocketAddress?, token: UInt32, nowUs: UInt64) { answers.append(address) }
}

@Suite("NameResolver")
struct NameResolverTests {
    private let loop: EventLoop
    private let server: TestDnsServer
    private let resolver: NameResolver
    private let client = TestClient()

    init() throws {
        loop = try EventLoop()
        server = try TestDnsServer(loop)
        resolver = try NameResolver(loop: loop, servers: server.address.description)
        resolver.trust(["hub.example:9700"])
    }

    private func resolve(_ endpoint: String, nowUs: UInt64? = nil) -> ResolverAnswer {
        Array(endpoint.utf8).withUnsafeBytes {
            resolver.resolve($0, for: client, token: 7, nowUs: nowUs ?? loop.nowUs)
        }
    }

    /// Asks, and turns the loop until there is an answer.
    private func address(nowUs: UInt64? = nil) -> SocketAddress? {
        switch resolve("hub.example:9700", nowUs: nowUs) {
        case .address(let address): return address
        case .failed: return nil
        case .pending:
            let before = client.answers.count
            for _ in 0..<2000 where client.answers.count == before { loop.turn(maxWaitUs: 5000) }
            return client.answers.last ?? nil
        }
    }

    @Test("each try gets the name's next address, and asks again only after the TTL")
    func rotation() {
        server.addresses = [[127, 0, 0, 2], [127, 0, 0, 3]]
        let tried = (0..<4).map { _ in address()?.description }
        #expect(Set(tried) == ["127.0.0.2:9700", "127.0.0.3:9700"])
        #expect(tried[0] == tried[2] && tried[1] == tried[3])
        #expect(server.questions == 1)
        server.addresses = [[127, 0, 0, 9]]
        #expect(address(nowUs: loop.nowUs + 59_000_000)?.description != "127.0.0.9:9700")
        #expect(address(nowUs: loop.nowUs + 61_000_000)?.description == "127.0.0.9:9700")
        #expect(server.questions == 2)
    }

    @Test("a name without an address has none; one that had keeps what it had")
    func noAddress() {
        #expect(address() == nil)
        server.addresses = [[127, 0, 0, 2]]
        #expect(address()?.description == "127.0.0.2:9700")
        server.addresses = []
        #expect(address(nowUs: loop.nowUs + 61_000_000)?.description == "127.0.0.2:9700")
    }

    @Test("a name that no operator wrote is not looked up; numbers need no trust")
    func trust() {
        server.addresses = [[127, 0, 0, 2]]
        #expect(resolve("evil.example:9700") == .failed)
        #expect(resolve("127.0.0.5:1") == .address(SocketAddress("127.0.0.5:1")!))
        loop.turn(maxWaitUs: 0)
        #expect(server.questions == 0)
    }

    @Test("who cancels hears nothing; ending answers the others with nothing, and no timer is left")
    func ending() {
        server.isSilent = true
        #expect(resolve("hub.example:9700") == .pending)
        resolver.cancel(client: client, token: 7)
        let other = TestClient()
        let question = Array("hub.example:9700".utf8)
        question.withUnsafeBytes {
            _ = resolver.resolve($0, for: other, token: 1, nowUs: loop.nowUs)
        }
        resolver.stop()
        #expect(client.answers.isEmpty && other.answers == [nil])
        #expect(resolve("hub.example:9700") == .failed)
    }
}
