// RO:WHAT  CallBook: the calls that run, and those that ended lately.
// RO:WHY   A stopping node waits for the first; people look at the second.
// RO:INVARIANTS  at most `kept` ended calls are remembered.
// RO:TEST  Tests/DhtLoopTests/Node/DrainTests.swift

/// A value that waits for the check before it.
struct PendingWrite: Equatable {
    var value: [UInt8]
    var ttlSeconds: UInt64?
    var paths: Int?
}

/// Calls by ticket.
struct CallBook {
    /// What was asked.
    enum Kind: Equatable {
        case put, get, delete, provide, find, explain, ping
        /// A read of the version that a write expects, and then the write.
        case compareAndPut(UInt64, PendingWrite)
        case compareAndDelete(UInt64)

        /// Whether it changes what the network holds.
        var isWrite: Bool {
            switch self {
            case .put, .delete, .provide, .compareAndPut, .compareAndDelete: true
            case .get, .find, .explain, .ping: false
            }
        }

        /// The word for it in JSON.
        var label: String {
            switch self {
            case .put, .compareAndPut: "put"
            case .get: "get"
            case .delete, .compareAndDelete: "delete"
            case .provide: "provide"
            case .find: "find"
            case .explain: "explain"
            case .ping: "ping"
            }
        }
    }

    /// A call that runs.
    struct Call {
        var kind: Kind
        var key: Key
    }

    /// Ended calls remembered.
    static let kept = 20

    private struct Ended {
        var call: StatsReport.RecentCall
        var endedUs: UInt64
    }

    private var open: [UInt64: Call] = [:]
    private var ended: [Ended] = []
    private var next = 0

    /// Calls that run.
    var running: Int { open.count }

    /// The call of a ticket; nil when it has ended.
    func call(_ ticket: UInt64) -> Call? { open[ticket] }

    mutating func began(_ ticket: UInt64, _ kind: Kind, _ key: Key) {
        open[ticket] = Call(kind: kind, key: key)
    }

    /// A call that was refused after `began`.
    mutating func refused(_ ticket: UInt64) { open[ticket] = nil }

    mutating func ended(
        _ ticket: UInt64, outcome: String, hops: Int, elapsedUs: UInt64, nowUs: UInt64
    ) {
        guard let call = open.removeValue(forKey: ticket) else { return }
        let entry = Ended(
            call: StatsReport.RecentCall(
                op: call.kind.label, key: call.key, outcome: outcome, hops: hops, elapsedUs: elapsedUs,
                endedAgoUs: 0),
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
