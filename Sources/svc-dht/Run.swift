// RO:WHAT  `svc-dht run`: flags and environment become a Config, and the daemon runs with it.

import ArgumentParser
import DhtLoop

struct Run: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Run a node in the foreground.",
        discussion: "Every option has a variable of the same meaning in the environment; the option wins.")

    @OptionGroup var options: NodeOptions

    func run() throws {
        let source = options.source
        let code = try DhtDaemon.run(source.readOrFail(), source: source, build: .current(service: "svc-dht"))
        // The daemon has logged why.
        if code != .ok { throw CommandFailure(code: code, message: "") }
    }
}

extension ConfigSource {
    /// The configuration; what is wrong with it ends the command.
    func readOrFail() throws(CommandFailure) -> Config {
        do throws(ConfigError) {
            return try read()
        } catch {
            throw CommandFailure(code: .usage, message: error.description)
        }
    }
}
