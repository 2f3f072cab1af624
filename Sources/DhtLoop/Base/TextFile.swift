// RO:WHAT  Whole small files as bytes or text: /proc entries, the peers file, values to be put.
// RO:WHY   Foundation stays out; these files are read in one go.

import Glibc

/// Reads files.
public enum TextFile {
    /// Text of the file at `path`, at most `limit` bytes of it; nil when it cannot be read.
    public static func read(_ path: String, limit: Int = 1 << 20) -> String? {
        bytes(path, limit: limit).map { String(decoding: $0, as: UTF8.self) }
    }

    /// Content of the file at `path`, at most `limit` bytes of it; nil when it cannot be read, which leaves errno.
    public static func bytes(_ path: String, limit: Int) -> [UInt8]? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        return bytes(descriptor: descriptor, limit: limit)
    }

    /// What can be read from an open descriptor until its end, at most `limit` bytes.
    public static func bytes(descriptor: Int32, limit: Int) -> [UInt8]? {
        var content: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 16_384)
        while content.count < limit {
            let count = Glibc.read(descriptor, &chunk, min(chunk.count, limit - content.count))
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { return nil }
            guard count > 0 else { break }
            content.append(contentsOf: chunk[..<count])
        }
        return content
    }

    /// The variables this process was started with.
    ///
    /// Read from /proc, because `environ` is a global that Swift cannot know to be left alone.
    public static func environment() -> [String: String] {
        var variables: [String: String] = [:]
        for entry in (read("/proc/self/environ", limit: 4 << 20) ?? "").split(separator: "\0") {
            let parts = entry.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            if parts.count == 2 { variables[String(parts[0])] = String(parts[1]) }
        }
        return variables
    }
}
