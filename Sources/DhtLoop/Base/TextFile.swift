// RO:WHAT  Whole small files as text: /proc entries and the peers file.
// RO:WHY   Foundation stays out; these files are read in one go.

import Glibc

enum TextFile {
    /// Content of the file at `path`, at most `limit` bytes of it; nil when it cannot be read.
    static func read(_ path: String, limit: Int = 1 << 20) -> String? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var content: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 4096)
        while content.count < limit {
            let count = Glibc.read(descriptor, &chunk, chunk.count)
            guard count >= 0 else { return nil }
            guard count > 0 else { break }
            content.append(contentsOf: chunk[..<count])
        }
        return String(decoding: content.prefix(limit), as: UTF8.self)
    }
}
