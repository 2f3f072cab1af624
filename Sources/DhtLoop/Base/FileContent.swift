// RO:WHAT  FileContent: whole small files: /proc entries, the peers file, values to be put.
// RO:WHY   Foundation stays out; these files are read in one go.

import Glibc

/// Reads files.
public enum FileContent {
    /// Text of the file at `path`, at most `limit` bytes of it; nil when it cannot be read.
    public static func text(_ path: String, limit: Int = 1 << 20) -> String? {
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
}
