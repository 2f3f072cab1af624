// RO:WHAT  AdminServer: the admin port on the event loop.
// RO:WHY   libmicrohttpd's epoll descriptor is nested in the loop's, so one thread serves HTTP and the overlay.
// RO:INVARIANTS  the loop wakes for HTTP only when a client does something or runs out of time.
// RO:TEST  Tests/DhtLoopTests/Admin/AdminServerTests.swift

import CEpoll

/// Health, readiness, metrics, and for a node its values, over HTTP.
public final class AdminServer: EventSource {
    private let loop: EventLoop
    private let routes: AdminRoutes
    private let http: HttpServer
    private var alarm = Alarm()

    /// A node's port. Attaches itself to `loop` and listens; `stop` ends that.
    ///
    /// - Parameters:
    ///   - address: port 0 asks the kernel for one; see `address` for the answer.
    ///   - backend: not retained.
    ///   - maxValueBytes: a larger body is answered 413.
    public convenience init(
        loop: EventLoop, address: SocketAddress, node backend: any NodeBackend, build: BuildInfo,
        maxValueBytes: Int
    ) throws(SystemError) {
        let routes = AdminRoutes(
            backend: backend, node: backend, build: build, maxValueBytes: maxValueBytes)
        try self.init(loop: loop, address: address, routes: routes, limits: HttpLimits())
    }

    /// A port with what every service has: health, readiness, metrics and version.
    public convenience init(
        loop: EventLoop, address: SocketAddress, backend: any AdminBackend, build: BuildInfo
    ) throws(SystemError) {
        let routes = AdminRoutes(backend: backend, node: nil, build: build, maxValueBytes: 0)
        try self.init(loop: loop, address: address, routes: routes, limits: HttpLimits())
    }

    /// What writes need where the port is not on loopback; may change at any time. Nil shuts them.
    public var token: AdminToken? {
        get { routes.access.token }
        set { routes.access.token = newValue }
    }

    init(
        loop: EventLoop, address: SocketAddress, routes: AdminRoutes, limits: HttpLimits
    ) throws(SystemError) {
        http = try HttpServer(address, handler: routes, limits: limits, nowUs: loop.nowUs)
        (self.loop, self.routes) = (loop, routes)
        routes.access = AdminAccess(isLoopback: http.address.isLoopback)
        super.init()
        loop.attach(self)
        try loop.watch(http.fileDescriptor, events: EPOLLIN.rawValue, for: self)
    }

    /// Where it listens, with the port the kernel chose.
    public var address: SocketAddress { http.address }

    /// Requests that were no HTTP we take, or took too long. For `dht_rejected_total{reason="http"}`.
    public var rejected: UInt64 { http.stats.refused + http.stats.overdue }

    var stats: HttpStats { http.stats }

    /// Answers the request that `ticket` names; a ticket whose request is over is ignored.
    public func complete(_ ticket: AdminTicket, _ outcome: CallOutcome, nowUs: UInt64) {
        guard let exchange = http.exchange(ticket) else { return }
        routes.complete(exchange, outcome)
        answered(exchange, nowUs: nowUs)
    }

    private func answered(_ exchange: HttpExchange, nowUs: UInt64) {
        // From within a start the server is running already.
        guard !http.isRunning else { return }
        http.answered(exchange, nowUs: nowUs)
        loop.deferToEndOfTurn(self)
    }

    /// Answers what still waits with 503, and closes the port.
    public func stop() {
        guard isAttached else { return }
        // The library ends the process when a request still waits at its end.
        routes.isStopping = true
        for exchange in http.waiting { routes.abandon(exchange) }
        http.run(nowUs: loop.nowUs)
        loop.detach(self)
        alarm.set(nil, on: loop, for: self)
        http.stop()
    }

    override public func ready(_ events: UInt32, nowUs: UInt64) { run(nowUs: nowUs) }

    override public func timer(tag: UInt32, nowUs: UInt64) {
        alarm.fired()
        run(nowUs: nowUs)
    }

    override public func endOfTurn(nowUs: UInt64) { run(nowUs: nowUs) }

    private func run(nowUs: UInt64) {
        http.run(nowUs: nowUs)
        let deadlineUs = http.deadlineUs(nowUs: nowUs)
        if let deadlineUs, deadlineUs <= nowUs { return loop.deferToEndOfTurn(self) }
        alarm.set(deadlineUs, on: loop, for: self)
    }
}
