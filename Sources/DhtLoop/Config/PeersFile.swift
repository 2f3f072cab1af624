// RO:WHAT  PeersFile: logical peer ids and their overlay endpoints.
// RO:WHY   Operators name peers; only endpoints can be dialled.

/// `<peer id> <host:port>` a line; `#` begins a comment; the first line for an id counts.
struct PeersFile {
    private var endpoints: [Substring: String] = [:]

    init(_ text: String) {
        for line in text.split(whereSeparator: \.isNewline) {
            let words = line.prefix { $0 != "#" }.split(whereSeparator: \.isWhitespace)
            guard words.count == 2, endpoints[words[0]] == nil else { continue }
            guard HostPort.isValid(String(words[1]), leastPort: 1) else { continue }
            endpoints[words[0]] = String(words[1])
        }
    }

    /// The endpoint of a peer, nil when the file does not list it.
    func endpoint(of peer: String) -> String? { endpoints[peer[...]] }
}
