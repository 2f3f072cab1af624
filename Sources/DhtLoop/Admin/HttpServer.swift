// RO:WHAT  HttpServer: libmicrohttpd driven by calls, without a thread, and its limits.
// RO:WHY   The loop owns time and readiness; HTTP/1.1 itself is left to a library with twenty years of hardening.
// RO:INVARIANTS  one exchange a connection; body bytes held by all of them stay within HttpLimits.heldBytes.
// RO:SECURITY  heads, bodies, connections, idle time and the time of a whole request are bounded.
// RO:TEST  Tests/DhtLoopTests/Admin/HttpServerTests.swift

import CEpoll
import CMicrohttpd
import Glibc

/// What clients may use of us.
struct HttpLimits {
    /// Connections at a time; further ones wait in the kernel's queue.
    var connections: UInt32 = 128
    /// Silence after which a connection is closed.
    var idleSeconds: UInt32 = 15
    /// Time for one whole request with its answer, waiting for the network not counted: a client that sends a byte
    /// now and then is never silent, and must not hold a slot for ever either.
    var requestUs: UInt64 = 30_000_000
    /// Memory of one connection for its head and its reads.
    var connectionBytes = 32 << 10
    /// Bodies of all requests together.
    var heldBytes = 16 << 20
    /// A body that is refused is read up to here, so that its client gets to see the answer.
    var drainBytes = 4 << 20
}

/// What happened so far.
struct HttpStats: Equatable {
    /// Requests that were given to the handler.
    var requests: UInt64 = 0
    /// Requests refused before their handler: bad syntax, a head that is too long, and bodies over their limit.
    var refused: UInt64 = 0
    /// Requests whose client went away before it had its answer.
    var aborted: UInt64 = 0
    /// Connections closed because a request took too long.
    var overdue: UInt64 = 0
    /// Connections open now.
    var connections = 0
}

/// An HTTP server that does nothing but what `run` finds to do.
final class HttpServer {
    private let handler: HttpHandler
    private let limits: HttpLimits
    /// Where the library's messages go. It keeps the address, so this has memory of its own.
    private var log: UnsafeMutablePointer<svc_mhd_log>?
    private var daemon: OpaquePointer?
    private var exchanges: [HttpExchange] = []
    private var freeSlots: [Int] = []
    private var heldBytes = 0
    private var nowUs: UInt64
    /// No exchange's deadline is before this.
    private var nextExpiryUs = UInt64.max
    private(set) var stats = HttpStats()
    /// True within `run`, and so within every call of the handler.
    private(set) var isRunning = false
    /// Where it listens, with the port the kernel chose.
    let address: SocketAddress

    /// - Throws: what bind or listen say, or `MHD_start_daemon`.
    init(
        _ address: SocketAddress, handler: HttpHandler, limits: HttpLimits = HttpLimits(), nowUs: UInt64
    ) throws(SystemError) {
        let listener = try Sockets.listen(on: address)
        (self.handler, self.limits, self.nowUs) = (handler, limits, nowUs)
        self.address = try Sockets.boundAddress(of: listener.raw)
        // The library closes the socket it is given, so it gets one of its own.
        let own = fcntl(listener.raw, F_DUPFD_CLOEXEC, 0)
        guard own >= 0 else { throw SystemError(operation: "fcntl") }
        start(own)
        guard daemon != nil else {
            let code = errno
            close(own)
            throw SystemError(operation: "MHD_start_daemon", code: code)
        }
    }

    deinit {
        stop()
        log?.deallocate()
    }

    private func start(_ listener: Int32) {
        let context = Unmanaged.passUnretained(self).toOpaque()
        let log = UnsafeMutablePointer<svc_mhd_log>.allocate(capacity: 1)
        log.initialize(to: svc_mhd_log(message: onMessage, context: context))
        self.log = log
        daemon = svc_mhd_start(
            listener,
            svc_mhd_limits(
                connections: limits.connections, idle_seconds: limits.idleSeconds,
                connection_bytes: limits.connectionBytes),
            svc_mhd_callbacks(
                context: context, request: onRequest, completed: onCompleted, connection: onConnection,
                log: log))
    }

    /// Closes everything. Requests that still wait must have been answered before.
    func stop() {
        guard let daemon else { return }
        MHD_stop_daemon(daemon)
        self.daemon = nil
    }

    /// Readable when `run` has work. Valid until `stop`.
    var fileDescriptor: Int32 { daemon.map { svc_mhd_epoll_fd($0) } ?? -1 }

    /// Reads, answers and writes what can be without waiting.
    func run(nowUs: UInt64) {
        guard let daemon else { return }
        self.nowUs = nowUs
        isRunning = true
        defer { isRunning = false }
        if nowUs >= nextExpiryUs { expire() }
        MHD_run(daemon)
    }

    /// When `run` has to be called even if the descriptor stays silent: nil for never, `nowUs` for at once.
    func deadlineUs(nowUs: UInt64) -> UInt64? {
        var milliseconds: UInt64 = 0
        guard let daemon, stats.connections > 0 else { return nil }
        let idleUs = MHD_get_timeout(daemon, &milliseconds) == .YES ? nowUs + milliseconds * 1000 : .max
        let deadlineUs = min(idleUs, nextExpiryUs)
        return deadlineUs == .max ? nil : deadlineUs
    }

    /// The request that `ticket` names, nil when it is over.
    func exchange(_ ticket: AdminTicket) -> HttpExchange? {
        guard ticket.slot < exchanges.count else { return nil }
        let exchange = exchanges[ticket.slot]
        let waits = exchange.phase == .responding || exchange.phase == .suspended
        return waits && exchange.ticket == ticket ? exchange : nil
    }

    /// Gives a request that has just been answered time to be read. Call after `HttpExchange.answer`.
    func answered(_ exchange: HttpExchange, nowUs: UInt64) {
        arm(exchange, nowUs: nowUs)
    }

    /// The requests that wait for their answers.
    var waiting: [HttpExchange] { exchanges.filter { $0.phase == .suspended } }

    private func arm(_ exchange: HttpExchange, nowUs: UInt64) {
        exchange.deadlineUs = nowUs + limits.requestUs
        nextExpiryUs = min(nextExpiryUs, exchange.deadlineUs)
    }

    /// Shuts the sockets of requests that took too long; the library finds them closed and cleans up.
    private func expire() {
        nextExpiryUs = .max
        for exchange in exchanges {
            if exchange.deadlineUs <= nowUs {
                exchange.deadlineUs = .max
                stats.overdue += 1
                shutdown(exchange.socket, Int32(SHUT_RDWR))
            }
            nextExpiryUs = min(nextExpiryUs, exchange.deadlineUs)
        }
    }
}

// What libmicrohttpd tells, one function each.
extension HttpServer {
    fileprivate func opened(_ connection: OpaquePointer) -> HttpExchange {
        stats.connections += 1
        let exchange: HttpExchange
        if let slot = freeSlots.popLast() {
            exchange = exchanges[slot]
        } else {
            exchange = HttpExchange(slot: exchanges.count)
            exchanges.append(exchange)
        }
        exchange.socket = svc_mhd_socket(connection)
        arm(exchange, nowUs: nowUs)
        return exchange
    }

    fileprivate func closed(_ exchange: HttpExchange) {
        stats.connections -= 1
        exchange.deadlineUs = .max
        freeSlots.append(exchange.slot)
        if stats.connections == 0 { nextExpiryUs = .max }
    }

    /// The head of a request. False closes the connection.
    fileprivate func began(_ exchange: HttpExchange, _ connection: OpaquePointer, _ method: HttpMethod)
        -> Bool
    {
        exchange.begin(connection, method)
        handler.accept(exchange)
        guard let declared = exchange.header("Content-Length") else { return true }
        let length = Int(declared) ?? .max
        if length > limits.drainBytes || exchange.bodyLimit > 0 && length > exchange.bodyLimit {
            exchange.fail(.tooLarge)
        }
        // Its client waits for a go-ahead, or has more to say than we would listen to: tell it now.
        let isEarly = length > limits.drainBytes || exchange.header("Expect") != nil
        return exchange.bodyFault != nil && isEarly ? completed(exchange) : true
    }

    /// A part of the body. False closes the connection.
    fileprivate func received(_ exchange: HttpExchange, _ part: UnsafeRawBufferPointer) -> Bool {
        let before = exchange.bodyBytes.count
        exchange.receive(part, room: limits.heldBytes - heldBytes)
        heldBytes += exchange.bodyBytes.count - before
        return exchange.bodyReceived <= limits.drainBytes
    }

    /// The whole request. False closes the connection.
    fileprivate func completed(_ exchange: HttpExchange) -> Bool {
        guard exchange.phase == .receiving else { return false }
        stats.requests += 1
        if exchange.bodyFault != nil { stats.refused += 1 }
        exchange.respond(handler, nowUs: nowUs)
        if exchange.phase == .suspended { exchange.deadlineUs = .max }
        return true
    }

    /// The end of a request, however it came.
    fileprivate func ended(_ exchange: HttpExchange, inOrder: Bool) {
        heldBytes -= exchange.bodyBytes.count
        exchange.end()
        arm(exchange, nowUs: nowUs)
        if !inOrder { stats.aborted += 1 }
    }

    /// The library's messages are in English and for people; the one for a refused request is worth counting.
    fileprivate func said(_ message: String) {
        if message.hasPrefix("Error processing request") { stats.refused += 1 }
    }
}

// The C side: find the Swift side and pass on.

private func server(_ context: UnsafeMutableRawPointer?) -> HttpServer {
    Unmanaged<HttpServer>.fromOpaque(context!).takeUnretainedValue()
}

private func exchange(at context: UnsafeMutableRawPointer) -> HttpExchange {
    Unmanaged<HttpExchange>.fromOpaque(context).takeUnretainedValue()
}

private func onConnection(
    _ context: UnsafeMutableRawPointer?, _ connection: OpaquePointer?,
    _ slot: UnsafeMutablePointer<UnsafeMutableRawPointer?>?, _ what: MHD_ConnectionNotificationCode
) {
    guard let connection, let slot else { return }
    if what == .CONNECTION_NOTIFY_STARTED {
        slot.pointee = Unmanaged.passUnretained(server(context).opened(connection)).toOpaque()
    } else if let open = slot.pointee {
        server(context).closed(exchange(at: open))
    }
}

private func onRequest(
    _ context: UnsafeMutableRawPointer?, _ connection: OpaquePointer?, _ url: UnsafePointer<CChar>?,
    _ method: UnsafePointer<CChar>?, _ version: UnsafePointer<CChar>?, _ data: UnsafePointer<CChar>?,
    _ size: UnsafeMutablePointer<Int>?, _ request: UnsafeMutablePointer<UnsafeMutableRawPointer?>?
) -> MHD_Result {
    guard let connection, let url, let method, let size, let request else { return .NO }
    let server = server(context)
    guard let slot = request.pointee ?? svc_mhd_socket_context(connection) else { return .NO }
    let exchange = exchange(at: slot)
    exchange.lend(path: UnsafeRawBufferPointer(start: url, count: strlen(url)))
    let isGood: Bool
    if request.pointee == nil {
        request.pointee = slot
        isGood = server.began(exchange, connection, HttpMethod(rawValue: String(cString: method)) ?? .other)
    } else if size.pointee > 0 {
        isGood = server.received(exchange, UnsafeRawBufferPointer(start: data, count: size.pointee))
        size.pointee = 0
    } else {
        isGood = server.completed(exchange)
    }
    return isGood ? .YES : .NO
}

private func onCompleted(
    _ context: UnsafeMutableRawPointer?, _ connection: OpaquePointer?,
    _ request: UnsafeMutablePointer<UnsafeMutableRawPointer?>?, _ how: MHD_RequestTerminationCode
) {
    guard let slot = request?.pointee else { return }
    server(context).ended(exchange(at: slot), inOrder: how == .REQUEST_TERMINATED_COMPLETED_OK)
}

private func onMessage(_ context: UnsafeMutableRawPointer?, _ text: UnsafePointer<CChar>?) {
    guard let text else { return }
    server(context).said(String(cString: text))
}
