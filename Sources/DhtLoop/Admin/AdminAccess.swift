// RO:WHAT  AdminAccess: who may do what over the admin port.
// RO:WHY   Secure by default: on loopback everything is open, elsewhere writes need a token and debugging is shut.
// RO:SECURITY  tokens are compared as digests in constant time: neither length nor prefix can be measured.
// RO:TEST  Tests/DhtLoopTests/Admin/NodeRouteTests.swift

import CNettle

/// A bearer token, held as its digest.
public struct AdminToken: Sendable {
    /// Shorter tokens could be guessed.
    static let leastBytes = 16

    private let digest: [UInt8]

    /// Takes the first line of a token file; nil when it is shorter than 16 bytes.
    public init?(_ file: String) {
        let line = file.prefix { !$0.isNewline }
        guard line.utf8.count >= Self.leastBytes else { return nil }
        digest = Self.digest(line)
    }

    /// Whether `Authorization: <header>` carries this token.
    func matches(authorization header: String?) -> Bool {
        guard let header, header.lowercased().hasPrefix("bearer ") else { return false }
        return nettle_memeql_sec(digest, Self.digest(header.dropFirst("bearer ".count)), digest.count) != 0
    }

    private static func digest(_ text: Substring) -> [UInt8] {
        var text = text
        return text.withUTF8 { Sha256.digest(UnsafeRawBufferPointer($0)) }
    }
}

/// What a port lets its clients do.
struct AdminAccess {
    /// Why a request is not answered.
    enum Refusal: Equatable {
        /// A token is needed, and this one is not it.
        case unauthorized
        /// No token would help.
        case writesShut, debugShut
    }

    /// The port listens on a loopback address.
    let isLoopback: Bool
    var token: AdminToken?

    /// Nil when `action` may be done by a client that sent `authorization`.
    func refusal(of action: RouteAction, authorization: @autoclosure () -> String?) -> Refusal? {
        guard !isLoopback else { return nil }
        if action == .debugList { return .debugShut }
        guard action.isWrite else { return nil }
        guard let token else { return .writesShut }
        return token.matches(authorization: authorization()) ? nil : .unauthorized
    }
}
