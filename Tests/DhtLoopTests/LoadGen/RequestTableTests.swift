// RO:WHAT  RequestTable: names of requests, late answers, the bound.
import Testing

@testable import DhtLoop

@Suite("RequestTable")
struct RequestTableTests {
    private let request = LoadRequest(op: .get, intendedNs: 7)

    @Test("a request is finished once, by its own id")
    func once() throws {
        var table = RequestTable(limit: 4)
        let added = table.add(request)
        let rpc = try #require(added)
        #expect(table.peek(rpc) == request)
        #expect(table.finish(rpc ^ 1 << 40) == nil)
        #expect(table.finish(rpc) == request)
        #expect(table.finish(rpc) == nil)
        #expect(table.count == 0)
    }

    @Test("an answer that comes late does not finish the request that took the slot since")
    func late() throws {
        var table = RequestTable(limit: 1)
        let first = table.add(request)
        let old = try #require(first)
        #expect(table.add(request) == nil)
        #expect(table.expire(intendedBefore: 8) == 1)
        let second = table.add(request)
        let young = try #require(second)
        #expect(young != old)
        #expect(table.finish(old) == nil)
        #expect(table.finish(young) == request)
    }

    @Test("only requests meant for before the given instant expire")
    func expiry() {
        var table = RequestTable(limit: 4)
        for ns: UInt64 in 5...8 { _ = table.add(LoadRequest(op: .ping, intendedNs: ns)) }
        #expect(table.expire(intendedBefore: 7) == 2)
        #expect(table.count == 2)
    }

    @Test("ids are as long on the wire as random ones", arguments: 0..<3)
    func length(uses: Int) throws {
        var table = RequestTable(limit: 4)
        for _ in 0..<uses {
            let added = table.add(request)
            _ = table.finish(try #require(added))
        }
        let added = table.add(request)
        #expect(try #require(added) >> 63 == 1)
    }

    @Test("any 64-bit id that a peer invents finds nobody")
    func invented() {
        var table = RequestTable(limit: 4)
        _ = table.add(request)
        for rpc: UInt64 in [0, 1, .max, 1 << 63 | 1, 0xFFFF_FFFF] { #expect(table.finish(rpc) == nil) }
    }
}
