// RO:WHAT  How a daemon ends, and why it did not start.
// RO:WHY   An operator is told which address could not be had, and scripts tell causes apart by exit code.

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

/// Why a daemon did not start.
enum StartError: Error {
    /// Not a numeric host:port.
    case badAddress(String)
    /// Nothing can listen there.
    case bind(String, SystemError)
    /// The token file cannot be read, or holds no token.
    case badToken(String)
    /// The kernel refused something else.
    case system(SystemError)

    var exitCode: ExitCode {
        switch self {
        case .badAddress, .badToken: .usage
        case .bind: .bind
        case .system: .failed
        }
    }

    /// The log line's event.
    var event: Logger.Message {
        switch self {
        case .badAddress: "bad_address"
        case .badToken: "bad_token"
        case .bind: "bind_failed"
        case .system: "start_failed"
        }
    }

    /// The log line's fields.
    var metadata: Logger.Metadata {
        switch self {
        case .badAddress(let text):
            ["peer": .string(text), "cause": "listen addresses are numeric: 127.0.0.1:5301 or [::1]:5301"]
        case .badToken(let path):
            [
                "file": .string(path),
                "cause":
                    "RON_DHT_ADMIN_TOKEN_FILE names a file with a token of 16 bytes or more in its first line",
            ]
        case .bind(let text, let error): ["peer": .string(text), "cause": .string(error.description)]
        case .system(let error): ["cause": .string(error.description)]
        }
    }

    /// Runs `body` with the address that `text` spells; what goes wrong is told with the text.
    static func binding<Listener>(
        _ text: String, _ body: (SocketAddress) throws(SystemError) -> Listener
    ) throws(StartError) -> Listener {
        guard let address = SocketAddress(text) else { throw .badAddress(text) }
        do throws(SystemError) {
            return try body(address)
        } catch {
            throw .bind(text, error)
        }
    }

    /// Runs `body`, which binds nothing.
    static func inSystem<Value>(_ body: () throws(SystemError) -> Value) throws(StartError) -> Value {
        do throws(SystemError) {
            return try body()
        } catch {
            throw .system(error)
        }
    }
}
