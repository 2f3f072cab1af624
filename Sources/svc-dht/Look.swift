// RO:WHAT  `svc-dht ping`, `table` and `explain`: what the network looks like from a node.

import ArgumentParser
import DhtLoop

struct Ping: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Measure the round trip from a node to another.")

    @Argument(help: "Id of the other node: 64 hexadecimal digits.")
    var id: String
    @OptionGroup var client: ClientOptions

    func validate() throws {
        guard NodeID(hex: id) != nil else { throw ValidationError("an id has 64 hexadecimal digits") }
    }

    func run() throws {
        let report = try client.expect(client.send("GET", "/dht/ping/\(id)"))
        client.say("\(id) at \(report["endpoint"]?.text ?? "?"): \(number(report, "rtt_ms")) ms")
    }
}

struct Table: ParsableCommand {
    private static let barWidth = 40

    static let configuration = CommandConfiguration(
        abstract: "Draw how full each bucket of a node's routing table is.")

    @Flag(help: "List the contacts of each bucket.")
    var peers = false
    @OptionGroup var client: ClientOptions

    func run() throws {
        let table = try client.expect(client.send("GET", "/dht/routing"))
        let k = table["k"]?.integer ?? 1
        client.say("\(table["id"]?.text ?? "?")  \(number(table, "contacts")) contacts, k = \(k)")
        client.say(health(table))
        for bucket in table["buckets"]?.items ?? [] {
            let count = bucket["count"]?.integer ?? 0
            let bar = padded(String(repeating: "#", count: Self.filled(count, of: k)), Self.barWidth)
            let spares = bucket["spares"]?.integer ?? 0
            client.say(
                "\(leftPadded(number(bucket, "prefix"), 4)) |\(bar)| \(count)"
                    + (spares > 0 ? " + \(spares)" : ""))
            if peers { for peer in bucket["peers"]?.items ?? [] { client.say(line(peer)) } }
        }
    }

    /// How long a bar is: something for what is there, and no more than the width, whatever the node says.
    private static func filled(_ count: Int, of k: Int) -> Int {
        guard count > 0, k > 0 else { return 0 }
        return max(1, Int(Double(barWidth) * min(1, Double(count) / Double(k))))
    }

    /// What a glance at the bars does not show.
    private func health(_ table: JsonValue) -> String {
        let gaps = (table["gaps"]?.items ?? []).compactMap(\.integer).map { String($0) }
        return "about \(number(table, "network_size_estimate")) nodes in the network; "
            + "oldest silence \(number(table, "oldest_silence_secs")) s; "
            + (gaps.isEmpty ? "no gaps" : "nobody at \(gaps.joined(separator: ", "))")
    }

    private func line(_ peer: JsonValue) -> String {
        let rtt = peer["rtt_ms"] == .null ? "-" : number(peer, "rtt_ms") + " ms"
        return "       \(peer["id"]?.text ?? "?")  \(peer["endpoint"]?.text ?? "?")  \(rtt)"
    }
}

struct Explain: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Look a key up, and show who was asked, in what order, and what they said.")

    @OptionGroup var subject: KeyArgument
    @OptionGroup var walk: WalkOptions
    @OptionGroup var client: ClientOptions

    func run() throws {
        let target = "/dht/explain/\(subject.pathSegment)\(queryText([walk.parameter]))"
        let report = try client.expect(client.send("GET", target))
        client.say("\(report["key"]?.text ?? "?"): \(report["outcome"]?.text ?? "?")")
        client.say("\(number(report, "hops")) hops, \(number(report, "elapsed_ms")) ms")
        client.say("   #  hop  at ms     rtt ms     bits  peer              answer")
        for (index, step) in (report["asked"]?.items ?? []).enumerated() {
            let columns = [
                leftPadded(String(index + 1), 4), leftPadded(number(step, "hop"), 4),
                padded(number(step, "asked_at_ms"), 9),
                padded(step["rtt_ms"] == .null ? "-" : number(step, "rtt_ms"), 9),
                leftPadded(number(step, "shared_bits"), 5), String((step["peer"]?.text ?? "?").prefix(16)),
                "\(step["answer"]?.text ?? "?") (\(number(step, "contacts")) contacts)",
            ]
            client.say(columns.joined(separator: "  "))
        }
    }
}

/// `text` with spaces before it, at least `width` characters.
private func leftPadded(_ text: String, _ width: Int) -> String {
    String(repeating: " ", count: max(0, width - text.count)) + text
}
