// RO:WHAT  TestNetwork: a few DhtNodes, wired to each other by hand, on a clock that only tests move.
// RO:WHY   A whole cluster then runs in a test without a socket and without sleeping.

@testable import DhtLoop

/// A node in a box, because an array cannot hold one directly.
final class NetworkNode {
    var node: DhtNode
    let home: EndpointID
    var isDead = false
    var results: [OperationID: OperationResult] = [:]
    var events: [NodeEvent] = []
    /// Where it wants sessions to be kept open.
    var warm: [EndpointID] = []

    init(_ node: consuming DhtNode, home: EndpointID) {
        self.node = node
        self.home = home
    }
}

/// Nodes that each live at an overlay of their own; payloads arrive after `delayUs`, unless dropped.
final class TestNetwork {
    private struct Flight {
        var dueUs: UInt64
        var to: Int
        var link: Link
        var bytes: [UInt8]
    }

    let endpoints = EndpointTable()
    private(set) var nodes: [NetworkNode] = []
    private(set) var nowUs: UInt64 = 1_000_000
    private var flights: [Flight] = []
    private var homes: [EndpointID: Int] = [:]
    var delayUs: UInt64 = 1_000
    /// Decides which payloads are lost.
    var drops: (_ from: Int, _ to: Int) -> Bool = { _, _ in false }
    /// Whether an overlay without a living node says so, or stays silent.
    var isHonest = true

    /// Adds a node that bootstraps at node 0's overlay.
    @discardableResult
    func add(seed: UInt64, _ adjust: (inout NodeConfig) -> Void = { _ in }) -> NetworkNode {
        var generator = SeededGenerator(seed: seed &+ 1_000)
        var config = NodeConfig(id: .random(using: &generator))
        adjust(&config)
        let home = endpoints.intern("10.0.0.1:\(nodes.count + 1)")!
        var node = DhtNode(config: config, endpoints: endpoints, seed: seed, nowUs: nowUs)
        node.setHome(home, advertised: home)
        if let first = nodes.first { node.setBootstrap([first.home]) }
        let box = NetworkNode(node, home: home)
        homes[home] = nodes.count
        nodes.append(box)
        if let first = nodes.first, first !== box { box.node.linkUp(first.home, nowUs: nowUs) }
        collect(nodes.count - 1)
        return box
    }

    /// Hands payload bytes to a node as if they came over `link`.
    func deliver(_ bytes: [UInt8], to index: Int, over link: Link) {
        bytes.withUnsafeBytes { nodes[index].node.receive($0, from: link, nowUs: nowUs) }
        collect(index)
    }

    /// Takes a node's actions into the air.
    func collect(_ index: Int) {
        let box = nodes[index]
        let wasWarm = box.warm
        for action in box.node.outbox.actions {
            switch action {
            case .send(let endpoint, let slice):
                launch(Array(box.node.outbox.payload(slice)), from: index, at: endpoint)
            case .reply(let link, let slice):
                let bytes = Array(box.node.outbox.payload(slice))
                fly(bytes, from: index, to: Int(link.token), over: Link(endpoint: box.home))
            case .warm(let endpoints):
                box.warm = endpoints
            case .finished(let id, let result):
                box.results[id] = result
            case .event(let event):
                box.events.append(event)
            }
        }
        box.node.outbox.clear()
        if box.warm != wasWarm { openWarm(box, wasWarm, index) }
    }

    /// The sessions that a node wants open are open at once, and those it wanted before are not.
    private func openWarm(_ box: NetworkNode, _ before: [EndpointID], _ index: Int) {
        for endpoint in before where !box.warm.contains(endpoint) { box.node.sessionClosed(endpoint) }
        for endpoint in box.warm where !before.contains(endpoint) {
            box.node.sessionOpened(endpoint, nowUs: nowUs)
        }
        collect(index)
    }

    /// Runs for so long, event by event.
    func run(us: UInt64) {
        let end = nowUs + us
        while let due = nextUs(), due <= end {
            nowUs = max(nowUs, due)
            step()
        }
        nowUs = end
    }

    private func nextUs() -> UInt64? {
        let timers = nodes.filter { !$0.isDead }.compactMap { $0.node.nextDeadlineUs }.min()
        return [timers, flights.map(\.dueUs).min()].compactMap { $0 }.min()
    }

    private func step() {
        let due = flights.filter { $0.dueUs <= nowUs }
        flights.removeAll { $0.dueUs <= nowUs }
        for flight in due where !nodes[flight.to].isDead {
            deliver(flight.bytes, to: flight.to, over: flight.link)
        }
        for index in nodes.indices where !nodes[index].isDead {
            nodes[index].node.advance(nowUs: nowUs)
            collect(index)
        }
    }

    private func launch(_ bytes: [UInt8], from: Int, at endpoint: EndpointID) {
        guard let to = homes[endpoint] else { return }
        if nodes[to].isDead {
            if isHonest { sayUnreachable(bytes, to: from, at: endpoint) }
            return
        }
        // The token names the session at the receiver's switch: here, the sender.
        fly(bytes, from: from, to: to, over: Link(endpoint: nodes[to].home, token: UInt64(from)))
    }

    private func fly(_ bytes: [UInt8], from: Int, to: Int, over link: Link) {
        guard !drops(from, to) else { return }
        flights.append(Flight(dueUs: nowUs + delayUs, to: to, link: link, bytes: bytes))
    }

    private func sayUnreachable(_ bytes: [UInt8], to index: Int, at endpoint: EndpointID) {
        var lists = MessageLists()
        guard let view = bytes.withUnsafeBytes({ try? EnvelopeDecoder.decode($0, into: &lists) }) else {
            return
        }
        var buffer = ByteBuffer()
        EnvelopeEncoder(src: .zero, at: endpoints.bytes(.none), net: view.net)
            .begin(&buffer, dst: view.src, rpc: view.rpc)
        buffer.appendUnreachable(node: view.dst)
        fly(Array(buffer.bytes), from: index, to: index, over: Link(endpoint: endpoint))
    }
}
