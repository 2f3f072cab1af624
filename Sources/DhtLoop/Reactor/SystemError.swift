// RO:WHAT  SystemError: a system call that failed, and its errno.  systemCall: the one way to make a call.
// RO:WHY   A call that a signal interrupts is made again here and nowhere else, and no failure goes without a name.
// RO:TEST  Tests/DhtLoopTests/Reactor/SystemCallTests.swift

import Glibc

/// A failed system call.
public struct SystemError: Error, Equatable, CustomStringConvertible {
    private let name: StaticString
    /// Its errno.
    public let code: Int32

    public init(operation: StaticString, code: Int32 = errno) { (name, self.code) = (operation, code) }

    /// The call, as "bind" or "epoll_ctl".
    public var operation: String { "\(name)" }

    public var description: String { "\(operation): \(String(cString: strerror(code)))" }

    public static func == (a: SystemError, b: SystemError) -> Bool {
        a.code == b.code && a.operation == b.operation
    }
}

/// Makes a call that returns -1 on failure, and makes it again when a signal interrupts it.
///
/// Not for `connect` and `close`, which are under way after an interruption and must not be repeated.
@inline(__always) @discardableResult
func systemCall<Result: SignedInteger>(
    _ name: StaticString, _ call: () -> Result
) throws(SystemError) -> Result {
    while true {
        let result = call()
        if result >= 0 { return result }
        let code = errno
        if code != EINTR { throw SystemError(operation: name, code: code) }
    }
}
