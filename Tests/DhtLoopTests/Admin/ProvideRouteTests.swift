// RO:WHAT  Providers over HTTP: what callers of the original send, and everything that can be wrong with it.
import Testing

@testable import DhtLoop

@Suite("AdminServer providers")
struct ProvideRouteTests {
    static let cid = "b3:" + KeyTextTests.hex.lowercased()
    static let key = KeyText.key(cid)
    static let json = ["Content-Type: application/json"]

    private func body(_ text: String) -> [UInt8] { Array(text.utf8) }

    private var good: [UInt8] { body(#"{"cid":"\#(Self.cid)","node":"local://a","ttl_secs":2}"#) }

    @Test("a provide is handed over and its life is told", arguments: ["/dht/provide", "/provide"])
    func provide(path: String) throws {
        let port = try TestPort()
        port.answerAtOnce(.provided(ProvideReport(acks: 3, wanted: 3, ttlSeconds: 2, failures: [])))
        let response = try port.ask("POST", path, headers: Self.json, body: good)
        #expect(response.status == 200)
        #expect(response.text == #"{"ok":true,"ttl_secs_used":2,"acks":3,"wanted":3,"failed":[]}"# + "\n")
        let bare = body(#"{"cid":"\#(Self.cid)","node":"local://a"}"#)
        let type = ["Content-Type: Application/JSON; charset=utf-8"]
        #expect(try port.ask("POST", path, headers: type, body: bare).status == 200)
        let expected = ProvideRequest(key: Self.key, node: "local://a", ttlSeconds: 2)
        let unbounded = ProvideRequest(key: Self.key, node: "local://a", ttlSeconds: nil)
        #expect(port.node.provides == [expected, unbounded])
    }

    /// Body, status, and a part of the answer.
    static let faults: [(String, Int, String)] = [
        ("", 400, "bad JSON"), ("{", 400, "bad JSON"), (#"{"cid":1,}"#, 400, "bad JSON"),
        ("[]", 422, "an object"), ("{}", 422, "cid: "),
        (#"{"cid":"b3:deadbeef","node":"a://b"}"#, 422, "cid: "),
        (#"{"cid":"\#(cid.uppercased())","node":"a://b"}"#, 422, "cid: "),
        (#"{"cid":"\#(cid)"}"#, 422, "node: "), (#"{"cid":"\#(cid)","node":7}"#, 422, "node: "),
        (#"{"cid":"\#(cid)","node":"a://b","ttl":1}"#, 422, "ttl: "),
        (#"{"cid":"\#(cid)","node":"a://b","ttl_secs":-1}"#, 422, "ttl_secs: "),
        (#"{"cid":"\#(cid)","node":"a://b","ttl_secs":1.5}"#, 422, "ttl_secs: "),
        (#"{"cid":"\#(cid)","node":"a://b","ttl_secs":"1"}"#, 422, "ttl_secs: "),
        (#"{"cid":"\#(cid)","node":""}"#, 400, "invalid node URI"),
        (#"{"cid":"\#(cid)","node":"no-scheme"}"#, 400, "invalid node URI"),
        (#"{"cid":"\#(cid)","node":"://id"}"#, 400, "invalid node URI"),
        (#"{"cid":"\#(cid)","node":"local://"}"#, 400, "invalid node URI"),
        (#"{"cid":"\#(cid)","node":"lo cal://a"}"#, 400, "invalid node URI"),
    ]

    @Test("what is wrong is told and reaches nobody", arguments: faults)
    func faulty(text: String, status: Int, part: String) throws {
        let port = try TestPort()
        let response = try port.ask("POST", "/dht/provide", headers: Self.json, body: body(text))
        #expect(response.status == status)
        #expect(response.text.hasPrefix(#"{"error":"#) && response.text.contains(part))
        #expect(port.node.provides.isEmpty)
    }

    @Test("another content type is 415, a body over 4096 bytes is 413")
    func framework() throws {
        let port = try TestPort()
        for headers in [[], ["Content-Type: text/plain"], ["Content-Type: application/jsonx"]] {
            #expect(try port.ask("POST", "/dht/provide", headers: headers, body: good).status == 415)
        }
        let long = good + [UInt8](repeating: 0x20, count: 4096)
        #expect(try port.ask("POST", "/dht/provide", headers: Self.json, body: long).status == 413)
        #expect(port.node.provides.isEmpty)
    }

    @Test("a huge life is taken, as much of it as a number holds")
    func hugeTtl() throws {
        let port = try TestPort()
        port.answerAtOnce(.provided(ProvideReport(acks: 1, wanted: 1, ttlSeconds: 604_800, failures: [])))
        let text = #"{"cid":"\#(Self.cid)","node":"a://b","ttl_secs":18446744073709551615}"#
        let response = try port.ask("POST", "/dht/provide", headers: Self.json, body: body(text))
        #expect(response.status == 200 && response.text.contains(#""ttl_secs_used":604800"#))
        #expect(port.node.provides.first?.ttlSeconds == UInt64(Int64.max))
    }

    @Test("a provide that nobody took, or while not ready, is 503")
    func unavailable() throws {
        let port = try TestPort()
        let failure = PutReport.Failure(peer: FakeNode.peer, cause: "timeout")
        port.answerAtOnce(.provided(ProvideReport(acks: 0, wanted: 3, ttlSeconds: 2, failures: [failure])))
        let none = try port.ask("POST", "/dht/provide", headers: Self.json, body: good)
        #expect(none.status == 503 && none.text.contains(#""cause":"timeout""#))
        port.node.readiness = ReadinessReport(gates: [ReadinessReport.Gate("routing_ready", isOpen: false)])
        #expect(try port.ask("POST", "/dht/provide", headers: Self.json, body: good).status == 503)
        #expect(port.node.provides.count == 1)
    }

    @Test("providers are found, none when all said so, 504 when the deadline came first")
    func find() throws {
        let port = try TestPort()
        func report(_ providers: [String], _ complete: Bool) -> CallOutcome {
            .providers(ProvidersReport(providers: providers, isComplete: complete, search: .fake))
        }
        port.answerAtOnce(report(["a://1", "b://2"], false))
        for path in ["/dht/find_providers/", "/find/"] {
            let response = try port.ask("GET", path + Self.cid)
            #expect(response.status == 200)
            #expect(
                response.text == #"{"cid":"\#(Self.cid)","providers":["a://1","b://2"],"hops":2,"#
                    + #""elapsed_ms":1.5,"complete":false}"# + "\n")
        }
        port.answerAtOnce(report([], true))
        let none = try port.ask("GET", "/find/" + Self.cid)
        #expect(none.status == 200 && none.text.contains(#""providers":[]"#))
        port.answerAtOnce(report([], false))
        let cut = try port.ask("GET", "/find/" + Self.cid)
        #expect(cut.status == 504 && cut.text.contains(#""error":"lookup failed or timed out""#))
        #expect(port.node.searches.allSatisfy { $0 == FakeNode.Search(key: Self.key, limit: 64) })
    }

    @Test("limit bounds the providers; nonsense in it or in the cid is 400")
    func findFaults() throws {
        let port = try TestPort()
        port.answerAtOnce(.refused(.unsupported))
        #expect(try port.ask("GET", "/find/\(Self.cid)?limit=5").status == 501)
        #expect(try port.ask("GET", "/find/\(Self.cid)?limit=999999").status == 501)
        #expect(port.node.searches.map(\.limit) == [5, 64])
        for path in ["b3:deadbeef", "x", "%", "\(Self.cid)?limit=0", "\(Self.cid)?limit=x"] {
            let response = try port.ask("GET", "/find/" + path)
            #expect(response.status == 400 && response.text.contains(#""hint":"#), "\(path)")
        }
        #expect(port.node.searches.count == 2)
    }
}
