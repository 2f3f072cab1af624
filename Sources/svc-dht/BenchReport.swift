// RO:WHAT  BenchReport: what a run came to, as a table and as JSON.
// RO:WHY   One place knows the figures; both forms show the same ones.

import DhtLoop

struct BenchReport {
    let tally: LoadTally
    let latencies: [(op: LoadOp, recorder: LatencyRecorder)]
    let before: ServerProbe.Reading
    let after: ServerProbe.Reading

    /// Server CPU per answered request, in microseconds.
    var cpuUsPerRequest: Double? {
        guard let spentNs = difference(before.cpuNs, after.cpuNs), tally.answered > 0 else { return nil }
        return Double(spentNs) / 1000 / Double(tally.answered)
    }

    /// Frames that the server counted as dropped.
    var counted: UInt64? { difference(before.drops, after.drops) }

    /// Calls of the allocator.
    private var allocations: UInt64? { difference(before.allocations, after.allocations) }

    /// Requests that vanished: no answer came, and no counter of the server tells of them.
    var vanished: UInt64 { tally.lost - min(tally.lost, counted ?? 0) }

    /// How much a count has grown; 0 where it went back, as that of threads that have ended.
    private func difference(_ start: UInt64?, _ end: UInt64?) -> UInt64? {
        guard let start, let end else { return nil }
        return end - min(start, end)
    }

    // MARK: - Table

    var lines: [String] {
        var lines = [
            row(["op", "requests"] + LatencyRecorder.percentiles.map { "p\(Self.short($0))" } + ["max"])
        ]
        for (op, recorder) in latencies {
            let cells = LatencyRecorder.percentiles.map { Self.us(recorder.ns(atPercent: $0)) }
            lines.append(row([op.label, String(recorder.count)] + cells + [Self.us(recorder.maxNs)]))
        }
        lines.append("latencies in us")
        lines.append(
            "\(tally.answered) answered in \(Self.fixed(Double(tally.elapsedNs) / 1e9, 2)) s: "
                + "\(Self.fixed(tally.perSecond, 0)) a second")
        lines.append(
            "\(tally.lost) lost, \(tally.refused) refused (\(tally.busy) busy), \(tally.notFound) not found, \(tally.stray) stray"
        )
        if tally.contacts > 0 {
            let each = Double(tally.contacts) / Double(max(1, tally.answered))
            lines.append("\(Self.fixed(each, 1)) contacts in an answer")
        }
        if let cpu = cpuUsPerRequest { lines.append("server CPU: \(Self.fixed(cpu, 3)) us a request") }
        if let rss = after.rssBytes { lines.append("server RSS: \(rss / 1024) KiB") }
        if let served = difference(before.served, after.served) {
            lines.append("server says: \(served) served")
        }
        if let allocations { lines.append("server allocations: \(allocations)") }
        if let counted { lines.append("server says: \(counted) dropped") }
        return lines
    }

    private func row(_ cells: [String]) -> String {
        cells.enumerated().map { index, cell in
            let width = index == 0 ? 10 : 11
            let padding = String(repeating: " ", count: max(0, width - cell.count))
            return index == 0 ? cell + padding : padding + cell
        }.joined()
    }

    // MARK: - JSON

    var json: String {
        var members = [
            "\"sent\":\(tally.sent)", "\"answered\":\(tally.answered)", "\"lost\":\(tally.lost)",
            "\"refused\":\(tally.refused)", "\"busy\":\(tally.busy)", "\"not_found\":\(tally.notFound)",
            "\"stray\":\(tally.stray)",
            "\"unreadable\":\(tally.unreadable)", "\"contacts\":\(tally.contacts)",
            "\"vanished\":\(vanished)",
            "\"elapsed_s\":\(Double(tally.elapsedNs) / 1e9)", "\"per_second\":\(tally.perSecond)",
        ]
        if let cpu = cpuUsPerRequest { members.append("\"server_cpu_us\":\(cpu)") }
        if let rss = after.rssBytes { members.append("\"server_rss_bytes\":\(rss)") }
        if let served = difference(before.served, after.served) {
            members.append("\"server_served\":\(served)")
        }
        if let allocations { members.append("\"server_allocations\":\(allocations)") }
        if let counted { members.append("\"server_dropped\":\(counted)") }
        let ops = latencies.map { "\"\($0.op.label)\":\(latencyJson($0.recorder))" }
        members.append("\"latency_us\":{\(ops.joined(separator: ","))}")
        return "{\(members.joined(separator: ","))}"
    }

    private func latencyJson(_ recorder: LatencyRecorder) -> String {
        var members = ["\"count\":\(recorder.count)", "\"mean\":\(recorder.meanNs / 1000)"]
        for percent in LatencyRecorder.percentiles {
            members.append("\"p\(Self.short(percent))\":\(Double(recorder.ns(atPercent: percent)) / 1000)")
        }
        members.append("\"max\":\(Double(recorder.maxNs) / 1000)")
        return "{\(members.joined(separator: ","))}"
    }

    // MARK: - Numbers

    /// `99.9`, but `50`.
    static func short(_ number: Double) -> String {
        number == number.rounded() ? String(Int(number)) : String(number)
    }

    private static func us(_ ns: UInt64) -> String { fixed(Double(ns) / 1000, 1) }

    /// Rounded to `digits` decimal places.
    static func fixed(_ number: Double, _ digits: Int) -> String {
        var scale = 1.0
        for _ in 0..<digits { scale *= 10 }
        let scaled = Int64((number * scale).rounded())
        guard digits > 0 else { return String(scaled) }
        let (whole, rest) = (abs(scaled) / Int64(scale), String(abs(scaled) % Int64(scale)))
        let padding = String(repeating: "0", count: digits - rest.count)
        return "\(scaled < 0 ? "-" : "")\(whole).\(padding)\(rest)"
    }
}
