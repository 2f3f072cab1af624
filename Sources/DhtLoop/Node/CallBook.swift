// RO:WHAT  CallBook: the calls that run, and those that ended lately.
// RO:WHY   A stopping node waits for the first; people look at the second.
// RO:INVARIANTS  at most `kept` ended calls are remembered.
// RO:TEST  Tests/DhtLoopTests/Node/CallBookTests.swift

/// Calls by ticket.
struct CallBook {
    /// Ended calls remembered.
    static let kept = 20

    private struct Ended {
        var call: StatsReport.RecentCall
        var endedUs: UInt64
    }

    private var keys: [UInt64: Key] = [:]
    private var ended: [Ended] = []
    private var next = 0

    /// Calls that run.
    var running: Int { keys.count }

    mutating func began(_ ticket: UInt64, _ key: Key) { keys[ticket] = key }

    /// A call that was refused after `began`.
    mutating func refused(_ ticket: UInt64) { keys[ticket] = nil }

    mutating func ended(
        _ ticket: UInt64, op: String, outcome: String, hops: Int, elapsedUs: UInt64, nowUs: UInt64
    ) {
        guard let key = keys.removeValue(forKey: ticket) else { return }
        let entry = Ended(
            call: StatsReport.RecentCall(
                op: op, key: key, outcome: outcome, hops: hops, elapsedUs: elapsedUs, endedAgoUs: 0),
            endedUs: nowUs)
        if ended.count < Self.kept { ended.append(entry) } else { ended[next] = entry }
        next = (next + 1) % Self.kept
    }

    /// What ended lately, newest first.
    func recent(nowUs: UInt64) -> [StatsReport.RecentCall] {
        ended.sorted { $0.endedUs > $1.endedUs }.map { entry in
            var call = entry.call
            call.endedAgoUs = nowUs - min(nowUs, entry.endedUs)
            return call
        }
    }
}
