// RO:WHAT  The variables this process was started with.
// RO:WHY   Read from /proc, because `environ` is a global that Swift cannot know to be left alone.

/// The process environment.
public enum ProcessEnvironment {
    /// More than the kernel passes to a process (ARG_MAX is a quarter of an 8 MiB stack).
    private static let limitBytes = 4 << 20

    /// Every variable; of one that is set twice, the later value.
    public static func variables() -> [String: String] {
        var variables: [String: String] = [:]
        let content = FileContent.text("/proc/self/environ", limit: limitBytes) ?? ""
        for entry in content.split(separator: "\0") {
            let parts = entry.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            if parts.count == 2 { variables[String(parts[0])] = String(parts[1]) }
        }
        return variables
    }
}
