// RO:WHAT  `svc-dht delete`: puts a tombstone in a value's place.

import ArgumentParser
import DhtLoop

struct Delete: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Delete a key.",
        discussion: KeyArgument.discussion)

    @OptionGroup var subject: KeyArgument
    @OptionGroup var client: ClientOptions

    func run() throws {
        let reply = try client.send("DELETE", "/dht/kv/\(subject.pathSegment)")
        let report = try client.expect(reply)
        let acks = "\(number(report, "acks")) of \(number(report, "wanted")) nodes"
        client.say("deleted \(report["key"]?.text ?? subject.key) on \(acks)")
        if reply.status == 202 {
            let message = "fewer nodes than wanted: the value may come back"
            throw CommandFailure(code: .failed, message: client.json ? "" : message)
        }
    }
}
