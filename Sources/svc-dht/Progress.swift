// RO:WHAT  Progress: a line on the terminal while an answer takes its time.
// RO:WHY   After a second of silence people wonder; programs and pipes must not see any of it.

import DhtLoop
import Glibc

enum Progress {
    private static let quietMs = 1000
    private static let tickMs = 100
    private static let barWidth = 30

    /// Waits until `socket` can be read, at most `seconds`; false when that is over. Draws on standard error from the
    /// second second on, if that is a terminal, and leaves nothing behind.
    static func wait(for socket: Int32, seconds: Int, telling what: String) -> Bool {
        let isVisible = isatty(STDERR_FILENO) == 1
        var waitedMs = 0
        var isDrawn = false
        defer { if isDrawn { Console.write(Array("\r\u{1B}[K".utf8), to: STDERR_FILENO) } }
        while waitedMs < seconds * 1000 {
            var ready = pollfd(fd: socket, events: Int16(POLLIN), revents: 0)
            let count = poll(&ready, 1, Int32(tickMs))
            if count > 0 { return true }
            if count < 0, errno != EINTR { return true }
            waitedMs += tickMs
            guard isVisible, waitedMs >= quietMs else { continue }
            isDrawn = true
            Console.write(Array(line(waitedMs, seconds, what).utf8), to: STDERR_FILENO)
        }
        return false
    }

    /// How much of the time has gone: what the node does meanwhile it does not tell.
    private static func line(_ waitedMs: Int, _ seconds: Int, _ what: String) -> String {
        let filled = min(barWidth, barWidth * waitedMs / (seconds * 1000))
        let bar = String(repeating: "#", count: filled) + String(repeating: ".", count: barWidth - filled)
        return "\r\u{1B}[K[\(bar)] \(waitedMs / 1000) of \(seconds) s  \(what)"
    }
}
