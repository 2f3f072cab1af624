// RO:WHAT  dht-sim: thousands of nodes in one process, on a virtual clock.
// RO:WHY   What loopback cannot show (distance, churn, liars, ten thousand nodes) is measured here, from a seed.

import ArgumentParser
import DhtSim

extension AdversaryKind: ExpressibleByArgument {}
extension FastOpen: ExpressibleByArgument {}

/// What holds where an argument is not given.
let defaults = SimConfig()

@main
struct DhtSimCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "dht-sim",
        abstract: "Runs many DHT nodes over a modelled network on a virtual clock.",
        discussion: """
            A run: nodes join, tables settle, records are put; then faults begin and gets and puts are measured. \
            The same arguments give the same output, but for the wall, cpu and rss fields.
            """)

    @OptionGroup(title: "Population") var population: PopulationArguments
    @OptionGroup(title: "Workload") var workload: WorkloadArguments
    @OptionGroup(title: "Faults") var faults: FaultArguments
    @OptionGroup(title: "Network and sessions") var network: NetworkArguments

    @Option(help: "What all randomness is drawn from.")
    var seed = defaults.seed
    @Flag(help: "Print one JSON line.")
    var json = false
    @Option(help: ArgumentHelp("Write down the measured get of this number.", valueName: "get"))
    var trace: Int?
    @Option(help: ArgumentHelp("Check a node's invariants every so many events.", valueName: "events"))
    var checkEvery = defaults.checkEvery

    func validate() throws {
        do throws(ConfigProblem) {
            try config.validate()
        } catch {
            throw ValidationError(error.description)
        }
    }

    func run() throws {
        let report = Simulation(config: config).run()
        if json {
            print(report.json)
        } else {
            for line in report.lines + report.trace { print(line) }
        }
        for violation in report.violations { print("broken: \(violation)") }
        if !report.violations.isEmpty { throw ExitCode.failure }
    }

    private var config: SimConfig {
        var config = SimConfig()
        config.seed = seed
        config.traceGet = trace
        config.checkEvery = checkEvery
        population.fill(&config)
        faults.fill(&config)
        config.workload.measureSeconds = config.longEnoughSeconds
        workload.fill(&config)
        network.fill(&config)
        return config
    }
}
