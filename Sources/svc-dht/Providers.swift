// RO:WHAT  `svc-dht provide` and `svc-dht find`: who has some content.

import ArgumentParser
import DhtLoop

struct Provide: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Tell the network that a node provides some content.")

    @Argument(help: "The content's id: b3: and 64 lowercase hexadecimal digits.")
    var cid: String
    @Argument(help: "Where it is provided: <scheme>://<id>.")
    var uri: String
    @Option(help: "Seconds that the network shall remember it.")
    var ttl: UInt32?
    @OptionGroup var client: ClientOptions

    func run() throws {
        let reply = try client.send(
            "POST", "/dht/provide", headers: ["Content-Type: application/json"],
            body: provideBody(cid: cid, node: uri, ttlSeconds: ttl))
        let report = try client.expect(reply)
        client.say("provided \(cid) by \(uri) for \(number(report, "ttl_secs_used")) s")
    }
}

struct Find: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Print who provides some content, one a line.",
        discussion: "Ends with 1 when nobody does.")

    @Argument(help: "The content's id: b3: and 64 lowercase hexadecimal digits.")
    var cid: String
    @Option(help: "Most providers that are printed.")
    var limit: UInt32?
    @OptionGroup var walk: WalkOptions
    @OptionGroup var client: ClientOptions

    func validate() throws {
        if limit == 0 { throw ValidationError("--limit: 1 or more") }
    }

    func run() throws {
        let query = queryText([("limit", limit.map { String($0) }), walk.parameter])
        let reply = try client.send("GET", "/dht/find_providers/\(escapedPathSegment(cid))\(query)")
        let report = try client.expect(reply)
        let providers = report["providers"]?.items ?? []
        for provider in providers { client.say(provider.text ?? "?") }
        if providers.isEmpty {
            throw CommandFailure(code: .failed, message: client.json ? "" : "nobody provides \(cid)")
        }
    }
}
