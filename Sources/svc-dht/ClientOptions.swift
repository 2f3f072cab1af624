// RO:WHAT  What every client command takes: which node, which output, how long to wait.

import ArgumentParser
import DhtLoop

struct ClientOptions: ParsableArguments {
    private static let defaultNode = "127.0.0.1:5301"

    @Option(help: "Admin address of the node. (RON_DHT_ADDR; default: \(defaultNode))")
    var node: String?
    @Flag(help: "Print the node's answer as JSON.")
    var json = false
    @Option(help: "Seconds to wait for the node.")
    var timeout = 30

    @Option(help: "File with the token that the node wants for writes. (RON_DHT_TOKEN_FILE)")
    var tokenFile: String?

    func validate() throws {
        guard (1...3600).contains(timeout) else { throw ValidationError("--timeout: 1 to 3600 seconds") }
        guard HttpClient.parse(address) != nil else {
            throw ValidationError("\(address) is no address: give host:port or [v6]:port")
        }
    }

    /// The flag, else the environment, else the default.
    var address: String {
        if let node { return node }
        let variable = ProcessEnvironment.variables()["RON_DHT_ADDR"] ?? ""
        return variable.isEmpty ? Self.defaultNode : variable
    }

    /// First line of the token file; nil without one.
    private func token() throws(CommandFailure) -> String? {
        let path = tokenFile ?? ProcessEnvironment.variables()["RON_DHT_TOKEN_FILE"] ?? ""
        guard !path.isEmpty else { return nil }
        guard let text = FileContent.text(path) else {
            throw CommandFailure(code: .usage, message: "the token file \(path) cannot be read")
        }
        return String(text.prefix { !$0.isNewline })
    }

    /// The answer of a request that must succeed: prints it with --json, and ends the command when it is a refusal.
    func expect(_ reply: HttpReply) throws(CommandFailure) -> JsonValue {
        if json { Console.write(reply.body) }
        guard (200..<300).contains(reply.status), let answer = reply.json else {
            throw CommandFailure(code: .failed, message: json ? "" : reply.complaint)
        }
        return answer
    }

    /// Prints a line for people; nothing with --json.
    func say(_ text: String) { if !json { Console.line(text) } }

    /// Sends a request to the node and returns its answer. Throws when there is none.
    func send(
        _ method: String, _ target: String, headers: [String] = [], body: [UInt8] = []
    ) throws(CommandFailure) -> HttpReply {
        let client = HttpClient(address: address, timeoutSeconds: timeout, token: try token())
        return try client.send(method, target, headers: headers, body: body)
    }
}
