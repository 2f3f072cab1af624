// RO:WHAT  What every client command takes: which node, which output, how long to wait.
// RO:CONFIG  RON_DHT_ADDR

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

    func validate() throws {
        guard (1...3600).contains(timeout) else { throw ValidationError("--timeout: 1 to 3600 seconds") }
        guard HttpClient.parse(address) != nil else {
            throw ValidationError("\(address) is no address: give host:port or [v6]:port")
        }
    }

    /// The flag, else the environment, else the default.
    var address: String {
        if let node { return node }
        let variable = TextFile.environment()["RON_DHT_ADDR"] ?? ""
        return variable.isEmpty ? Self.defaultNode : variable
    }

    var client: HttpClient { HttpClient(address: address, timeoutSeconds: timeout) }
}
