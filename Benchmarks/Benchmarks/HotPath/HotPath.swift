// RO:WHAT  The list of benchmarks, and what is measured of each.
// RO:WHY   CPU time and instructions: wall-clock time drifts on a shared machine.

import Benchmark

let benchmarks: @Sendable () -> Void = {
    Benchmark.defaultConfiguration = .init(
        metrics: [.cpuTotal, .instructions, .wallClock], warmupIterations: 3, scalingFactor: .kilo,
        maxDuration: .milliseconds(300), maxIterations: 2000)
    codecBenchmarks()
    structureBenchmarks()
}
