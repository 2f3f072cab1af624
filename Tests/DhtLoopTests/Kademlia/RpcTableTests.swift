// RO:WHAT  RpcTable: ids find their request and no other, the table is bounded.
import Testing

@testable import DhtLoop

@Suite("RpcTable")
struct RpcTableTests {
    private func rpc(_ endpoint: UInt32 = 1) -> PendingRpc {
        PendingRpc(
            id: 0, dst: NodeID(1, 1, 1, 1), endpoint: EndpointID(rawValue: endpoint), sentUs: 5, op: .ping,
            purpose: .verify)
    }

    @Test("an id finds its request until that is closed, and a guessed one finds nothing")
    func ids() throws {
        var table = RpcTable(limit: 4)
        let one = table.open(rpc(), random: 0xABCD_EF01_2345_6789)
        let first = try #require(one)
        let two = table.open(rpc(), random: 0x1111_2222_3333_4444)
        let second = try #require(two)
        #expect(table[first] != nil && table[second] != nil && table.count == 2)
        #expect(table[first ^ 1 << 40] == nil)
        table.close(first)
        #expect(table[first] == nil && table.count == 1)
        table.close(first)
        #expect(table.count == 1)
        let three = table.open(rpc(), random: 7 << 32)
        let third = try #require(three)
        #expect(third != first && table[third] != nil)
    }

    @Test("at its limit it takes no more")
    func limit() {
        var table = RpcTable(limit: 2)
        let ids = (1...3).map { table.open(rpc(), random: $0 << 20) }
        #expect(ids[0] != nil && ids[1] != nil && ids[2] == nil)
        #expect(table.isFull)
    }

    @Test("requests are found by the overlay they went to")
    func byEndpoint() throws {
        var table = RpcTable(limit: 8)
        let opened = table.open(rpc(1), random: 1 << 20)
        let near = try #require(opened)
        _ = table.open(rpc(2), random: 2 << 20)
        #expect(table.ids(to: EndpointID(rawValue: 1)) == [near])
    }
}
