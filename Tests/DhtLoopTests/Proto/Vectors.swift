// RO:WHAT  The golden vectors of the wire, as scripts/gen/vectors.py wrote them.
// RO:WHY   The decoder is judged by another encoder's bytes, not by our own encoder's only.
import FoundationEssentials
import Testing

@testable import DhtLoop

/// One JSON value, as far as the vectors use them.
indirect enum Json: Equatable, Decodable {
    case null
    case bool(Bool)
    case number(UInt64)
    case text(String)
    case list([Json])
    case object([String: Json])

    init(from decoder: any Decoder) throws {
        let value = try decoder.singleValueContainer()
        if value.decodeNil() {
            self = .null
        } else if let bool = try? value.decode(Bool.self) {
            self = .bool(bool)
        } else if let number = try? value.decode(UInt64.self) {
            self = .number(number)
        } else if let text = try? value.decode(String.self) {
            self = .text(text)
        } else if let list = try? value.decode([Json].self) {
            self = .list(list)
        } else {
            self = .object(try value.decode([String: Json].self))
        }
    }
}

/// What a reader must find in an envelope; `body` holds bytes as hex.
struct ExpectedEnvelope: Equatable, Decodable {
    let dst: String
    let src: String
    let at: String
    let net: UInt64
    let id: UInt64
    let message: String
    let body: Json
}

struct ValidVector: Decodable, CustomTestStringConvertible, Sendable {
    let name: String
    let hex: String
    /// The very bytes our encoder writes for these fields.
    let canonical: Bool
    let expect: ExpectedEnvelope

    var testDescription: String { name }
}

struct InvalidVector: Decodable, CustomTestStringConvertible, Sendable {
    enum Part: String, Decodable { case head, message }

    let name: String
    let hex: String
    /// Raw value of a `WireError`.
    let error: String
    /// Where it must be noticed: a bad head throws, a bad message is an answer.
    let part: Part

    var testDescription: String { name }
}

struct Vectors: Decodable {
    let valid: [ValidVector]
    let invalid: [InvalidVector]

    /// The file beside this source.
    static let golden: Vectors = {
        let directory = #filePath.prefix(upTo: #filePath.lastIndex(of: "/")!)
        do {
            let data = try Data(contentsOf: URL(filePath: directory + "/vectors.json"))
            return try JSONDecoder().decode(Vectors.self, from: data)
        } catch {
            fatalError("vectors.json: \(error)")
        }
    }()
}
