// RO:WHAT  ConfigFile: settings in a file, one NAME=VALUE a line.
// RO:WHY   A process cannot be given a new environment; a file can be read again on SIGHUP.
// RO:TEST  Tests/DhtLoopTests/Config/ConfigFileTests.swift

/// What a configuration file says.
struct ConfigFile: Equatable {
    /// Values by variable name; of one that is set twice, the later value.
    private(set) var values: [String: String] = [:]

    /// No file: nothing is set.
    init() {}

    /// Reads `text`. Empty lines and lines that begin with `#` or `;` say nothing; quotes around a value are not part
    /// of it.
    ///
    /// - Parameters:
    ///   - path: for errors.
    ///   - known: variables there are; another name is an error, because a setting misspelt would be silent.
    init(_ text: String, path: String, known: Set<String>) throws(ConfigError) {
        for (index, line) in text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline)
            .enumerated()
        {
            let line = String(line).trimmed
            guard let first = line.first, first != "#", first != ";" else { continue }
            let parts = line.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            let name = String(parts[0]).trimmed
            guard parts.count == 2, known.contains(name) else {
                throw ConfigError(
                    name: "\(path):\(index + 1)", value: line,
                    accepts: "NAME=VALUE with the name of a setting (svc-dht config lists them)")
            }
            values[name] = Self.unquoted(String(parts[1]).trimmed)
        }
    }

    private static func unquoted(_ value: String) -> String {
        for quote in ["\"", "'"] where value.count >= 2 && value.hasPrefix(quote) && value.hasSuffix(quote) {
            return String(value.dropFirst().dropLast())
        }
        return value
    }
}
