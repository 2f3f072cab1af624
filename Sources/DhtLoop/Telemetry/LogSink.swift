// RO:WHAT  LogSink: writes whole lines to a descriptor without ever waiting for it.
// RO:WHY   A pipe that nobody reads must not stop the loop.
// RO:INVARIANTS  a line is written whole, or dropped and counted; the rest of a torn one goes out before the next.
// RO:TEST  Tests/DhtLoopTests/Telemetry/LogTests.swift

import Glibc

/// One place where log lines go.
struct LogSink: ~Copyable {
    private enum Way {
        /// A regular file: writing to it does not wait.
        case file
        /// A pipe or a terminal, opened a second time with O_NONBLOCK: setting the flag on the descriptor we were
        /// given would set it for the shell and everybody else who shares it.
        case reopened(Int32)
        /// A socket, as systemd's journal hands one out: it cannot be opened again, but it takes MSG_DONTWAIT.
        case socket
        /// Anything that could not be opened again: asked with poll first.
        case polled
    }

    private let descriptor: Int32
    private let way: Way
    /// End of a line that was torn by a sink that filled up in the middle of it.
    private var rest: [UInt8] = []
    /// Lines dropped since the last one that went out.
    private(set) var dropped: UInt64 = 0

    /// `descriptor` stays the caller's.
    init(descriptor: Int32) {
        self.descriptor = descriptor
        way = Self.chooseWay(descriptor)
    }

    deinit { if case .reopened(let own) = way { close(own) } }

    /// Writes `line`, which ends in a newline. False when it was dropped.
    @discardableResult
    mutating func write(_ line: UnsafeRawBufferPointer) -> Bool {
        guard writeRest() else { return drop() }
        let written = attempt(line)
        guard written > 0 || line.isEmpty else { return drop() }
        if written < line.count { rest = [UInt8](line[written...]) }
        return true
    }

    /// Writes the line that reports `dropped`; the count starts anew once it is out.
    mutating func writeReport(_ line: UnsafeRawBufferPointer) {
        let reported = dropped
        dropped = 0
        if !write(line) { dropped = reported }
    }

    private mutating func drop() -> Bool {
        dropped += 1
        return false
    }

    /// True when nothing is left of an earlier line.
    private mutating func writeRest() -> Bool {
        guard !rest.isEmpty else { return true }
        let written = rest.withUnsafeBytes { attempt($0) }
        rest.removeFirst(written)
        return rest.isEmpty
    }

    /// Bytes taken without waiting, 0 when none are.
    private func attempt(_ bytes: UnsafeRawBufferPointer) -> Int {
        switch way {
        case .file: return max(0, Glibc.write(descriptor, bytes.baseAddress, bytes.count))
        case .reopened(let own): return max(0, Glibc.write(own, bytes.baseAddress, bytes.count))
        case .socket:
            let flags = Int32(MSG_DONTWAIT) | Int32(MSG_NOSIGNAL)
            return max(0, send(descriptor, bytes.baseAddress, bytes.count, flags))
        case .polled:
            var ready = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
            guard poll(&ready, 1, 0) == 1, ready.revents & Int16(POLLOUT) != 0 else { return 0 }
            return max(0, Glibc.write(descriptor, bytes.baseAddress, bytes.count))
        }
    }

    private static func chooseWay(_ descriptor: Int32) -> Way {
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { return .polled }
        switch status.st_mode & S_IFMT {
        case S_IFREG: return .file
        case S_IFSOCK: return .socket
        default:
            let flags = O_WRONLY | O_NONBLOCK | O_APPEND | O_CLOEXEC | O_NOCTTY
            let own = open("/proc/self/fd/\(descriptor)", flags)
            return own >= 0 ? .reopened(own) : .polled
        }
    }
}
