// RO:WHAT  `svc-dht run`: flags and environment become a Config, and the daemon runs with it.

import ArgumentParser
import DhtLoop
import SettingOptions

struct Run: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Run a node in the foreground.",
        discussion: "Every option has a variable of the same meaning in the environment; the option wins.")

    @OptionGroup var options: SettingOptions<NodeSettings>

    func run() throws {
        let source = ConfigSource(options)
        let code = try DhtDaemon.run(source.readOrFail(), source: source, build: .current(service: "svc-dht"))
        // The daemon has logged why.
        if code != .ok { throw CommandFailure(code: code, message: "") }
    }
}

extension ConfigSource {
    /// These options over the environment.
    init(_ options: SettingOptions<NodeSettings>) {
        self.init(flags: options.given, environment: ProcessEnvironment.variables())
    }

    /// The configuration; what is wrong with it ends the command.
    func readOrFail() throws(CommandFailure) -> Config {
        do throws(ConfigError) {
            return try read()
        } catch {
            throw CommandFailure(code: .usage, message: error.description)
        }
    }
}
