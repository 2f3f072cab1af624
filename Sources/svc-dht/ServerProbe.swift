// RO:WHAT  ServerProbe: what a run cost the server: its CPU time, and its own counters.
// RO:WHY   Wall-clock figures drift on a shared machine; CPU time per request does not.

import DhtLoop
import Glibc

/// Reads a process from outside.
struct ServerProbe {
    /// Counters that say that a request, or its answer, was dropped.
    private static let dropFamilies = [
        "dht_tx_dropped_total", "dht_rejected_total", "overlay_peer_dropped_total",
    ]

    /// Process id; nil without one.
    let pid: Int32?
    /// Admin address of the node or the switch; nil without one.
    let admin: String?

    /// File in which the server counts its allocations, one 64-bit number; nil without one.
    let allocationFile: String?

    /// One reading.
    struct Reading {
        /// User and system time of all threads.
        var cpuNs: UInt64?
        /// Sum over the counters of dropped frames.
        var drops: UInt64?
        /// Requests that the node says it answered.
        var served: UInt64?
        var rssBytes: UInt64?
        var allocations: UInt64?
    }

    /// A reading before a run: the admin port, which costs the server something, is asked first.
    func before() throws(CommandFailure) -> Reading {
        var reading = Reading()
        try readAdmin(into: &reading)
        try readProcess(into: &reading)
        return reading
    }

    /// A reading after a run: the admin port is asked last.
    func after() throws(CommandFailure) -> Reading {
        var reading = Reading()
        try readProcess(into: &reading)
        try readAdmin(into: &reading)
        return reading
    }

    private func readProcess(into reading: inout Reading) throws(CommandFailure) {
        reading.allocations = allocationFile.flatMap(Self.number)
        guard let pid else { return }
        guard let cpuNs = Self.cpuNs(pid) else {
            throw CommandFailure(code: .failed, message: "there is no process \(pid) to watch")
        }
        (reading.cpuNs, reading.rssBytes) = (cpuNs, Self.rssBytes(pid))
    }

    private func readAdmin(into reading: inout Reading) throws(CommandFailure) {
        guard let admin else { return }
        let page = try HttpClient(address: admin, timeoutSeconds: 5, token: nil).send("GET", "/metrics").text
        reading.drops = Self.dropFamilies.reduce(0) { $0 + Self.sum(of: $1, in: page) }
        reading.served = Self.sum(of: "dht_rpcs_total", in: page) { $0.contains("code=\"served\"") }
    }

    static func number(_ path: String) -> UInt64? {
        guard let bytes = FileContent.bytes(path, limit: 8), bytes.count == 8 else { return nil }
        return bytes.withUnsafeBytes { $0.loadUnaligned(as: UInt64.self) }
    }

    /// The scheduler's own count for each thread: finer than the clock ticks of /proc/PID/stat.
    private static func cpuNs(_ pid: Int32) -> UInt64? {
        guard let directory = opendir("/proc/\(pid)/task") else { return nil }
        defer { closedir(directory) }
        var total: UInt64 = 0
        while let entry = readdir(directory) {
            let name = withUnsafeBytes(of: entry.pointee.d_name) {
                String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
            }
            guard UInt64(name) != nil, let text = FileContent.text("/proc/\(pid)/task/\(name)/schedstat")
            else {
                continue
            }
            total += text.split(separator: " ").first.flatMap { UInt64($0) } ?? 0
        }
        return total
    }

    private static func rssBytes(_ pid: Int32) -> UInt64? {
        let fields = FileContent.text("/proc/\(pid)/statm")?.split(separator: " ") ?? []
        return fields.count > 1 ? UInt64(fields[1]).map { $0 * UInt64(sysconf(Int32(_SC_PAGESIZE))) } : nil
    }

    /// The sum of a family's samples whose labels please `isWanted`.
    static func sum(
        of family: String, in page: String, where isWanted: (Substring) -> Bool = { _ in true }
    ) -> UInt64 {
        var sum = 0.0
        for line in page.split(separator: "\n") where line.hasPrefix(family) {
            let rest = line.dropFirst(family.count)
            guard rest.first == "{" || rest.first == " ", isWanted(rest) else { continue }
            sum += rest.split(separator: " ").last.flatMap { Double($0) } ?? 0
        }
        return UInt64(exactly: sum.rounded()) ?? 0
    }
}
