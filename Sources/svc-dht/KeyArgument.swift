// RO:WHAT  The key that a command is about.
// RO:WHY   One meaning and one check for all commands that take one.

import ArgumentParser

/// A key as people write it.
struct KeyArgument: ParsableArguments {
    static let discussion = "A key is b3:<64 hex> or <64 hex>; any other text is hashed with SHA-256."

    @Argument(help: "The key.")
    var key: String

    /// The key as part of a request's path.
    var pathSegment: String { escapedPathSegment(key) }

    func validate() throws {
        guard !key.isEmpty else { throw ValidationError("a key has at least one character") }
    }
}
