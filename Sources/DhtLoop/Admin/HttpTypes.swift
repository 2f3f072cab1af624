// RO:WHAT  The parts of HTTP that the admin port speaks: methods, status codes, media types.
// RO:WHY   Routes and answers name them; nothing outside the server sees libmicrohttpd.

import CMicrohttpd

/// A request method. HEAD is answered as GET without the body.
enum HttpMethod: String, CaseIterable {
    case get = "GET"
    case head = "HEAD"
    case put = "PUT"
    case post = "POST"
    case delete = "DELETE"
    /// Any other.
    case other = ""
}

/// A status code (RFC 9110, section 15).
enum HttpStatus: UInt32 {
    case ok = 200
    case accepted = 202
    case badRequest = 400
    case unauthorized = 401
    case forbidden = 403
    case notFound = 404
    case methodNotAllowed = 405
    case conflict = 409
    case contentTooLarge = 413
    case unsupportedMediaType = 415
    case unprocessable = 422
    case notImplemented = 501
    case serviceUnavailable = 503
    case gatewayTimeout = 504
}

/// Media types of answers.
enum MediaType {
    static let json = "application/json"
    static let text = "text/plain; charset=utf-8"
    static let html = "text/html; charset=utf-8"
    static let bytes = "application/octet-stream"
}

/// An answer: status, headers, body. May be sent any number of times.
struct HttpAnswer: ~Copyable {
    let status: HttpStatus
    /// Nil when there was no memory for it.
    let response: OpaquePointer?

    /// Copies `body`.
    init(_ status: HttpStatus, type: String, body: UnsafeRawBufferPointer) {
        let start = UnsafeMutableRawPointer(mutating: body.baseAddress)
        self.status = status
        response = MHD_create_response_from_buffer(body.count, start, .RESPMEM_MUST_COPY)
        header("Content-Type", type)
    }

    init(_ status: HttpStatus, type: String, text: StaticString) {
        let body = UnsafeRawBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount)
        self.init(status, type: type, body: body)
    }

    deinit { MHD_destroy_response(response) }

    /// Adds a header; neither part may hold a line break.
    borrowing func header(_ name: String, _ value: String) {
        MHD_add_response_header(response, name, value)
    }
}
