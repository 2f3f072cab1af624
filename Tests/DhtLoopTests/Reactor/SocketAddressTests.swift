// RO:WHAT  SocketAddress: texts there and back, and what is refused.
import Testing

@testable import DhtLoop

@Suite("SocketAddress")
struct SocketAddressTests {
    @Test(
        "numeric addresses read back as they are written",
        arguments: ["127.0.0.1:9700", "0.0.0.0:0", "255.255.255.255:65535", "[::1]:1", "[2001:db8::7]:443"])
    func roundTrip(text: String) { #expect(SocketAddress(text)?.description == text) }

    @Test("localhost is the loopback address")
    func localhost() { #expect(SocketAddress("localhost:80") == SocketAddress("127.0.0.1:80")) }

    @Test(
        "anything else is refused",
        arguments: [
            "", ":", ":1", "1.2.3.4", "1.2.3.4:", "1.2.3.4:65536", "1.2.3.4:+1", "1.2.3:1", "::1:80", "[::1]",
            "[::1:80", "[1.2.3.4]:80", "example.org:80", "1.2.3.4:123456", "[]:1", "1.2.3.4\0:80",
            " 1.2.3.4:80",
            "[0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000]:1",
        ])
    func refused(text: String) { #expect(SocketAddress(text) == nil) }

    @Test("a NUL does not end a host early")
    func embeddedNul() { #expect(SocketAddress("1.2.3.4\0:80") == nil) }

    @Test("a listener on port 0 tells the port that the kernel chose", arguments: ["127.0.0.1:0", "[::1]:0"])
    func chosenPort(text: String) throws {
        let listener = try Sockets.listen(on: try #require(SocketAddress(text)))
        let bound = try Sockets.boundAddress(of: listener.raw)
        #expect(bound.port != 0)
        #expect(bound.description.hasPrefix(text.dropLast(1)))
    }

    @Test("a port that is taken is an error that says so")
    func taken() throws {
        let listener = try Sockets.listen(on: try #require(SocketAddress("127.0.0.1:0")))
        let bound = try Sockets.boundAddress(of: listener.raw)
        do throws(SystemError) {
            _ = try Sockets.listen(on: bound)
            Issue.record("bound twice")
        } catch {
            #expect(error.description == "bind: Address already in use")
        }
    }
}
