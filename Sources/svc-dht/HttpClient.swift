// RO:WHAT  HttpClient: one HTTP/1.1 request to a node, waiting for its answer.
// RO:WHY   A client command does one thing and may wait; a library for it would outweigh the command.
// RO:INVARIANTS  one connection a request; at most maxAnswerBytes are kept.

import CEpoll
import DhtLoop
import Glibc

/// Talks to one node.
struct HttpClient {
    /// The largest value wrapped in JSON is below this: 983 040 bytes, at most six bytes each.
    private static let maxAnswerBytes = 8 << 20

    let address: String
    let timeoutSeconds: Int
    /// Sent as a bearer token; nil for none.
    let token: String?

    /// Sends a request and returns its answer. Throws when no node gives one.
    func send(
        _ method: String, _ target: String, headers: [String] = [], body: [UInt8] = []
    ) throws(CommandFailure) -> HttpReply {
        let socket = try connect()
        defer { close(socket) }
        var request = Array("\(method) \(target) HTTP/1.1\r\nHost: \(address)\r\nConnection: close\r\n".utf8)
        let own = headers + (token.map { ["Authorization: Bearer \($0)"] } ?? [])
        for header in own { request += Array("\(header)\r\n".utf8) }
        request += Array("Content-Length: \(body.count)\r\n\r\n".utf8) + body
        write(request, to: socket)
        guard Progress.wait(for: socket, seconds: timeoutSeconds, telling: "\(method) \(target)") else {
            throw unreachable("no answer in \(timeoutSeconds) s")
        }
        guard let received = FileContent.bytes(descriptor: socket, limit: Self.maxAnswerBytes) else {
            let reason =
                errno == EAGAIN ? "no answer in \(timeoutSeconds) s" : String(cString: strerror(errno))
            throw unreachable(reason)
        }
        guard let reply = HttpReply(received) else {
            throw unreachable("the answer is no HTTP, or broke off")
        }
        return reply
    }

    /// Host and port of an address; nil when it has another shape.
    static func parse(_ address: String) -> (host: String, port: String)? {
        guard let colon = address.lastIndex(of: ":") else { return nil }
        let port = String(address[address.index(after: colon)...])
        var host = address[..<colon]
        if host.hasPrefix("["), host.hasSuffix("]") { host = host.dropFirst().dropLast() }
        guard !host.isEmpty, let number = UInt16(port), number > 0 else { return nil }
        return (String(host), port)
    }

    private func connect() throws(CommandFailure) -> Int32 {
        guard let (host, port) = Self.parse(address) else { throw unreachable("no such address") }
        var hints = addrinfo()
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var list: UnsafeMutablePointer<addrinfo>?
        let status = getaddrinfo(host, port, &hints, &list)
        guard status == 0 else { throw unreachable(String(cString: gai_strerror(status))) }
        defer { freeaddrinfo(list) }
        var reason = "no address"
        var next = list
        while let candidate = next?.pointee {
            if let socket = connect(to: candidate) { return socket }
            reason = String(cString: strerror(errno))
            next = candidate.ai_next
        }
        throw unreachable(reason)
    }

    /// A connected socket that does not wait longer than the time-out; nil leaves errno.
    private func connect(to candidate: addrinfo) -> Int32? {
        let socket = socket(candidate.ai_family, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard socket >= 0 else { return nil }
        var time = timeval(tv_sec: timeoutSeconds, tv_usec: 0)
        for option in [SO_RCVTIMEO, SO_SNDTIMEO] {
            setsockopt(socket, SOL_SOCKET, option, &time, socklen_t(MemoryLayout<timeval>.size))
        }
        if Glibc.connect(socket, candidate.ai_addr, candidate.ai_addrlen) == 0 { return socket }
        let code = errno
        close(socket)
        errno = code
        return nil
    }

    /// A server that refuses a body may stop reading it: what it has to say is read all the same.
    private func write(_ bytes: [UInt8], to socket: Int32) {
        var sent = 0
        while sent < bytes.count {
            let count = bytes[sent...].withUnsafeBytes {
                Glibc.send(socket, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { return }
            sent += count
        }
    }

    private func unreachable(_ reason: String) -> CommandFailure {
        CommandFailure(
            code: .unreachable,
            message: """
                no node answers at \(address): \(reason)
                  start one:          svc-dht run --admin-addr \(address)
                  or name another:    --node HOST:PORT, or RON_DHT_ADDR in the environment
                """)
    }
}

/// What a node answered.
struct HttpReply {
    let status: Int
    let body: [UInt8]

    /// Parses a whole response; nil when it is none, or shorter than it says.
    init?(_ bytes: [UInt8]) {
        let separator = Array("\r\n\r\n".utf8)
        guard bytes.count >= separator.count else { return nil }
        let headEnd = (0...bytes.count - separator.count).first { start in
            bytes[start..<start + separator.count].elementsEqual(separator)
        }
        guard let headEnd else { return nil }
        let lines = String(decoding: bytes[..<headEnd], as: UTF8.self).split(separator: "\r\n")
        let words = lines.first?.split(separator: " ") ?? []
        guard words.count >= 2, words[0].hasPrefix("HTTP/1."), let status = Int(words[1]) else { return nil }
        self.status = status
        body = Array(bytes[(headEnd + separator.count)...])
        guard body.count == Self.contentLength(lines) ?? body.count else { return nil }
    }

    private static func contentLength(_ lines: [Substring]) -> Int? {
        for line in lines.dropFirst() where line.lowercased().hasPrefix("content-length:") {
            return Int(line.drop { $0 != ":" }.dropFirst().filter { $0 != " " })
        }
        return nil
    }

    var text: String { String(decoding: body, as: UTF8.self) }

    var json: JsonValue? { JsonValue(body) }

    /// The node's own words for what went wrong, for people.
    var complaint: String {
        guard let json, let error = json["error"]?.text else { return "the node answered \(status)" }
        return json["hint"]?.text.map { "\(error): \($0)" } ?? error
    }
}
