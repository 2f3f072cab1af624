// RO:WHAT  OverlayDaemon: svc-overlay as a process: loop, switch, admin port, signals.
// RO:WHY   Nodes that do not carry a switch of their own need one somewhere.
// RO:METRICS  overlay_*, process_*

import Glibc
import Logging

/// The switch as a daemon.
public final class OverlayDaemon: SignalOwner {
    private let config: OverlayConfig
    private let build: BuildInfo
    private let loop: EventLoop
    private let output: LogOutput
    private let log: Logger

    /// Runs a switch until a signal ends it.
    public static func run(_ config: OverlayConfig, build: BuildInfo) -> ExitCode {
        let output = LogOutput(format: config.log.format)
        let log = output.logger(service: build.service, level: config.log.level)
        for warning in config.warnings { log.warning("clamped", metadata: ["cause": .string(warning)]) }
        log.info("config", metadata: config.settings.logFields)
        defer { output.flushRepeats(all: true) }
        do throws(StartError) {
            try OverlayDaemon(config, build: build, output: output, log: log).serve()
            return .ok
        } catch {
            log.error(error.event, metadata: error.metadata)
            return error.exitCode
        }
    }

    private init(
        _ config: OverlayConfig, build: BuildInfo, output: LogOutput, log: Logger
    ) throws(StartError) {
        (self.config, self.build, self.output, self.log) = (config, build, output, log)
        loop = try StartError.inSystem { () throws(SystemError) in try EventLoop() }
        super.init()
    }

    private func serve() throws(StartError) {
        let signals = try StartError.inSystem { [loop] () throws(SystemError) in
            try SignalSource(loop: loop, owner: self)
        }
        let overlay = try StartError.binding(config.listenAddress) {
            [loop, config] (address) throws(SystemError) in
            var generator = SystemRandomNumberGenerator()
            return try OverlaySwitch(
                loop: loop, address: address, policy: SwitchPolicy(config), generator: &generator)
        }
        let flusher = try StartError.inSystem { [loop, output] () throws(SystemError) in
            try LogFlusher(loop: loop, output: output)
        }
        let service = OverlayService(overlay, config: config, build: build)
        let admin = try StartError.binding(config.adminAddress) {
            [loop, build] (address) throws(SystemError) in
            try AdminServer(loop: loop, address: address, backend: service, build: build)
        }
        sayListening(overlay, admin)
        loop.run()
        signals.stop()
        admin.stop()
        overlay.shutDown()
        flusher.stop()
        loop.turn(maxWaitUs: 0)
        log.info("stopped")
    }

    private func sayListening(_ overlay: OverlaySwitch, _ admin: AdminServer) {
        log.info(
            "listening",
            metadata: [
                "overlay": .string(overlay.address?.description ?? ""),
                "admin": .string(admin.address.description),
            ])
        config.fastOpen.sayForbidden(to: log, dials: false, listens: true)
    }

    override public func received(signal: Int32, nowUs: UInt64) {
        guard signal != SIGHUP else {
            return log.info("signal", metadata: ["cause": "SIGHUP: nothing to re-read"])
        }
        log.info("stopping", metadata: ["cause": .string(signal == SIGTERM ? "SIGTERM" : "SIGINT")])
        loop.stop()
    }
}

extension SwitchPolicy {
    /// The switch's part of the configuration.
    init(_ config: OverlayConfig) {
        self.init()
        maxSessions = config.maxConnections
        handshakeTimeoutUs = UInt64(config.handshakeMs) * 1000
        fastOpen = config.fastOpen
    }
}

/// Answers the switch's admin port.
private final class OverlayService: AdminBackend {
    private let overlay: OverlaySwitch
    private let config: OverlayConfig
    private let build: BuildInfo

    init(_ overlay: OverlaySwitch, config: OverlayConfig, build: BuildInfo) {
        (self.overlay, self.config, self.build) = (overlay, config, build)
    }

    var readiness: ReadinessReport {
        let depth = overlay.txDepthMax
        return ReadinessReport(gates: [
            ReadinessReport.Gate("listeners_bound", isOpen: overlay.address != nil),
            ReadinessReport.Gate(
                "queues_ok", isOpen: depth <= config.txWatermark,
                numbers: [("tx_depth", depth), ("tx_watermark", config.txWatermark)]),
        ])
    }

    func renderMetrics(into page: inout PrometheusText) {
        OverlayMetrics(overlay).render(into: &page, build: build)
        ProcessMetrics().render(into: &page)
    }
}
