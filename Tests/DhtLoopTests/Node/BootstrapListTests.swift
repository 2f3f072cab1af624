// RO:WHAT  The bootstrap list: names become addresses, move on when one fails, and never lead to the node itself.
import Testing

@testable import DhtLoop

/// Knows names as a table of addresses, gives them in turn, and can leave a question open.
private final class TestResolver: Resolver {
    var addresses: [String: [String]] = [:]
    var waits = false
    private(set) var asked = 0
    private var waiting: [(client: any ResolverClient, token: UInt32, name: String)] = []
    private var turn = 0

    override func resolve(
        _ endpoint: UnsafeRawBufferPointer, for client: any ResolverClient, token: UInt32, nowUs: UInt64
    ) -> ResolverAnswer {
        if let address = SocketAddress(endpoint) { return .address(address) }
        asked += 1
        let name = String(decoding: endpoint, as: UTF8.self)
        guard !waits else {
            waiting.append((client, token, name))
            return .pending
        }
        return next(name).map { .address($0) } ?? .failed
    }

    override func cancel(client: any ResolverClient, token: UInt32) {
        waiting.removeAll { $0.client === client && $0.token == token }
    }

    func answerAll() {
        let all = waiting
        waiting = []
        for question in all { question.client.resolved(next(question.name), token: question.token, nowUs: 0) }
    }

    private func next(_ name: String) -> SocketAddress? {
        guard let known = addresses[name], !known.isEmpty else { return nil }
        defer { turn += 1 }
        return SocketAddress(known[turn % known.count])
    }
}

private final class TestOwner: BootstrapOwner {
    var changes = 0
    var unresolved: [String] = []

    func bootstrapChanged() { changes += 1 }
    func bootstrapUnresolved(_ entry: String) { unresolved.append(entry) }
}

@Suite("BootstrapList")
struct BootstrapListTests {
    private let loop: EventLoop
    private let endpoints = EndpointTable()
    private let resolver = TestResolver()
    private let owner = TestOwner()
    private let list: BootstrapList

    init() throws {
        loop = try EventLoop()
        loop.resolver = resolver
        list = BootstrapList(loop: loop, endpoints: endpoints, owner: owner, seed: 7)
    }

    private var attached: [String] { list.attached.map { endpoints.text($0) } }

    private func endpoint(_ text: String) throws -> EndpointID { try #require(endpoints.intern(text)) }

    /// Turns the loop until `isSo`; the pauses that are waited for begin with at most 200 ms.
    private func turn(until isSo: () -> Bool) {
        for _ in 0..<2000 where !isSo() { loop.turn(maxWaitUs: 5000) }
    }

    @Test("one overlay under a name and its address is attached to once, by the address")
    func twoNames() {
        resolver.addresses = ["hub:1": ["10.0.0.1:1"]]
        list.set(["hub:1", "10.0.0.1:1", "10.0.0.2:1"])
        #expect(attached == ["10.0.0.1:1", "10.0.0.2:1"] && owner.changes == 1)
        list.set(["10.0.0.2:1", "hub:1"])
        #expect(attached == ["10.0.0.2:1", "10.0.0.1:1"] && owner.changes == 2)
        #expect(resolver.asked == 1, "what is known stays")
    }

    @Test("a name whose session failed goes on to its next address, an address stays")
    func nextAddress() throws {
        resolver.addresses = ["hub:1": ["10.0.0.1:1", "10.0.0.2:1"]]
        list.set(["hub:1", "10.0.0.9:1"])
        list.failed(try endpoint("10.0.0.9:1"))
        list.failed(try endpoint("10.0.0.1:1"))
        turn { attached.contains("10.0.0.2:1") }
        #expect(attached == ["10.0.0.2:1", "10.0.0.9:1"])
    }

    @Test("a session that opens again ends the search for another address")
    func openedAgain() throws {
        resolver.addresses = ["hub:1": ["10.0.0.1:1", "10.0.0.2:1"]]
        list.set(["hub:1"])
        list.failed(try endpoint("10.0.0.1:1"))
        list.opened(try endpoint("10.0.0.1:1"))
        let fired = loop.timersFired
        for _ in 0..<60 { loop.turn(maxWaitUs: 5000) }
        #expect(loop.timersFired == fired && attached == ["10.0.0.1:1"])
    }

    @Test("a name without an address is told, and asked again")
    func unresolved() {
        list.set(["hub:1"])
        #expect(attached.isEmpty && owner.unresolved == ["hub:1"] && owner.changes == 0)
        resolver.addresses = ["hub:1": ["10.0.0.1:1"]]
        turn { !attached.isEmpty }
        #expect(attached == ["10.0.0.1:1"])
    }

    @Test("an address of the node itself is passed over")
    func ownAddress() throws {
        list.own = [try endpoint("10.0.0.1:1")]
        resolver.addresses = ["pods:1": ["10.0.0.1:1", "10.0.0.2:1"]]
        list.set(["pods:1", "10.0.0.1:1"])
        #expect(attached.isEmpty)
        turn { !attached.isEmpty }
        #expect(attached == ["10.0.0.2:1"] && owner.unresolved.isEmpty)
    }

    @Test("an answer to a question of the list before is not taken")
    func lateAnswer() {
        resolver.addresses = ["old:1": ["10.0.0.1:1"], "new:1": ["10.0.0.2:1"]]
        resolver.waits = true
        list.set(["old:1"])
        list.set(["new:1"])
        resolver.answerAll()
        #expect(attached == ["10.0.0.2:1"])
    }
}
