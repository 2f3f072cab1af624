// RO:WHAT  DhtDaemon: svc-dht as a process: loop, node, embedded switch, admin port, signals.
// RO:WHY   The one place where the parts are put together; each part knows only its neighbours.
// RO:TEST  scripts/live/lifecycle.sh

import Glibc
import Logging

/// The daemon.
public final class DhtDaemon: SignalOwner {
    /// Endpoints that a node remembers at once; each is a text of up to 255 bytes.
    private static let maxEndpoints = 65_536

    /// As it was at the start; `service.config` is as it is now.
    private let config: Config
    private let source: ConfigSource
    private let loop: EventLoop
    private let output: LogOutput
    private let log: Logger
    private let service: NodeService
    private let resolver: NameResolver
    private let flusher: LogFlusher
    private let manager: ServiceManager
    private var signals: SignalSource?
    private var host: NodeHost!
    private var wasCutShort = false

    /// Runs a node until a signal ends it. `source` is where `config` was read from, and is read again on SIGHUP.
    public static func run(_ config: Config, source: ConfigSource, build: BuildInfo) -> ExitCode {
        let output = LogOutput(format: config.log.format)
        let log = output.logger(service: build.service, level: config.log.level)
        for warning in config.warnings { log.warning("clamped", metadata: ["cause": .string(warning)]) }
        log.info("config", metadata: config.settings.logFields)
        defer { output.flushRepeats(all: true) }
        do throws(StartError) {
            let daemon = try DhtDaemon(config, source: source, build: build, output: output, log: log)
            try daemon.open(build)
            daemon.serve()
            return daemon.wasCutShort ? .failed : .ok
        } catch {
            log.error(error.event, metadata: error.metadata)
            return error.exitCode
        }
    }

    private init(
        _ config: Config, source: ConfigSource, build: BuildInfo, output: LogOutput, log: Logger
    ) throws(StartError) {
        (self.config, self.source, self.output, self.log) = (config, source, output, log)
        let loop = try StartError.inSystem { () throws(SystemError) in try EventLoop() }
        resolver = try StartError.inSystem { () throws(SystemError) in try NameResolver(loop: loop) }
        flusher = try StartError.inSystem { () throws(SystemError) in
            try LogFlusher(loop: loop, output: output)
        }
        manager = try StartError.inSystem { () throws(SystemError) in
            try ServiceManager(loop: loop, environment: source.environment)
        }
        self.loop = loop
        service = NodeService(config: config, build: build, loop: loop)
        super.init()
    }

    /// Opens everything that listens, and begins to look for peers.
    private func open(_ build: BuildInfo) throws(StartError) {
        signals = try StartError.inSystem { [loop] () throws(SystemError) in
            try SignalSource(loop: loop, owner: self)
        }
        let endpoints = EndpointTable(limit: Self.maxEndpoints)
        let overlay = try embeddedSwitch()
        startNode(overlay, endpoints)
        let admin = try StartError.binding(config.adminAddress) {
            [loop, service, config] (address) throws(SystemError) in
            try AdminServer(
                loop: loop, address: address, node: service, build: build, maxValueBytes: config.maxValueBytes
            )
        }
        admin.token = try readToken()
        service.admin = admin
        sayListening(admin, overlay)
        manager.ready()
    }

    private func readToken() throws(StartError) -> AdminToken? {
        guard let path = config.adminTokenFile else { return nil }
        guard let token = FileContent.text(path).flatMap({ AdminToken($0) }) else { throw .badToken(path) }
        return token
    }

    private func serve() {
        loop.run()
        let left = service.unfinished
        signals?.stop()
        service.admin?.stop()
        service.canary.stop()
        host.shutDown()
        host.overlay?.shutDown()
        manager.stop()
        flusher.stop()
        service.drain.stop()
        resolver.stop()
        // The loop and its resolver hold each other.
        loop.resolver = Resolver()
        loop.turn(maxWaitUs: 0)
        log.info(
            "stopped",
            metadata: [
                "calls_cut": .stringConvertible(left), "records": .stringConvertible(host.node.store.count),
                "puts": .stringConvertible(host.node.stats.puts),
                "gets": .stringConvertible(host.node.stats.gets),
            ])
    }

    private func embeddedSwitch() throws(StartError) -> OverlaySwitch? {
        guard let text = config.embedOverlay else { return nil }
        return try StartError.binding(text) { [loop, config] (address) throws(SystemError) in
            var generator = SystemRandomNumberGenerator()
            var policy = SwitchPolicy()
            policy.fastOpen = config.fastOpen
            return try OverlaySwitch(loop: loop, address: address, policy: policy, generator: &generator)
        }
    }

    private func startNode(_ overlay: OverlaySwitch?, _ endpoints: EndpointTable) {
        loop.resolver = resolver
        host = NodeHost(
            config: NodeConfig(config), endpoints: endpoints, loop: loop, overlay: overlay,
            callOwner: service, log: log, seed: Self.systemRandom())
        service.host = host
        service.canary = Canary(loop: loop, network: service, log: log, seed: Self.systemRandom())
        var policy = PoolPolicy()
        policy.connectTimeoutUs = UInt64(config.timeoutMs) * 1000
        policy.fastOpen = config.fastOpen
        host.start(
            embeddedAt: overlay?.address.flatMap { endpoints.intern($0.description) },
            advertised: config.advertise.flatMap { endpoints.intern($0) }, policy: policy,
            seed: Self.systemRandom())
        apply(config)
    }

    /// Puts in force what can change while the node runs.
    private func apply(_ config: Config) {
        if (config.peerRps, config.globalRps) != (service.config.peerRps, service.config.globalRps) {
            host.setRates(perPeer: config.peerRps, common: config.globalRps)
        }
        service.config = config
        output.leastLevel = config.log.level
        host.tellsEveryRpc = config.log.level <= .debug
        resolver.trust(config.bootstrap)
        host.setBootstrap(config.bootstrap)
        if !service.isStopping { service.canary.setPace(seconds: config.canarySeconds) }
    }

    private func sayListening(_ admin: AdminServer, _ overlay: OverlaySwitch?) {
        var metadata: Logger.Metadata = [
            "admin": .string(admin.address.description), "node": .string(host.node.config.id.description),
        ]
        if let address = overlay?.address { metadata["overlay"] = .string(address.description) }
        log.info("listening", metadata: metadata)
        config.fastOpen.sayForbidden(to: log, dials: true, listens: overlay != nil)
    }

    override public func received(signal: Int32, nowUs: UInt64) {
        if signal == SIGHUP { return reload() }
        let name = signal == SIGTERM ? "SIGTERM" : "SIGINT"
        guard !service.isStopping else {
            log.warning("stopping", metadata: ["cause": .string("second \(name): at once")])
            wasCutShort = service.unfinished > 0
            return loop.stop()
        }
        let withinMs = service.config.drainMs
        log.info(
            "stopping",
            metadata: [
                "cause": .string(name), "calls": .stringConvertible(service.unfinished),
                "drain_ms": .stringConvertible(withinMs),
            ])
        manager.stopping(withinUs: UInt64(withinMs) * 1000)
        service.beginStopping(withinUs: UInt64(withinMs) * 1000)
    }

    /// Reads the configuration again, puts in force what can change, and says what cannot.
    private func reload() {
        manager.reloading()
        defer { manager.ready() }
        let fresh: Config
        do throws(ConfigError) {
            fresh = try source.read()
        } catch {
            return log.error("reload_failed", metadata: ["cause": .string("kept as it was: \(error)")])
        }
        for warning in fresh.warnings { log.warning("clamped", metadata: ["cause": .string(warning)]) }
        for change in ConfigChange.between(service.config, fresh) where change.isLive {
            log.info("reloaded", metadata: change.logFields)
        }
        for change in ConfigChange.between(config, fresh) where !change.isLive {
            log.warning("needs_restart", metadata: change.logFields)
        }
        apply(fresh)
        do throws(StartError) {
            service.admin?.token = try readToken()
        } catch {
            log.error(error.event, metadata: error.metadata)
        }
        log.info("signal", metadata: ["cause": "SIGHUP: configuration read again"])
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
        net = UInt64(config.network)
        (k, alpha, beta, replica) = (config.k, config.alpha, config.beta, config.replica)
        recursion = UInt8(config.recursion)
        diversityShare = Double(config.diversity) / 100
        timeoutUs = UInt64(config.timeoutMs) * 1000
        deadlineUs = UInt64(config.deadlineMs) * 1000
        ttlSeconds = UInt64(config.ttlSeconds)
        republishUs = UInt64(config.republishSeconds) * 1_000_000
        maxValueBytes = config.maxValueBytes
        (peerRequestsPerSecond, requestsPerSecond) = (config.peerRps, config.globalRps)
        memoryBudget = config.memoryBytes
    }
}
