// RO:WHAT  A node and a stranger who says anything, also as answers to what the node asked.
// RO:WHY   The state behind the decoder (tables, calls, timers) meets what no honest peer would send.
// RO:INVARIANTS  whatever comes: every frame the node sends decodes, and no pool grows over its limit.
// RO:TEST  scripts/live/fuzz.sh
import CFuzzer
import DhtLoop
import Glibc

@main
enum FuzzNode {
    static func main() {
        var (count, arguments): (CInt, _) = (CommandLine.argc, Optional(CommandLine.unsafeArgv))
        exit(LLVMFuzzerRunDriver(&count, &arguments, trySession))
    }

    /// The steps an input is made of: one byte that says which, a length (u16, big-endian), that many bytes.
    static func play(_ input: UnsafeRawBufferPointer) {
        var world = World()
        var rest = input
        while rest.count >= 3 {
            let count = min(Int(rest[1]) << 8 | Int(rest[2]), rest.count - 3)
            world.step(rest[0], UnsafeRawBufferPointer(rebasing: rest[3..<3 + count]))
            rest = UnsafeRawBufferPointer(rebasing: rest[(3 + count)...])
        }
    }
}

/// One node, its clock, and what it asked last.
struct World: ~Copyable {
    private var node: DhtNode
    private var lists = MessageLists()
    private let link: Link
    private var nowUs: UInt64 = 1_000_000
    private var asked: (peer: NodeID, rpc: UInt64, endpoint: EndpointID)?

    init() {
        // The id that the golden vectors are addressed to.
        let id = NodeID(
            0x0001_0203_0405_0607, 0x0809_0a0b_0c0d_0e0f, 0x1011_1213_1415_1617, 0x1819_1a1b_1c1d_1e1f)
        var config = NodeConfig(id: id)
        (config.maxRpcs, config.maxCalls, config.memoryBudget) = (64, 8, 1 << 20)
        let endpoints = EndpointTable(limit: 256)
        let home = endpoints.intern("127.0.0.1:9700") ?? .none
        node = DhtNode(config: config, endpoints: endpoints, seed: 1, nowUs: nowUs)
        node.setHome(home, advertised: home)
        node.setBootstrap([home])
        link = Link(endpoint: home)
        node.linkUp(home, nowUs: nowUs)
        perform()
    }

    mutating func step(_ kind: UInt8, _ bytes: UnsafeRawBufferPointer) {
        switch kind & 7 {
        case 0, 1: node.receive(bytes, from: link, nowUs: nowUs)
        case 2, 3: reply(bytes)
        case 4: pass(time: bytes)
        case 5: _ = node.get(key(bytes), nowUs: nowUs)
        case 6: _ = node.put(key(bytes), value: Array(bytes), seq: 1, ttlSeconds: nil, nowUs: nowUs)
        default: node.linkDown(asked?.endpoint ?? link.endpoint, isRemote: true, nowUs: nowUs)
        }
        perform()
    }

    /// `message` as the answer to the latest request, from the one who was asked.
    private mutating func reply(_ message: UnsafeRawBufferPointer) {
        guard let asked else { return }
        var frame = ByteBuffer()
        EnvelopeEncoder(src: asked.peer, at: node.endpoints.bytes(asked.endpoint), net: 0)
            .begin(&frame, dst: node.config.id, rpc: asked.rpc)
        frame.append(message)
        node.receive(frame.bytes, from: Link(endpoint: asked.endpoint), nowUs: nowUs)
    }

    /// Up to 2^40 us at once, by way of every deadline of the node's, within a bound.
    private mutating func pass(time bytes: UnsafeRawBufferPointer) {
        let untilUs = nowUs + bytes.prefix(5).reduce(0) { $0 << 8 | UInt64($1) }
        for _ in 0..<64 {
            guard let deadlineUs = node.nextDeadlineUs, deadlineUs <= untilUs else { break }
            nowUs = max(nowUs, deadlineUs)
            node.advance(nowUs: nowUs)
            perform()
        }
        nowUs = untilUs
        node.advance(nowUs: nowUs)
    }

    private func key(_ bytes: UnsafeRawBufferPointer) -> Key {
        NodeID(UInt64(bytes.first ?? 0) << 56, 0, 0, UInt64(bytes.count))
    }

    /// Every frame the node sends must be an envelope of its own, and every pool within its limit.
    private mutating func perform() {
        for action in node.outbox.actions {
            switch action {
            case .send(let endpoint, let slice):
                let view = decode(slice)
                asked = (view.dst, view.rpc, endpoint)
            case .reply(_, let slice): _ = decode(slice)
            case .warm, .finished, .event: break
            }
        }
        node.outbox.clear()
        precondition(node.pendingRpcs <= node.config.maxRpcs && node.pendingCalls <= node.config.maxCalls)
        precondition(node.store.heldBytes <= node.config.memoryBudget)
    }

    private mutating func decode(_ slice: ByteSlice) -> EnvelopeView {
        guard let view = try? EnvelopeDecoder.decode(node.outbox.payload(slice), into: &lists) else {
            fatalError("a bad envelope")
        }
        precondition(view.src == node.config.id, "a frame in another's name")
        if case .malformed(let error) = view.message { fatalError("a bad message: \(error)") }
        return view
    }
}

/// What libFuzzer calls; its archive wants this very name.
@_cdecl("LLVMFuzzerTestOneInput")
func trySession(_ bytes: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    FuzzNode.play(UnsafeRawBufferPointer(start: bytes, count: count))
    return 0
}
