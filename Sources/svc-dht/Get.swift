// RO:WHAT  `svc-dht get`: prints a value, to the byte.

import ArgumentParser
import DhtLoop

struct Get: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Print the value of a key, byte for byte.",
        discussion: "A key is b3:<64 hex> or <64 hex>; any other text is hashed with SHA-256.")

    @Argument(help: "The key.")
    var key: String
    @OptionGroup var walk: WalkOptions
    @OptionGroup var client: ClientOptions

    func validate() throws {
        guard !key.isEmpty else { throw ValidationError("a key has at least one character") }
    }

    func run() throws {
        let query = queryText([("json", client.json ? "1" : nil), walk.parameter])
        let reply = try client.client.send("GET", "/dht/kv/\(escapedPathSegment(key))\(query)")
        if client.json || reply.status == 200 { Console.write(reply.body) }
        if reply.status != 200 {
            throw CommandFailure(code: .failed, message: client.json ? "" : reply.complaint)
        }
    }
}
