// RO:WHAT  Console: standard output and standard error, for commands that may wait for them.
// RO:WHY   Values are bytes, which print would need to be text; the streams of stdio are globals.

import Glibc

/// Writes to a standard stream.
public enum Console {
    /// Writes `bytes` as they are; a stream that is closed takes none.
    public static func write(_ bytes: [UInt8], to descriptor: Int32 = STDOUT_FILENO) {
        var written = 0
        while written < bytes.count {
            let rest = bytes[written...]
            let count = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { return }
            written += count
        }
    }

    /// Writes one line.
    public static func line(_ text: String, to descriptor: Int32 = STDOUT_FILENO) {
        write(Array((text + "\n").utf8), to: descriptor)
    }
}
