// RO:WHAT  `svc-dht get`: prints a value, to the byte.

import ArgumentParser
import DhtLoop

struct Get: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Print the value of a key, byte for byte.",
        discussion: KeyArgument.discussion)

    @OptionGroup var subject: KeyArgument
    @OptionGroup var walk: WalkOptions
    @OptionGroup var client: ClientOptions

    func run() throws {
        let query = queryText([("json", client.json ? "1" : nil), walk.parameter])
        let reply = try client.send("GET", "/dht/kv/\(subject.pathSegment)\(query)")
        if client.json || reply.status == 200 { Console.write(reply.body) }
        if reply.status != 200 {
            throw CommandFailure(code: .failed, message: client.json ? "" : reply.complaint)
        }
    }
}
