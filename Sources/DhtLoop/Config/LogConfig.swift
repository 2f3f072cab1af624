// RO:WHAT  LogConfig: what is logged, and in which form.
// RO:WHY   Both daemons log in one way; each has settings of its own for it.

import Logging

/// Form of a log line.
public enum LogFormat: String, CaseIterable, Sendable {
    case json
    case text
}

/// Level and form of log lines.
public struct LogConfig: Equatable, Sendable {
    /// The least level that is logged.
    public let level: Logger.Level
    public let format: LogFormat
}
