// RO:WHAT  FileDescriptor: the one owner of a descriptor.
// RO:WHY   A descriptor closed twice closes somebody else's; a value that cannot be copied cannot do that.

import Glibc

/// Closes its descriptor when its life ends.
public struct FileDescriptor: ~Copyable {
    /// The number, for system calls. Not to be closed, nor kept longer than this value.
    public let raw: Int32

    /// Takes over `raw`, a descriptor that nobody else will close.
    public init(owning raw: Int32) { self.raw = raw }

    /// Takes over the result of a call; -1 throws its errno.
    init(_ operation: StaticString, _ call: @autoclosure () -> Int32) throws(SystemError) {
        raw = try systemCall(operation, call)
    }

    deinit {
        // Whatever close says, the number is free after it, but for one that was not open.
        let result = close(raw)
        assert(result == 0 || errno != EBADF, "somebody else closed the descriptor")
    }
}
