// RO:WHAT  EndpointTable: what is an endpoint, interning, collection.
import Testing

@testable import DhtLoop

@Suite("EndpointTable")
struct EndpointTests {
    private func isValid(_ text: String) -> Bool {
        Array(text.utf8).withUnsafeBytes { EndpointTable.isValid($0) }
    }

    @Test(
        "host:port and [v6]:port are endpoints",
        arguments: ["127.0.0.1:9700", "[::1]:1", "node-3.example.org:65535", "a:1"])
    func valid(text: String) { #expect(isValid(text)) }

    @Test(
        "anything else is none",
        arguments: [
            "", ":1", "host", "host:", "host:0", "host:65536", "host:99999999", "::1:9700", "ho st:1",
            "host:1x",
            "[::1:1", "h\u{7f}:1", "h\u{e9}:1", String(repeating: "h", count: 254) + ":1",
        ])
    func invalid(text: String) { #expect(!isValid(text)) }

    @Test("the same text has the same name, and its CBOR item is ready")
    func interning() throws {
        let table = EndpointTable()
        let first = try #require(table.intern("10.0.0.1:9700"))
        #expect(table.intern("10.0.0.1:9700") == first)
        #expect(table.intern("") == EndpointID.none)
        #expect(table.text(first) == "10.0.0.1:9700")
        #expect(Array(table.encoded(first)) == [0x6D] + Array("10.0.0.1:9700".utf8))
        #expect(Array(table.encoded(.none)) == [0x60])
    }

    @Test("a full table takes no more until a collection frees what nobody holds")
    func collection() throws {
        let table = EndpointTable(limit: 101)
        let names = try (1...100).map { try #require(table.intern("10.0.0.1:\($0)")) }
        #expect(table.intern("10.0.0.2:1") == nil)
        table.collect { $0 == names[4] || $0 == names[50] }
        #expect(table.count == 3)
        #expect(table.text(names[4]) == "10.0.0.1:5")
        let again = (1...100).compactMap { table.intern("10.0.0.1:\($0)") }
        #expect(Set(again).count == 100 && again[4] == names[4] && again[50] == names[50])
    }
}
