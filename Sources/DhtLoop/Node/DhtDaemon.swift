// RO:WHAT  DhtDaemon: svc-dht as a process: loop, node, embedded switch, admin port, signals.
// RO:WHY   The one place where the parts are put together; each part knows only its neighbours.
// RO:INTERACTS  Config in, exit code out.
// RO:CONFIG  Config

import Glibc
import Logging

/// How a process ends (docs/OPERATIONS.md, "Exit codes").
public enum ExitCode: Int32, Sendable {
    case ok = 0
    /// The operation failed.
    case failed = 1
    /// Bad usage or configuration.
    case usage = 2
    /// A listener could not be bound.
    case bind = 3
    /// A node could not be reached.
    case unreachable = 4
}

/// The daemon.
public final class DhtDaemon: SignalOwner {
    private let config: Config
    private let loop: EventLoop
    private let log: Logger
    private let service: NodeService
    private var host: NodeHost!

    /// Runs a node until a signal ends it.
    public static func run(_ config: Config, build: BuildInfo) -> ExitCode {
        let output = LogOutput(format: config.log.format)
        let log = output.logger(service: build.service, level: config.log.level)
        for warning in config.warnings { log.warning("clamped", metadata: ["cause": .string(warning)]) }
        do throws(SystemError) {
            let daemon = try DhtDaemon(config, build: build, log: log)
            let code = daemon.serve(build)
            output.flushRepeats(all: true)
            return code
        } catch {
            log.error("start_failed", metadata: ["cause": .string(error.description)])
            return .failed
        }
    }

    private init(_ config: Config, build: BuildInfo, log: Logger) throws(SystemError) {
        (self.config, self.log) = (config, log)
        loop = try EventLoop()
        service = NodeService(config: config, build: build, loop: loop)
        super.init()
    }

    private func serve(_ build: BuildInfo) -> ExitCode {
        do throws(SystemError) {
            let signals = try SignalSource(loop: loop, owner: self)
            let endpoints = EndpointTable(limit: Tuning.maxEndpoints)
            let overlay = try embeddedSwitch()
            startNode(overlay, endpoints)
            guard let address = SocketAddress(config.adminAddress) else { return refuse(config.adminAddress) }
            let admin = try AdminServer(
                loop: loop, address: address, node: service, build: build, maxValueBytes: config.maxValueBytes
            )
            service.admin = admin
            sayListening(admin, overlay)
            loop.run()
            signals.stop()
            admin.stop()
        } catch {
            log.error("bind_failed", metadata: ["cause": .string(error.description)])
            return .bind
        }
        host.shutDown()
        loop.turn(maxWaitUs: 0)
        log.info("stopped")
        return .ok
    }

    private func refuse(_ address: String) -> ExitCode {
        log.error("bad_address", metadata: ["cause": .string("not host:port: \(address)")])
        return .usage
    }

    private func embeddedSwitch() throws(SystemError) -> OverlaySwitch? {
        guard let text = config.embedOverlay, let address = SocketAddress(text) else { return nil }
        var generator = SystemRandomNumberGenerator()
        return try OverlaySwitch(loop: loop, address: address, generator: &generator)
    }

    private func startNode(_ overlay: OverlaySwitch?, _ endpoints: EndpointTable) {
        host = NodeHost(
            config: NodeConfig(config), endpoints: endpoints, loop: loop, overlay: overlay,
            callOwner: service, log: log, seed: Self.systemRandom())
        service.host = host
        var policy = PoolPolicy()
        policy.connectTimeoutUs = UInt64(config.timeoutMs) * 1000
        host.start(
            bootstrap: config.bootstrap.compactMap { endpoints.intern($0) },
            embeddedAt: overlay?.address.flatMap { endpoints.intern($0.description) },
            advertised: config.advertise.flatMap { endpoints.intern($0) }, policy: policy,
            seed: Self.systemRandom())
    }

    private func sayListening(_ admin: AdminServer, _ overlay: OverlaySwitch?) {
        var metadata: Logger.Metadata = [
            "admin": .string(admin.address.description), "node": .string(host.node.config.id.description),
        ]
        if let address = overlay?.address { metadata["overlay"] = .string(address.description) }
        log.info("listening", metadata: metadata)
    }

    override public func received(signal: Int32, nowUs: UInt64) {
        guard signal != SIGHUP else {
            return log.info("signal", metadata: ["cause": "SIGHUP: nothing to re-read"])
        }
        log.info("stopping", metadata: ["cause": .string(signal == SIGTERM ? "SIGTERM" : "SIGINT")])
        loop.stop()
    }

    private static func systemRandom() -> UInt64 {
        var generator = SystemRandomNumberGenerator()
        return generator.next()
    }
}

extension NodeConfig {
    /// The node's part of the daemon's configuration.
    init(_ config: Config) {
        var generator = SystemRandomNumberGenerator()
        self.init(id: config.nodeID ?? .random(using: &generator))
        net = config.network
        (k, alpha, replica) = (config.k, config.alpha, config.replica)
        timeoutUs = UInt64(config.timeoutMs) * 1000
        deadlineUs = UInt64(config.deadlineMs) * 1000
        ttlSeconds = UInt64(config.ttlSeconds)
        maxValueBytes = config.maxValueBytes
        memoryBudget = config.memoryBytes
        tellsEveryRpc = config.log.level <= .debug
    }
}
