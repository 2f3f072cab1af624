// RO:WHAT  `svc-dht delete`: puts a tombstone in a value's place.

import ArgumentParser
import DhtLoop

struct Delete: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Delete a key.",
        discussion: "A key is b3:<64 hex> or <64 hex>; any other text is hashed with SHA-256.")

    @Argument(help: "The key.")
    var key: String
    @OptionGroup var client: ClientOptions

    func validate() throws {
        guard !key.isEmpty else { throw ValidationError("a key has at least one character") }
    }

    func run() throws {
        let reply = try client.client.send("DELETE", "/dht/kv/\(escapedPathSegment(key))")
        let report = try client.expect(reply)
        let acks = "\(number(report, "acks")) of \(number(report, "wanted")) nodes"
        client.say("deleted \(report["key"]?.text ?? key) on \(acks)")
        if reply.status == 202 {
            let message = "fewer nodes than wanted: the value may come back"
            throw CommandFailure(code: .failed, message: client.json ? "" : message)
        }
    }
}
