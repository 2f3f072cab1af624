// RO:WHAT  What a node tells of itself, versions of values, and who may do what.
import Testing

@testable import DhtLoop

@Suite("AdminServer node")
struct NodeRouteTests {
    @Test("stats have the node's numbers, sessions and last calls")
    func stats() throws {
        let stats = try #require(JsonValue(try TestPort().ask("GET", "/dht/stats").body))
        #expect(stats["id"]?.text == FakeNode.peer.description && stats["home"]?.text == "127.0.0.1:9700")
        #expect(stats["uptime_secs"] == .number(61.5) && stats["ready"] == .bool(true))
        #expect(stats["calls"]?["puts"]?.integer == 3 && stats["records"]?["count"]?.integer == 5)
        #expect(stats["queues"]?["switch_sessions"]?.integer == 2)
        guard case .array(let sessions) = stats["sessions"], case .array(let recent) = stats["recent"],
            case .array(let counts) = stats["latency"]?["get"]?["counts"],
            case .array(let bounds) = stats["latency"]?["get"]?["bounds"]
        else { throw Shape.wrong }
        #expect(sessions.first?["peer"]?.text == "127.0.0.1:9700" && sessions.first?["open"] == .bool(true))
        #expect(recent.first?["outcome"]?.text == "found" && recent.first?["secs_ago"]?.integer == 4)
        #expect(counts.count == bounds.count + 1 && counts.compactMap(\.integer).reduce(0, +) == 1)
    }

    @Test("routing shows each bucket with its peers; an unmeasured round trip is null")
    func routing() throws {
        let text = try TestPort().ask("GET", "/dht/routing").text
        #expect(
            text.hasPrefix(
                #"{"id":"\#(FakeNode.peer)","k":20,"contacts":2,"spares":1,"deepest":4,"gaps":[0,1,2,3],"#
                    + #""oldest_silence_secs":2.0,"network_size_estimate":3.0,"network_entropy_bits":1.0,"#
                    + #""buckets":[{"prefix":4,"count":2,"spares":1,"oldest_silence_secs":2.0,"peers":["#))
        #expect(text.contains(#""endpoint":"127.0.0.1:9700","rtt_ms":1.5,"seen_secs_ago":2.0,"failures":0}"#))
        #expect(text.contains(#""endpoint":"[::1]:9","rtt_ms":null,"seen_secs_ago":0.0,"failures":1}"#))
    }

    @Test("the debug list is an array, capped")
    func debugList() throws {
        let port = try TestPort()
        #expect(
            try port.ask("GET", "/dht/_debug/list").text
                == #"[{"cid":"b3:\#(KeyText.key("a"))","bytes":3,"seq":7,"secs_left":2.0,"#
                + #""entries":[{"node":"local://a","secs_left":1.5}]}]"# + "\n")
        _ = try port.ask("GET", "/dht/_debug/list?limit=10")
        _ = try port.ask("GET", "/dht/_debug/list?limit=99999")
        #expect(port.node.recordLimits == [1000, 10, 1000])
        #expect(try port.ask("GET", "/dht/_debug/list?limit=-1").status == 400)
    }

    @Test("explain tells who was asked, in what order, how far away and what they said")
    func explain() throws {
        let port = try TestPort()
        let step = ExplainReport.Step(
            peer: FakeNode.peer, endpoint: "h:1", hop: 1, askedAtUs: 500, rttUs: nil, answer: "timeout",
            contacts: 0)
        port.answerAtOnce(.explained(ExplainReport(outcome: "not_found", steps: [step], search: .fake)))
        let response = try port.ask("GET", "/dht/explain/a")
        let distance = FakeNode.peer.distance(to: KeyText.key("a"))
        #expect(response.status == 200)
        #expect(
            response.text
                == #"{"key":"\#(KeyText.key("a"))","outcome":"not_found","hops":2,"elapsed_ms":1.5,"#
                + #""asked":[{"peer":"\#(FakeNode.peer)","endpoint":"h:1","hop":1,"#
                + #""shared_bits":\#(distance.leadingZeroBitCount),"distance":"\#(distance)","#
                + #""asked_at_ms":0.5,"rtt_ms":null,"answer":"timeout","contacts":0}]}"# + "\n")
        #expect(port.node.explained == [KeyText.key("a")])
    }

    @Test("paths is handed on from wherever a lookup begins")
    func paths() throws {
        let port = try TestPort()
        port.answerAtOnce(.notFound(.fake))
        let cid = "b3:\(KeyText.key("a"))"
        for target in ["/dht/kv/a", "/dht/lookup?key=a", "/dht/explain/a", "/dht/find_providers/\(cid)"] {
            let mark = target.contains("?") ? "&" : "?"
            _ = try port.ask("GET", target)
            _ = try port.ask("GET", target + mark + "paths=8")
            for bad in ["0", "9", "-1", "x", ""] {
                let refused = try port.ask("GET", target + mark + "paths=" + bad)
                #expect(refused.status == 422 && refused.text.contains("1 to 8"), "\(target) \(bad)")
            }
        }
        _ = try port.ask("PUT", "/dht/kv/a?paths=2", body: Array("v".utf8))
        #expect(port.node.paths == [nil, 8, nil, 8, nil, 8, nil, 8, 2])
    }

    @Test("ping is 200 with the round trip, 404 for a stranger, 504 for silence, 400 for no id")
    func ping() throws {
        let port = try TestPort()
        port.answerAtOnce(.pinged(.answered(endpoint: "h:1", rttUs: 1500)))
        #expect(
            try port.ask("GET", "/dht/ping/\(FakeNode.peer)").text
                == #"{"id":"\#(FakeNode.peer)","endpoint":"h:1","rtt_ms":1.5}"# + "\n")
        port.answerAtOnce(.pinged(.unknown))
        #expect(try port.ask("GET", "/dht/ping/\(FakeNode.peer)").status == 404)
        port.answerAtOnce(.pinged(.timedOut))
        #expect(try port.ask("GET", "/dht/ping/\(FakeNode.peer)").status == 504)
        #expect(try port.ask("GET", "/dht/ping/abc").status == 400)
        #expect(port.node.pinged == [FakeNode.peer, FakeNode.peer, FakeNode.peer])
    }

    @Test("lookup is a wrapped get by query, with the codes 200, 404 and 503")
    func lookup() throws {
        let port = try TestPort()
        port.answerAtOnce(value: Array("v".utf8))
        #expect(try port.ask("GET", "/dht/lookup?key=a%2Fb").text.contains(#""value":"v""#))
        #expect(port.node.gets == [KeyText.key("a/b")])
        port.answerAtOnce(.notFound(.fake))
        #expect(try port.ask("GET", "/dht/lookup?key=a").status == 404)
        port.answerAtOnce(.timedOut(.fake))
        #expect(try port.ask("GET", "/dht/lookup?key=a").status == 503)
        #expect(try port.ask("GET", "/dht/kv/a").status == 504)
        for target in ["/dht/lookup", "/dht/lookup?key=", "/dht/lookup?key=%zz"] {
            #expect(try port.ask("GET", target).status == 400)
        }
    }

    @Test("If-Match hands over a version; another one in its place is 409 with the version that is there")
    func versions() throws {
        let port = try TestPort()
        port.answerAtOnce(.stored(.fake(acks: 3)))
        let match = ["If-Match: \"7\""]
        #expect(try port.ask("PUT", "/dht/kv/a", headers: match, body: [1]).status == 200)
        #expect(try port.ask("DELETE", "/dht/kv/a", headers: match).status == 200)
        #expect(try port.ask("DELETE", "/dht/kv/a").status == 200)
        #expect(port.node.puts.map(\.ifMatch) == [7])
        #expect(port.node.deletes.map(\.ifMatch) == [7, nil])
        port.answerAtOnce(.conflict(currentSeq: 9))
        let conflict = try port.ask("PUT", "/dht/kv/a", headers: match, body: [1])
        #expect(conflict.status == 409 && conflict.headers["etag"] == "\"9\"")
        #expect(conflict.text.contains(#""seq":9"#))
        for text in ["7", "\"x\"", "*", "\"-1\"", "\""] {
            #expect(try port.ask("PUT", "/dht/kv/a", headers: ["If-Match: \(text)"], body: [1]).status == 400)
        }
        #expect(port.node.puts.count == 2)
    }

    @Test("the page is one text that may load nothing from elsewhere")
    func page() throws {
        let response = try TestPort().ask("GET", "/")
        #expect(response.status == 200 && response.headers["content-type"] == "text/html; charset=utf-8")
        #expect(response.headers["content-security-policy"]?.hasPrefix("default-src 'none'") == true)
        #expect(response.text.hasPrefix("<!doctype html>"))
        #expect(!response.text.contains("http://") && !response.text.contains("https://"))
    }

    private enum Shape: Error { case wrong }
}

@Suite("AdminAccess")
struct AdminAccessTests {
    static let secret = "0123456789abcdef"
    static let writes = [("PUT", "/dht/kv/a"), ("DELETE", "/dht/kv/a"), ("POST", "/dht/provide")]

    @Test("off loopback, writes are shut without a token, and debugging always")
    func shut() throws {
        let port = try TestPort(host: "0.0.0.0")
        for (method, path) in Self.writes {
            let response = try port.ask(method, path, body: [1])
            #expect(response.status == 403 && response.text.contains("RON_DHT_ADMIN_TOKEN_FILE"))
        }
        #expect(try port.ask("GET", "/dht/_debug/list").status == 403)
        port.answerAtOnce(value: [1])
        #expect(try port.ask("GET", "/dht/kv/a").status == 200)
        #expect(port.node.puts.isEmpty && port.node.deletes.isEmpty && port.node.recordLimits.isEmpty)
    }

    @Test("with a token, writes need it")
    func token() throws {
        let port = try TestPort(host: "0.0.0.0")
        port.server.token = AdminToken(Self.secret + "\nnot this line")
        port.answerAtOnce(.stored(.fake(acks: 3)))
        let wrong = [
            [], ["Authorization: Bearer"], ["Authorization: Bearer \(Self.secret)x"],
            ["Authorization: Basic \(Self.secret)"], ["Authorization: \(Self.secret)"],
        ]
        for headers in wrong {
            let response = try port.ask("PUT", "/dht/kv/a", headers: headers, body: [1])
            #expect(response.status == 401 && response.headers["www-authenticate"] == "Bearer")
        }
        let right = ["Authorization: bearer \(Self.secret)"]
        #expect(try port.ask("PUT", "/dht/kv/a", headers: right, body: [1]).status == 200)
        #expect(port.node.puts.count == 1)
    }

    @Test("a token shorter than 16 bytes is none")
    func shortToken() {
        #expect(AdminToken("0123456789abcde\n0123456789abcdef") == nil)
        #expect(AdminToken("") == nil)
    }

    @Test(
        "loopback is 127.0.0.0/8 and ::1",
        arguments: [
            ("127.0.0.1:1", true), ("127.255.0.9:1", true), ("[::1]:1", true), ("0.0.0.0:1", false),
            ("10.0.0.1:1", false), ("[::]:1", false), ("[::ffff:127.0.0.1]:1", false), ("[100::1]:1", false),
        ])
    func loopback(text: String, isLoopback: Bool) throws {
        #expect(try #require(SocketAddress(text)).isLoopback == isLoopback)
    }
}
