// RO:WHAT  Clock: the two system clocks.
// RO:WHY   The loop reads the monotonic one once a turn and passes it down; nobody below it has a clock.

import Glibc

/// The system's clocks.
public enum Clock {
    /// Microseconds of CLOCK_MONOTONIC: deadlines and durations.
    @inline(__always)
    public static func monotonicUs() -> UInt64 {
        let time = read(CLOCK_MONOTONIC)
        return UInt64(time.tv_sec) * 1_000_000 + UInt64(time.tv_nsec) / 1000
    }

    /// Seconds of CLOCK_REALTIME since 1970: what is shown to people.
    public static func realtimeSeconds() -> UInt64 { UInt64(read(CLOCK_REALTIME).tv_sec) }

    /// Microseconds of CLOCK_REALTIME since 1970: versions of records.
    public static func realtimeUs() -> UInt64 {
        let time = read(CLOCK_REALTIME)
        return UInt64(time.tv_sec) * 1_000_000 + UInt64(time.tv_nsec) / 1000
    }

    @inline(__always)
    private static func read(_ clock: clockid_t) -> timespec {
        var time = timespec()
        let result = clock_gettime(clock, &time)
        assert(result == 0, "the clock is one of the two that every kernel has")
        return time
    }
}
