// RO:WHAT  The plan of a run: join, settle, seed records, then the measured part with its faults.
// RO:WHY   What is counted begins when tables are whole, so that the start does not blur the numbers.

import DhtLoop

extension Simulation {
    /// Runs the whole plan.
    public func run() -> Report {
        let clock = Stopwatch()
        populate()
        advance(to: later(config.joinSeconds + config.workload.settleSeconds))
        seedRecords()
        let settled = Usage.now()
        measure()
        return report(clock, setUp: settled)
    }

    private func seedRecords() {
        workload.beginSeeding(seconds: config.workload.seedSeconds)
        scheduleOperation()
        while workload.seedsLeft > 0 { advance(to: later(1)) }
        drain()
    }

    /// Lets the calls in progress end.
    private func drain() { advance(to: later(Double(config.nodes.deadlineMs) / 1000 + 1)) }

    private func measure() {
        let options = config.workload
        traffic = Traffic()
        measurements = Measurements()
        workload.beginMeasuring(gets: options.lookups, puts: options.puts, seconds: options.measureSeconds)
        measuredFromUs = nowUs
        takeSample(atSeconds: 0)
        beginFaults()
        beginPublishing()
        scheduleOperation()
        let step = options.measureSeconds / Double(options.samples)
        for sample in 1...options.samples {
            advance(to: measuredFromUs + UInt64(Double(sample) * step * 1_000_000))
            takeSample(atSeconds: Double(sample) * step)
            checkAll()
        }
        while workload.getsLeft + workload.putsLeft + publisher.left > 0 { advance(to: later(1)) }
        drain()
    }
}
