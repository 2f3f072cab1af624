// RO:WHAT  The root command: bare `svc-dht` is `svc-dht run`.

import ArgumentParser
import DhtLoop

struct SvcDht: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "svc-dht",
        abstract: "A Kademlia DHT node that lives on overlay sessions.",
        discussion: """
            Client commands talk to a node's admin port.

            Exit codes: 0 done; 1 tried and failed (not found, under quorum, not ready); 2 bad usage or \
            configuration; 3 could not bind; 4 could not reach the node.
            """,
        version: versionText,
        subcommands: [
            Run.self, Put.self, Get.self, Delete.self, Provide.self, Find.self, Ping.self, Status.self,
            Table.self, Explain.self, ShowConfig.self, Bench.self, BenchCore.self,
        ],
        defaultSubcommand: Run.self)

    private static var versionText: String {
        let build = BuildInfo.current(service: "svc-dht")
        return "\(build.service) \(build.version) (git \(build.git), \(build.built))"
    }
}
