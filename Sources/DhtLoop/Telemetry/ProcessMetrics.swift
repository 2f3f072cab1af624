// RO:WHAT  ProcessMetrics: the process's own use of the machine, read from /proc.
// RO:WHY   Dashboards expect the process_* names that every Prometheus client exports.
// RO:INVARIANTS  a number that cannot be read is zero; a scrape never fails for it.
// RO:METRICS  process_*
// RO:TEST  Tests/DhtLoopTests/Telemetry/MetricsPageTests.swift

import CEpoll
import Glibc

/// One reading of the process's resources.
public struct ProcessMetrics: Sendable {
    /// User and system time, in seconds.
    public var cpuSeconds = 0.0
    public var residentBytes = 0
    public var virtualBytes = 0
    public var openDescriptors = 0
    public var maxDescriptors = 0
    /// Seconds since 1970.
    public var startSeconds = 0.0

    /// Reads /proc now.
    public init() {
        var limit = rlimit()
        if getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 {
            maxDescriptors = Int(clamping: limit.rlim_cur)
        }
        openDescriptors = Self.countDescriptors()
        let ticksPerSecond = Double(max(1, sysconf(Int32(_SC_CLK_TCK))))
        guard let stat = TextFile.read("/proc/self/stat"), let end = stat.lastIndex(of: ")") else { return }
        // Fields after the name, which may hold anything; the first of them is field 3 (man 5 proc_pid_stat).
        let fields = stat[stat.index(after: end)...].split(separator: " ")
        func field(_ number: Int) -> Int { number - 3 < fields.count ? Int(fields[number - 3]) ?? 0 : 0 }
        cpuSeconds = Double(field(14) + field(15)) / ticksPerSecond
        virtualBytes = field(23)
        residentBytes = field(24) * sysconf(Int32(_SC_PAGESIZE))
        startSeconds = Double(Self.bootSeconds()) + Double(field(22)) / ticksPerSecond
    }

    /// Writes the process_* families.
    public func render(into page: inout PrometheusText) {
        page.counter("process_cpu_seconds_total", "User and system CPU time spent.", cpuSeconds)
        page.gauge("process_resident_memory_bytes", "Resident memory.", residentBytes)
        page.gauge("process_virtual_memory_bytes", "Virtual memory.", virtualBytes)
        page.gauge("process_open_fds", "Open file descriptors.", openDescriptors)
        page.gauge("process_max_fds", "Most file descriptors that may be open.", maxDescriptors)
        page.gauge("process_start_time_seconds", "Start of the process since 1970.", startSeconds)
    }

    /// Without the descriptor that the counting itself takes.
    private static func countDescriptors() -> Int {
        guard let directory = opendir("/proc/self/fd") else { return 0 }
        defer { closedir(directory) }
        var entries = 0
        while readdir(directory) != nil { entries += 1 }
        return max(0, entries - 3)
    }

    private static func bootSeconds() -> Int {
        let lines = TextFile.read("/proc/stat")?.split(separator: "\n") ?? []
        let boot = lines.first { $0.hasPrefix("btime ") }
        return boot.flatMap { Int($0.dropFirst("btime ".count)) } ?? 0
    }
}
