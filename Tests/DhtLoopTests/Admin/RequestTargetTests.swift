// RO:WHAT  Percent-encoding and base64.
import Testing

@testable import DhtLoop

@Suite("RequestTarget")
struct RequestTargetTests {
    private func decode(_ text: String) -> [UInt8]? {
        Array(text.utf8).withUnsafeBytes { RequestTarget.decode($0) }
    }

    @Test("escapes become their bytes, of either case, and other bytes stay")
    func decoding() {
        #expect(decode("a%2fb%2FC%00%ff+") == Array("a/b/C\0".utf8) + [0xFF, UInt8(ascii: "+")])
        #expect(decode("") == [])
    }

    @Test("a broken escape is nothing", arguments: ["%", "a%", "%4", "%g0", "%0g", "%%41", "% 1", "%+1"])
    func broken(text: String) { #expect(decode(text) == nil) }

    @Test("every byte survives an escape and back")
    func everyByte() {
        for byte in UInt8.min...UInt8.max { #expect(decode("%" + Hex.string([byte])) == [byte]) }
    }

    @Test(
        "base64 is that of RFC 4648, section 10",
        arguments: [
            ("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="),
            ("fooba", "Zm9vYmE="), ("foobar", "Zm9vYmFy"),
        ])
    func base64(text: String, encoded: String) {
        #expect(Array(text.utf8).withUnsafeBytes { Base64.text($0) } == encoded)
    }
}

@Suite("Route")
struct RouteTests {
    private func match(_ method: HttpMethod, _ path: String) -> RouteMatch {
        Array(path.utf8).withUnsafeBytes { Route.match(method, $0, in: Route.common + Route.node) }
    }

    @Test("a route is found by method and path, HEAD as GET")
    func found() {
        #expect(match(.get, "/readyz") == .found(.readiness, parameter: 7..<7))
        #expect(match(.head, "/metrics") == .found(.metrics, parameter: 8..<8))
        #expect(match(.put, "/dht/kv/abc") == .found(.putValue, parameter: 8..<11))
    }

    @Test("a known path with another method says which ones it has")
    func methods() {
        #expect(match(.post, "/dht/kv/abc") == .otherMethods(allow: "GET, HEAD, PUT, DELETE"))
        #expect(match(.other, "/version") == .otherMethods(allow: "GET, HEAD"))
    }

    @Test(
        "another path is none",
        arguments: ["", "/healthzz", "/HEALTHZ", "/dht/kv/", "/dht/kv/a/b", "dht/kv/a"])
    func none(path: String) { #expect(match(.get, path) == .noSuchPath) }
}
