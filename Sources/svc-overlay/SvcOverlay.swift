// RO:WHAT  `svc-overlay`: the switch as a process of its own.

import ArgumentParser
import DhtLoop

struct SvcOverlay: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "svc-overlay",
        abstract: "A switch that carries frames between overlay sessions.",
        discussion: """
            Every option has a variable of the same meaning in the environment; the option wins.

            Exit codes: 0 done; 2 bad usage or configuration; 3 could not bind.
            """,
        version: versionText)

    @Option(help: .setting("SVC_OVERLAY_LISTEN_ADDR"))
    var listenAddr: String?
    @Option(help: .setting("SVC_OVERLAY_HTTP_ADDR"))
    var httpAddr: String?
    @Option(help: .setting("SVC_OVERLAY_MAX_CONNS"))
    var maxConns: String?
    @Option(help: .setting("RON_OVERLAY_TX_WATERMARK"))
    var txWatermark: String?
    @Option(help: .setting("RON_OVERLAY_HANDSHAKE_MS"))
    var handshakeMs: String?
    @Option(help: .setting("RON_OVERLAY_FAST_OPEN"))
    var fastOpen: String?
    @Option(help: .setting("SVC_OVERLAY_LOG"))
    var log: String?
    @Option(help: .setting("SVC_OVERLAY_LOG_FORMAT"))
    var logFormat: String?

    func run() throws {
        let config = try OverlayConfig(flags: settings, environment: ProcessEnvironment.variables())
        let code = OverlayDaemon.run(config, build: .current(service: "svc-overlay"))
        // The daemon has logged why.
        if code != .ok { throw ArgumentParser.ExitCode(code.rawValue) }
    }

    /// What was given, by the name of its variable.
    private var settings: [String: String] {
        let given: [String: String?] = [
            "SVC_OVERLAY_LISTEN_ADDR": listenAddr, "SVC_OVERLAY_HTTP_ADDR": httpAddr,
            "SVC_OVERLAY_MAX_CONNS": maxConns, "RON_OVERLAY_TX_WATERMARK": txWatermark,
            "RON_OVERLAY_HANDSHAKE_MS": handshakeMs, "RON_OVERLAY_FAST_OPEN": fastOpen,
            "SVC_OVERLAY_LOG": log,
            "SVC_OVERLAY_LOG_FORMAT": logFormat,
        ]
        return given.compactMapValues { $0 }
    }

    private static var versionText: String {
        let build = BuildInfo.current(service: "svc-overlay")
        return "\(build.service) \(build.version) (git \(build.git), \(build.built))"
    }
}

extension ArgumentHelp {
    /// What the table of settings says of one.
    fileprivate static func setting(_ name: String) -> ArgumentHelp { ArgumentHelp(OverlayConfig.help(name)) }
}
