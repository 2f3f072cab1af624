// RO:WHAT  The commands as processes: what they print, and the codes they end with.
import Testing

@testable import DhtLoop

@Suite("Command line")
struct CommandLineTests {
    private let port: TestPort

    init() throws { port = try TestPort() }

    /// Runs svc-dht against the test's node.
    private func run(
        _ arguments: String..., environment: [String: String] = [:], input: [UInt8] = []
    ) throws -> ChildResult {
        let variables = environment.merging(["RON_DHT_ADDR": port.server.address.description]) { own, _ in own
        }
        let child = ChildProcess("svc-dht", arguments, environment: variables, input: input)
        return try #require(child.wait { port.loop.turn(maxWaitUs: 10_000) })
    }

    @Test("put hands over its argument, a file or standard input, and says what became of it")
    func put() throws {
        port.answerAtOnce(.stored(.fake(acks: 3)))
        let result = try run("put", "greeting", "hello")
        #expect(result.code == 0 && result.errors.isEmpty)
        let key = KeyText.key("greeting")
        #expect(result.text == "stored \(key) on 3 of 3 nodes, for 60 s, in 1.234 ms\n")
        let binary: [UInt8] = [0, 255, 10, 0]
        #expect(try run("put", "binary", "-", "--ttl-secs", "5", input: binary).code == 0)
        #expect(try run("put", "a/b %", "--file", "/dev/null").code == 0)
        #expect(port.node.puts.map(\.value) == [Array("hello".utf8), binary, []])
        #expect(port.node.puts.map(\.key) == [key, KeyText.key("binary"), KeyText.key("a/b %")])
        #expect(port.node.puts.map(\.ttlSeconds) == [nil, 5, nil])
    }

    @Test("put under the wanted copies ends with 1 and names who failed")
    func partialPut() throws {
        let peer = NodeID(1, 2, 3, 4)
        port.answerAtOnce(
            .stored(.fake(acks: 1, failures: [PutReport.Failure(peer: peer, cause: "timeout")])))
        let result = try run("put", "a", "b")
        #expect(result.code == 1 && result.text.contains("1 of 3 nodes"))
        #expect(result.errors.contains("\(peer): timeout"))
        let json = try run("put", "a", "b", "--json")
        #expect(json.code == 1 && JsonValue(json.output)?["acks"]?.integer == 1 && json.errors.isEmpty)
    }

    @Test("get prints the value to the byte")
    func get() throws {
        let value = (0...255).map { UInt8($0) }
        port.answerAtOnce(value: value)
        let result = try run("get", "a")
        #expect(result.code == 0 && result.output == value)
        let json = try run("get", "a", "--json")
        #expect(json.code == 0 && JsonValue(json.output)?["encoding"]?.text == "base64")
    }

    @Test("--paths goes along with every lookup, and is refused before one when it is none")
    func paths() throws {
        port.answerAtOnce(.notFound(.fake))
        _ = try run("get", "a", "--json", "--paths", "4")
        _ = try run("put", "a", "b", "--ttl-secs", "5", "--paths", "2")
        _ = try run("explain", "a", "--paths", "8")
        _ = try run("find", "b3:\(KeyText.key("a"))", "--limit", "3", "--paths", "1")
        #expect(port.node.paths == [4, 2, 8, 1])
        #expect(port.node.puts.map(\.ttlSeconds) == [5] && port.node.searches.map(\.limit) == [3])
        #expect(try run("get", "a", "--paths", "9").code == 2)
        #expect(port.node.paths.count == 4)
    }

    @Test("get of what is not there, or not found in time, ends with 1 and prints no value")
    func misses() throws {
        port.answerAtOnce(.notFound(.fake))
        let missing = try run("get", "a")
        #expect(missing.code == 1 && missing.output.isEmpty)
        #expect(
            missing.errors == "svc-dht: not found: the closest nodes all answered and none has this key\n")
        port.answerAtOnce(.timedOut(.fake))
        #expect(try run("get", "a").errors.hasPrefix("svc-dht: timed out: "))
    }

    @Test("status tells ready from not ready, for people, programs and scripts")
    func status() throws {
        let address = port.server.address.description
        let ready = try run("status")
        #expect(ready.code == 0)
        #expect(ready.text == "svc-dht 1.2.3 (git abc) at \(address): ready\n  ok  queues_ok\n")
        typealias Gate = ReadinessReport.Gate
        port.node.readiness = ReadinessReport(gates: [
            Gate("queues_ok", isOpen: true),
            Gate("routing_ready", isOpen: false, numbers: [("sessions", 1), ("entries", 3)]),
        ])
        let waiting = try run("status")
        #expect(waiting.code == 1 && waiting.text.hasSuffix("  no  routing_ready  sessions 1, entries 3\n"))
        let json = try run("status", "--json")
        #expect(json.code == 1)
        let answer = try #require(JsonValue(json.output))
        #expect(answer["version"]?["service"]?.text == "svc-dht")
        #expect(answer["readiness"]?["ready"] == .bool(false))
    }

    @Test("no node is code 4, with what was tried and how to start one")
    func unreachable() throws {
        let result = try run("get", "a", "--node", "127.0.0.1:1")
        #expect(result.code == 4 && result.output.isEmpty)
        #expect(result.errors.contains("no node answers at 127.0.0.1:1: Connection refused"))
        #expect(result.errors.contains("svc-dht run --admin-addr 127.0.0.1:1"))
    }

    @Test(
        "bad usage is code 2",
        arguments: [
            ["--bogus"], ["put"], ["put", "a"], ["put", "a", "b", "--file", "c"], ["get"], ["get", ""],
            ["get", "a", "--node", "nowhere"], ["get", "a", "--timeout", "0"],
            ["put", "a", "--file", "/nonexistent"], ["get", "a", "--token-file", "/nonexistent"],
            ["bench", "--overlay", "127.0.0.1:1", "--op", "get=9223372036854775807,put"],
            ["run", "--k", "many"], ["--log", "loud"], ["frobnicate"],
        ])
    func usage(arguments: [String]) throws {
        let child = ChildProcess("svc-dht", arguments)
        let result = try #require(child.wait { port.loop.turn(maxWaitUs: 10_000) })
        #expect(result.code == 2 && result.output.isEmpty && !result.errors.isEmpty)
    }

    @Test("a variable that does not parse is code 2 and names itself")
    func configuration() throws {
        let result = try run("run", environment: ["RON_DHT_ALPHA": "x"])
        #expect(result.code == 2)
        #expect(result.errors == "svc-dht: RON_DHT_ALPHA: \"x\" is not a whole number from 1 to 16\n")
        let overlay = ChildProcess("svc-overlay", [], environment: ["SVC_OVERLAY_MAX_CONNS": "x"])
        let second = try #require(overlay.wait { port.loop.turn(maxWaitUs: 10_000) })
        #expect(second.code == 2 && second.errors.hasPrefix("svc-overlay: SVC_OVERLAY_MAX_CONNS: "))
    }

    @Test("delete, provide and find say what became of them, and end with 1 when nothing did")
    func writes() throws {
        port.answerAtOnce(.stored(.fake(acks: 3)))
        #expect(try run("delete", "a").text == "deleted \(KeyText.key("a")) on 3 of 3 nodes\n")
        port.answerAtOnce(.stored(.fake(acks: 1)))
        #expect(try run("delete", "a").code == 1)
        let cid = ProvideRouteTests.cid
        port.answerAtOnce(.provided(ProvideReport(acks: 1, wanted: 1, ttlSeconds: 9, failures: [])))
        #expect(try run("provide", cid, "a://b", "--ttl", "5").text == "provided \(cid) by a://b for 9 s\n")
        #expect(port.node.provides.first?.ttlSeconds == 5)
        let bad = try run("provide", "b3:x", "a://b")
        #expect(bad.code == 1 && bad.errors.contains("bad field: cid"))
        port.answerAtOnce(
            .providers(ProvidersReport(providers: ["a://1", "a://2"], isComplete: true, search: .fake)))
        #expect(try run("find", cid, "--limit", "2").text == "a://1\na://2\n")
        #expect(port.node.searches.last?.limit == 2)
        port.answerAtOnce(.providers(ProvidersReport(providers: [], isComplete: true, search: .fake)))
        let none = try run("find", cid)
        #expect(none.code == 1 && none.errors == "svc-dht: nobody provides \(cid)\n")
    }

    @Test("ping, table and explain draw what the node tells, or print it as JSON")
    func look() throws {
        port.answerAtOnce(.pinged(.answered(endpoint: "h:1", rttUs: 1500)))
        #expect(try run("ping", FakeNode.peer.description).text == "\(FakeNode.peer) at h:1: 1.5 ms\n")
        #expect(try run("ping", "abc").code == 2)
        let table = try run("table", "--peers").text
        #expect(table.contains("   4 |####    ") && table.contains("| 2 + 1\n"))
        #expect(table.contains("127.0.0.1:9700  1.5 ms\n") && table.contains("[::1]:9  -\n"))
        #expect(table.contains("about 3 nodes in the network; oldest silence 2 s; nobody at 0, 1, 2, 3\n"))
        #expect(JsonValue(try run("table", "--json").output)?["contacts"]?.integer == 2)
        let step = ExplainReport.Step(
            peer: FakeNode.peer, endpoint: "h:1", hop: 1, askedAtUs: 500, rttUs: 2500, answer: "nodes",
            contacts: 20)
        port.answerAtOnce(.explained(ExplainReport(outcome: "not_found", steps: [step], search: .fake)))
        let explained = try run("explain", "a").text
        #expect(
            explained.contains("\(KeyText.key("a")): not_found") && explained.contains("nodes (20 contacts)"))
    }

    @Test("config prints every setting with its source and its clamp, for people and for programs")
    func showConfig() throws {
        let environment = ["DHT_K": "99", "RON_DHT_ADDR": "127.0.0.1:7"]
        let result = try run("config", "--alpha", "5", environment: environment)
        #expect(result.code == 0 && result.errors.isEmpty)
        let lines = result.text.split(separator: "\n").map { $0.split(separator: " ").map(String.init) }
        #expect(lines.map { $0[0] } == NodeSettings.facts.map(\.name))
        #expect(lines.contains(["RON_DHT_K", "64", "fallback", "DHT_K,", "clamped", "from", "99"]))
        #expect(lines.contains(["RON_DHT_ALPHA", "5", "flag", "--alpha"]))
        let json = try run("config", "--json", environment: environment)
        guard case .array(let settings) = JsonValue(json.output) else { throw CommandLineFault.noArray }
        let k = settings.first { $0["name"]?.text == "RON_DHT_K" }
        #expect(k?["value"]?.text == "64" && k?["clamped_from"]?.text == "99")
        #expect(try run("config", environment: ["RON_DHT_K": "x"]).code == 2)
    }

    private enum CommandLineFault: Error { case noArray }

    @Test("every setting has its option, and help names its variable")
    func optionForEachSetting() throws {
        let help = try run("run", "--help").text
        for setting in NodeSettings.facts {
            #expect(
                help.contains("--\(setting.flag)") && help.contains("(\(setting.name)"), "\(setting.name)")
        }
    }
}
