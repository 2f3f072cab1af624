// RO:WHAT  RepeatFolder: says which warnings are new and counts the others.
// RO:WHY   An outage must not fill a disk with one sentence.
// RO:INVARIANTS  pure; at most `capacity` kinds are remembered; no repeat is lost: it is counted, then said.
// RO:TEST  Tests/DhtLoopTests/Telemetry/LogTests.swift

import Logging

/// Folds warnings and errors of one kind. Of a kind are records with one event, `op` and `cause`: peers, keys and
/// durations vary within an outage.
struct RepeatFolder {
    /// How long a kind stays quiet after a line of it.
    static let windowUs: UInt64 = 10_000_000
    /// Kinds remembered; a further one pushes out the oldest.
    static let capacity = 32

    private struct Kind: Equatable {
        let level: Logger.Level
        let service: String
        let event: String
        let op: Logger.MetadataValue?
        let cause: Logger.MetadataValue?

        init(_ record: LogRecord) {
            (level, service, event) = (record.level, record.service, record.event)
            (op, cause) = (record.metadata["op"], record.metadata["cause"])
        }
    }

    private struct Entry {
        let kind: Kind
        var windowEndsUs: UInt64
        /// The latest record that was not written; its `repeated` counts them all.
        var unsaid: LogRecord?
    }

    private var entries: [Entry] = []

    /// Whether a repeat waits to be said.
    var hasUnsaid: Bool { entries.contains { $0.unsaid != nil } }

    /// The lines to write for `record`: none, itself, or also what an older kind still has to say.
    mutating func admit(_ record: LogRecord, nowUs: UInt64) -> [LogRecord] {
        var lines = flush(dueBy: nowUs)
        guard record.level >= .warning else { return lines + [record] }
        let kind = Kind(record)
        if let index = entries.firstIndex(where: { $0.kind == kind }) {
            let before = entries[index].unsaid?.repeated ?? 0
            entries[index].unsaid = record
            entries[index].unsaid?.repeated = before + 1
            return lines
        }
        if entries.count == Self.capacity { entries.removeFirst().unsaid.map { lines.append($0) } }
        entries.append(Entry(kind: kind, windowEndsUs: nowUs + Self.windowUs))
        return lines + [record]
    }

    /// The unsaid repeats of windows that ended; `.max` ends them all.
    mutating func flush(dueBy nowUs: UInt64) -> [LogRecord] {
        var lines: [LogRecord] = []
        var index = 0
        while index < entries.count {
            guard entries[index].windowEndsUs <= nowUs else {
                index += 1
                continue
            }
            var entry = entries.remove(at: index)
            guard let record = entry.unsaid else { continue }
            lines.append(record)
            guard nowUs != .max else { continue }
            entry.unsaid = nil
            entry.windowEndsUs = nowUs + Self.windowUs
            entries.append(entry)
        }
        return lines
    }
}
