// RO:WHAT  What the run costs this process: CPU time and memory; Stopwatch for the wall clock.
// RO:WHY   The simulator must be fast and small to be used; these numbers are reported, never acted on.

import Glibc

/// CPU time and resident memory of this process.
struct Usage {
    /// User and system, in seconds.
    var cpuSeconds: Double
    /// Most resident memory so far, in bytes.
    var peakBytes: Int

    static func now() -> Usage {
        var usage = rusage()
        getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
        return Usage(
            cpuSeconds: seconds(usage.ru_utime) + seconds(usage.ru_stime), peakBytes: usage.ru_maxrss * 1024)
    }

    private static func seconds(_ time: timeval) -> Double {
        Double(time.tv_sec) + Double(time.tv_usec) / 1_000_000
    }
}

/// Seconds and CPU seconds since it was made.
struct Stopwatch {
    private let start = Self.wall()
    let before = Usage.now()

    var wallSeconds: Double { Self.wall() - start }

    private static func wall() -> Double {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1_000_000_000
    }
}
