// RO:WHAT  NetworkPrefix: which addresses share a network, which have none, and that no text harms it.
import Testing

@testable import DhtLoop

@Suite("NetworkPrefix")
struct NetworkPrefixTests {
    private func network(_ text: String) -> NetworkPrefix {
        Array(text.utf8).withUnsafeBytes { NetworkPrefix(endpoint: $0) }
    }

    @Test(
        "an address lies in its /24 or its /48",
        arguments: [
            ("192.0.2.1:9700", "192.0.2.0/24"), ("192.0.2.255:1", "192.0.2.0/24"),
            ("255.255.255.255:1", "255.255.255.0/24"), ("10.0.1.1:1", "10.0.1.0/24"),
            ("[2001:db8:1:2:3:4:5:6]:1", "2001:db8:1::/48"), ("[2001:DB8:1::]:1", "2001:db8:1::/48"),
            ("[2001:db8::1]:1", "2001:db8:0::/48"), ("[::2]:1", "0:0:0::/48"),
            ("[::ffff:192.0.2.9]:1", "192.0.2.0/24"), ("[::ffff:c000:0209]:1", "192.0.2.0/24"),
            ("[1:2:3:4:5:6:7.8.9.10]:1", "1:2:3::/48"), ("[1::3:4:5:6:7:8]:1", "1:0:3::/48"),
        ])
    func literal(text: String, expected: String) { #expect(network(text).description == expected) }

    @Test(
        "loopback, names and what is no address have none",
        arguments: [
            "127.0.0.1:9700", "127.9.9.9:1", "[::1]:1", "[::]:1", "0.0.0.0:1", "[::ffff:127.0.0.1]:1",
            "node.example:9700", "1.2.3:1", "1.2.3.4.5:1", "1.2.3.256:1", "1..2.3:1", "1.2.3.0004:1", "",
            "[1:2:3:4:5:6:7]:1", "[1:2:3:4:5:6:7:8:9]:1", "[1::2::3]:1", "[12345::]:1", "[:1::2]:1", "[1:]:1",
            "[1:2:3:4:5:6:7::8]:1", "[fe80::1%eth0]:1", "[1.2.3.4::]:1", "[:::]:1",
            "[1:2:3:4:5:6:7:1.2.3.4]:1",
        ])
    func none(text: String) { #expect(network(text) == .none) }

    @Test("an endpoint's network is known with its name")
    func interned() throws {
        let table = EndpointTable()
        let (first, second) = (
            try #require(table.intern("10.0.0.1:1")), try #require(table.intern("10.0.0.2:2"))
        )
        #expect(table.network(of: first) == table.network(of: second) && table.network(of: first) != .none)
        #expect(table.network(of: .none) == NetworkPrefix.none)
    }

    @Test("no text harms it", arguments: 1...20)
    func anyText(seed: Int) {
        var generator = SeededGenerator(seed: UInt64(seed))
        let alphabet = Array("[]:::0123456789abcdefF..%g".utf8)
        for _ in 0..<500 {
            let length = Int.random(in: 0...24, using: &generator)
            let text = (0..<length).map { _ in alphabet.randomElement(using: &generator)! }
            let network = text.withUnsafeBytes { NetworkPrefix(endpoint: $0) }
            #expect(network == .none || network.description.contains("/"), "seed \(seed): \(text)")
        }
    }
}
