// RO:WHAT  SystemError: a system call that failed, and its errno.
// RO:WHY   One typed error for the room; the operation is a static text, so it may be a metric label.

import CEpoll
import Glibc

/// A failed system call.
public struct SystemError: Error, Equatable, CustomStringConvertible {
    /// The call, as "bind" or "epoll_ctl".
    public let operation: String
    /// Its errno.
    public let code: Int32

    public init(operation: StaticString, code: Int32 = errno) {
        self.operation = "\(operation)"
        self.code = code
    }

    public var description: String { "\(operation): \(String(cString: strerror(code)))" }
}
