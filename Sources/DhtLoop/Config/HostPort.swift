// RO:WHAT  The shape host:port, for addresses out of flags and environment.
// RO:WHY   A listener may ask for port 0, which no endpoint on the wire may have.

enum HostPort {
    /// Whether `text` is `host:port` or `[v6]:port` with a port of `leastPort` (0 or 1) to 65535.
    static func isValid(_ text: String, leastPort: Int) -> Bool {
        var text = text
        // The wire's check knows no port 0: show it a port it accepts.
        if leastPort == 0, text.hasSuffix(":0") { text = String(text.dropLast()) + "1" }
        return text.withUTF8 { EndpointTable.isValid(UnsafeRawBufferPointer($0)) }
    }
}
