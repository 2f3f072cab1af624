// RO:WHAT  --paths, for the commands that begin a lookup, and the query of a request.

import ArgumentParser
import DhtLoop

/// How a lookup is to be walked.
struct WalkOptions: ParsableArguments {
    @Option(help: "Disjoint paths to walk on, 1 to 8: slower, and a liar spoils only the path that it is on.")
    var paths: Int?

    /// The parameter of a request.
    var parameter: (name: String, value: String?) { ("paths", paths.map { String($0) }) }

    func validate() throws {
        guard (1...NodeConfig.maxPaths).contains(paths ?? 1) else {
            throw ValidationError("--paths: 1 to \(NodeConfig.maxPaths)")
        }
    }
}

/// The query of those parameters that have a value; empty when none has.
func queryText(_ parameters: [(name: String, value: String?)]) -> String {
    let given = parameters.compactMap { name, value in value.map { "\(name)=\($0)" } }
    return given.isEmpty ? "" : "?" + given.joined(separator: "&")
}
