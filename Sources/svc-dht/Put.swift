// RO:WHAT  `svc-dht put`: stores a value.

import ArgumentParser
import DhtLoop
import Glibc

struct Put: ParsableCommand {
    /// More than any node takes; its 413 says what it would take.
    private static let maxValueBytes = 4 << 20

    static let configuration = CommandConfiguration(
        abstract: "Store a value under a key.",
        discussion: KeyArgument.discussion)

    @OptionGroup var subject: KeyArgument
    @Argument(help: "The value, or - to read it from standard input.")
    var value: String?
    @Option(help: "Read the value from this file.")
    var file: String?
    @Option(help: "Seconds the value shall live.")
    var ttlSecs: UInt32?
    @OptionGroup var walk: WalkOptions
    @OptionGroup var client: ClientOptions

    func validate() throws {
        guard (value == nil) != (file == nil) else { throw ValidationError("give VALUE, --file FILE or -") }
    }

    func run() throws {
        let query = queryText([("ttl_secs", ttlSecs.map { String($0) }), walk.parameter])
        let reply = try client.send(
            "PUT", "/dht/kv/\(subject.pathSegment)\(query)", body: readValue())
        if client.json { Console.write(reply.body) }
        guard reply.status == 200 || reply.status == 202, let report = reply.json else {
            throw CommandFailure(code: .failed, message: client.json ? "" : reply.complaint)
        }
        if !client.json { Console.line(summary(report)) }
        if reply.status == 202 {
            throw CommandFailure(code: .failed, message: client.json ? "" : shortfall(report))
        }
    }

    private func readValue() throws(CommandFailure) -> [UInt8] {
        let source = file ?? "standard input"
        let content: [UInt8]?
        switch (file, value) {
        case (let file?, _): content = FileContent.bytes(file, limit: Self.maxValueBytes)
        case (nil, "-"): content = FileContent.bytes(descriptor: STDIN_FILENO, limit: Self.maxValueBytes)
        case (nil, let value): content = Array((value ?? "").utf8)
        }
        guard let content else {
            throw CommandFailure(code: .usage, message: "\(source): \(String(cString: strerror(errno)))")
        }
        guard content.count < Self.maxValueBytes else {
            throw CommandFailure(code: .usage, message: "\(source) is larger than any node takes")
        }
        return content
    }

    private func summary(_ report: JsonValue) -> String {
        let stored = report["key"]?.text ?? ""
        return "stored \(stored) on \(number(report, "acks")) of \(number(report, "wanted")) nodes, "
            + "for \(number(report, "ttl_secs_used")) s, in \(number(report, "elapsed_ms")) ms"
    }

    private func shortfall(_ report: JsonValue) -> String {
        var message = "fewer copies than wanted: the value may get lost with the nodes that hold it"
        guard case .array(let failures) = report["failed"] else { return message }
        for failure in failures {
            message += "\n  \(failure["peer"]?.text ?? "?"): \(failure["cause"]?.text ?? "?")"
        }
        return message
    }
}

/// A number of an answer as people write it.
func number(_ answer: JsonValue, _ name: String) -> String {
    guard case .number(let value) = answer[name] else { return "?" }
    return Int(exactly: value).map { String($0) } ?? String(value)
}
