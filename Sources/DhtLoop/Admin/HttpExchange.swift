// RO:WHAT  HttpExchange: one connection's present request, from its head to its answer.
// RO:WHY   A connection has one request at a time, so its memory is used again for the next one.
// RO:INVARIANTS  a ticket names one request of one connection: it is stale as soon as that request is over.

import CMicrohttpd

/// Names one request that waits for its answer. Safe to keep: a stale one is ignored.
public struct AdminTicket: Hashable, Sendable {
    /// Slot in the low half, the slot's generation in the high half.
    public let rawValue: UInt64

    /// Takes back what `rawValue` gave.
    public init(rawValue: UInt64) { self.rawValue = rawValue }

    init(slot: Int, generation: UInt32) { rawValue = UInt64(generation) << 32 | UInt64(UInt32(slot)) }

    var slot: Int { Int(UInt32(truncatingIfNeeded: rawValue)) }
}

/// Who answers requests. `accept` and `respond` are called in this order, once a request.
class HttpHandler {
    /// The head has arrived: look at the path, and set `exchange.bodyLimit` if a body is wanted.
    func accept(_ exchange: HttpExchange) {}

    /// The request is complete: answer it now, or keep its ticket and answer later.
    func respond(to exchange: HttpExchange, nowUs: UInt64) {}
}

/// A request and the way back to its client.
final class HttpExchange {
    enum Phase {
        /// No request, or one whose head is not complete.
        case idle
        /// The head is known, the body arrives.
        case receiving
        /// The handler is being asked.
        case responding
        /// The handler answers later.
        case suspended
        /// The answer is on its way, or could not be made.
        case answered
    }

    enum BodyFault {
        /// Longer than its limit.
        case tooLarge
        /// All requests together hold as much as they may.
        case noRoom
    }

    /// Memory that an exchange keeps between requests.
    private static let keptBytes = 4096

    let slot: Int
    private(set) var generation: UInt32 = 1
    private(set) var phase = Phase.idle
    /// When the client must be done with this request and have read its answer.
    var deadlineUs = UInt64.max
    var socket: Int32 = -1

    private var connection: OpaquePointer?
    private(set) var method = HttpMethod.other
    /// The path as it was sent, escapes and all. Borrowed: valid in `accept` and `respond` only.
    private(set) var path = UnsafeRawBufferPointer(start: nil, count: 0)
    /// Bytes of a body that are collected; 0 lets one pass unread.
    var bodyLimit = 0
    private var body = ByteBuffer(capacity: 1)
    private(set) var bodyFault: BodyFault?
    /// Bytes of the body that have arrived, collected or not.
    private(set) var bodyReceived = 0

    /// What the handler found out in `accept`.
    var match = RouteMatch.noSuchPath
    /// What the handler needs again when it answers later.
    var key = Key.zero
    var wantsJson = false
    /// It came as /dht/lookup.
    var isLookup = false

    init(slot: Int) { self.slot = slot }

    var ticket: AdminTicket { AdminTicket(slot: slot, generation: generation) }

    /// The body, as far as it was collected.
    var bodyBytes: UnsafeRawBufferPointer { body.bytes }

    /// A query parameter as it was sent, escapes and all; empty when it has no value.
    func query(_ name: String) -> String? {
        var value: UnsafePointer<CChar>?
        var size = 0
        let found = MHD_lookup_connection_value_n(
            connection, .GET_ARGUMENT_KIND, name, name.utf8.count, &value, &size)
        guard found == .YES else { return nil }
        return String(decoding: UnsafeRawBufferPointer(start: value, count: size), as: UTF8.self)
    }

    /// A header's value.
    func header(_ name: String) -> String? {
        MHD_lookup_connection_value(connection, .HEADER_KIND, name).map { String(cString: $0) }
    }

    /// Sends `answer`, now or, for a request that waits, as soon as the server runs.
    func answer(_ answer: borrowing HttpAnswer) {
        let wasSuspended = phase == .suspended
        guard wasSuspended || phase == .responding else { return }
        phase = .answered
        if let response = answer.response {
            MHD_queue_response(connection, answer.status.rawValue, response)
        }
        // Without a response the server is asked again, and closes the connection.
        if wasSuspended { MHD_resume_connection(connection) }
    }
}

// What the server does with an exchange.
extension HttpExchange {
    /// The head of a request has arrived.
    func begin(_ connection: OpaquePointer, _ method: HttpMethod) {
        (self.connection, self.method) = (connection, method)
        phase = .receiving
    }

    /// Where the path lies for the calls that follow; libmicrohttpd says it with each of them.
    func lend(path: UnsafeRawBufferPointer) { self.path = path }

    func fail(_ fault: BodyFault) { bodyFault = bodyFault ?? fault }

    /// Takes a part of the body. `room` is what all requests together may still hold.
    func receive(_ part: UnsafeRawBufferPointer, room: Int) {
        bodyReceived += part.count
        guard bodyLimit > 0, bodyFault == nil else { return }
        if body.count + part.count > bodyLimit { return fail(.tooLarge) }
        if part.count > room { return fail(.noRoom) }
        body.append(part)
    }

    /// Asks the handler. The connection is suspended when it does not answer at once.
    func respond(_ handler: HttpHandler, nowUs: UInt64) {
        phase = .responding
        handler.respond(to: self, nowUs: nowUs)
        guard phase == .responding else { return }
        phase = .suspended
        MHD_suspend_connection(connection)
    }

    /// The request is over, however it ended: its ticket is stale from here on.
    func end() {
        phase = .idle
        generation &+= 1
        connection = nil
        path = UnsafeRawBufferPointer(start: nil, count: 0)
        body.release(keeping: Self.keptBytes)
        (bodyLimit, bodyReceived, bodyFault) = (0, 0, nil)
        (wantsJson, isLookup) = (false, false)
    }
}
