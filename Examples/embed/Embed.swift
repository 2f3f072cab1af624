// RO:WHAT  Two nodes in one process, wired by hand: a value is put on one and got from the other.
// RO:WHY   DhtNode owns no socket and no clock: whoever embeds it carries its payloads and tells it the time.

import DhtLoop

@main
struct Embed {
    /// A node in a box, because an array cannot hold one directly.
    final class Host {
        var node: DhtNode
        let home: EndpointID

        init(_ id: UInt64, _ at: String, _ endpoints: EndpointTable) {
            home = endpoints.intern(at) ?? .none
            node = DhtNode(
                config: NodeConfig(id: NodeID(id, 0, 0, 0)), endpoints: endpoints, seed: id, nowUs: 0)
            node.setHome(home, advertised: home)
        }
    }

    static func main() {
        let endpoints = EndpointTable()
        let hosts = [Host(1, "10.0.0.1:9700", endpoints), Host(2 << 60, "10.0.0.2:9700", endpoints)]
        hosts[1].node.setBootstrap([hosts[0].home])
        hosts[1].node.linkUp(hosts[0].home, nowUs: 0)
        let key = KeyText.key("greeting")
        for millisecond in 1...3_000 as ClosedRange<UInt64> {
            if millisecond == 1_000 {
                _ = hosts[0].node.put(
                    key, value: Array("hello".utf8), seq: 1, ttlSeconds: 60, nowUs: millisecond * 1_000)
            }
            if millisecond == 2_000 { _ = hosts[1].node.get(key, quorum: 2, nowUs: millisecond * 1_000) }
            for host in hosts { host.node.advance(nowUs: millisecond * 1_000) }
            for index in hosts.indices { perform(hosts[index], for: hosts[1 - index], millisecond * 1_000) }
        }
    }

    /// Performs what a node wants done: the other one hears at once.
    static func perform(_ host: Host, for other: Host, _ nowUs: UInt64) {
        var payloads: [(bytes: [UInt8], isReply: Bool)] = []
        for action in host.node.outbox.actions {
            switch action {
            case .send(_, let slice): payloads.append((Array(host.node.outbox.payload(slice)), false))
            case .reply(_, let slice): payloads.append((Array(host.node.outbox.payload(slice)), true))
            case .finished(_, .put(let put)): print("stored on \(put.acks) of \(put.wanted)")
            case .finished(_, .get(let get)): print(get.outcome)
            case .finished: break
            case .warm, .event: break
            }
        }
        host.node.outbox.clear()
        for payload in payloads {
            let link = Link(
                endpoint: payload.isReply ? host.home : other.home, token: payload.isReply ? Link.dialled : 1)
            payload.bytes.withUnsafeBytes { other.node.receive($0, from: link, nowUs: nowUs) }
        }
    }
}
