// RO:WHAT  What it costs to be observed: one histogram observation, one counter, one page for Prometheus.
// RO:WHY   Every request pays the first two, so they must cost next to nothing; the third is paid once a scrape.

import Benchmark
import DhtLoop

func observationBenchmarks() {
    Benchmark("a latency observed") { benchmark in
        var generator = SeededGenerator(seed: 1)
        var histogram = Histogram(bounds: Histogram.latencyBounds)
        // From microseconds to seconds, as gets are; drawn beforehand.
        let samples = (0..<1024).map { _ in UInt64(1) << (generator.next() % 23) }
        benchmark.startMeasurement()
        for iteration in benchmark.scaledIterations {
            histogram.observe(microseconds: samples[iteration & 1023])
        }
        blackHole(histogram.count)
    }
    Benchmark("a counter counted") { benchmark in
        var stats = NodeStats()
        benchmark.startMeasurement()
        for _ in benchmark.scaledIterations {
            stats.gets += 1
            blackHole(stats.gets)
        }
    }
    let onePage = Benchmark.Configuration(metrics: [.wallClock], scalingFactor: .one)
    Benchmark("a page of metrics: node, switch, process", configuration: onePage) { benchmark in
        let build = BuildInfo(service: "svc-dht", version: "0", git: "0", built: "0")
        let stats = NodeStats()
        var page = PrometheusText()
        benchmark.startMeasurement()
        DhtMetrics(stats).render(into: &page, build: build)
        OverlayMetrics().render(into: &page, build: build)
        ProcessMetrics().render(into: &page)
        blackHole(page.bytes.count)
    }
}
