// RO:WHAT  The list of benchmarks, and what is measured of each.
// RO:WHY   Instructions where the machine counts them; of wall-clock time scripts/bench/baseline.sh takes the
//          fastest run.

import Benchmark

let benchmarks: @Sendable () -> Void = {
    Benchmark.defaultConfiguration = .init(
        metrics: [.cpuTotal, .instructions, .wallClock, .throughput], warmupIterations: 3,
        scalingFactor: .kilo,
        maxDuration: .milliseconds(300), maxIterations: 2000)
    codecBenchmarks()
    structureBenchmarks()
    observationBenchmarks()
}
