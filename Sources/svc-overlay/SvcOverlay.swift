// RO:WHAT  `svc-overlay`: the switch as a process of its own.

import ArgumentParser
import DhtLoop
import SettingOptions

struct SvcOverlay: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "svc-overlay",
        abstract: "A switch that carries frames between overlay sessions.",
        discussion: """
            Every option has a variable of the same meaning in the environment; the option wins.

            Exit codes: 0 done; 2 bad usage or configuration; 3 could not bind.
            """,
        version: versionText)

    @OptionGroup var options: SettingOptions<OverlaySettings>

    func run() throws {
        let config = try OverlayConfig(
            flags: options.given, environment: ProcessEnvironment.variables())
        let code = OverlayDaemon.run(config, build: .current(service: "svc-overlay"))
        // The daemon has logged why.
        if code != .ok { throw ArgumentParser.ExitCode(code.rawValue) }
    }

    private static var versionText: String {
        let build = BuildInfo.current(service: "svc-overlay")
        return "\(build.service) \(build.version) (git \(build.git), \(build.built))"
    }
}
