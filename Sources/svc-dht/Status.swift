// RO:WHAT  `svc-dht status`: what a node says of itself.

import ArgumentParser
import DhtLoop

struct Status: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Show whether a node is ready, and why not.",
        discussion: "Ends with 0 when the node is ready, with 1 when it is not.")

    @OptionGroup var client: ClientOptions

    func run() throws {
        let version = try client.send("GET", "/version")
        let readiness = try client.send("GET", "/readyz")
        guard let build = version.json, let report = readiness.json, report["gates"] != nil else {
            throw CommandFailure(
                code: .unreachable, message: "what answers at \(client.address) is no svc-dht node")
        }
        if client.json {
            Console.line(
                #"{"node":"\#(client.address)","version":\#(trimmed(version)),"readiness":\#(trimmed(readiness))}"#
            )
        } else {
            for line in lines(build, report) { Console.line(line) }
        }
        if readiness.status != 200 { throw CommandFailure(code: .failed, message: "") }
    }

    private func trimmed(_ reply: HttpReply) -> String { String(reply.text.prefix { !$0.isNewline }) }

    private func lines(_ build: JsonValue, _ report: JsonValue) -> [String] {
        let name = "\(build["service"]?.text ?? "?") \(build["version"]?.text ?? "?")"
        let state = report["ready"] == .bool(true) ? "ready" : "not ready"
        var lines = ["\(name) (git \(build["git"]?.text ?? "?")) at \(client.address): \(state)"]
        guard case .object(let gates) = report["gates"] else { return lines }
        let width = gates.map(\.name.count).max() ?? 0
        for gate in gates {
            let line = (gate.value == .bool(true) ? "  ok  " : "  no  ") + gate.name
            let detail = numbers(report["detail"]?[gate.name])
            let padding = String(repeating: " ", count: width - gate.name.count + 2)
            lines.append(detail.isEmpty ? line : line + padding + detail)
        }
        return lines
    }

    /// `sessions 1, entries 3`.
    private func numbers(_ detail: JsonValue?) -> String {
        guard case .object(let members) = detail else { return "" }
        return members.map { "\($0.name) \(number(detail ?? .null, $0.name))" }.joined(separator: ", ")
    }
}
