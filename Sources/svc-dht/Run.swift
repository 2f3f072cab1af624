// RO:WHAT  `svc-dht run`: flags and environment become a Config, and the daemon runs with it.
// RO:CONFIG  RON_DHT_*; flags win

import ArgumentParser
import DhtLoop

struct Run: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Run a node in the foreground.",
        discussion: "Every option has a variable of the same meaning in the environment; the option wins.")

    @OptionGroup var options: NodeOptions

    func run() throws {
        let config: Config
        do {
            config = try Config(
                flags: options.settings, environment: TextFile.environment(),
                readFile: { TextFile.read($0) })
        } catch {
            throw CommandFailure(code: .usage, message: error.description)
        }
        let code = DhtDaemon.run(config, build: .current(service: "svc-dht"))
        // The daemon has logged why.
        if code != .ok { throw CommandFailure(code: code, message: "") }
    }
}
