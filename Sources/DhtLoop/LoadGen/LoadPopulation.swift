// RO:WHAT  LoadPopulation: many nodes that are only ids, so that a node under test has contacts.
// RO:WHY   A routing table takes only who answers a Ping; a real process for each would not fit the machine.
// RO:INVARIANTS  ids spread over the buckets of the target, no more in each than a bucket holds.
// RO:TEST  Tests/DhtLoopTests/LoadGen/LoadRunnerTests.swift

/// Plays nodes that live at the target's overlay: they answer Ping, and FindNode with no contacts.
public final class LoadPopulation: SessionOwner {
    /// Below what a switch lets one session hold.
    private static let idsPerSession = 60
    /// Below the strangers that a node verifies at a time.
    private static let verifyingAtOnce = 32
    /// K of the node under test.
    private static let bucketSize = 20
    /// 250 buckets full; nearer ones have too few ids.
    public static let maxCount = 5000

    private let loop: EventLoop
    private let net: UInt64
    private let target: NodeID
    private let endpoint: String
    private let counters = SessionCounters()
    private var sessions: [OverlaySession] = []
    private var ids: [NodeID] = []
    private var number: [NodeID: Int] = [:]
    private var verified: [Bool]
    private var introduced = 0
    private var lists = MessageLists()
    private var scratch = ByteBuffer(capacity: 512)
    /// Ids that the node has pinged.
    public private(set) var verifiedCount = 0

    /// Opens sessions for `count` ids on the runner's loop and makes the node know each; returns when it does.
    /// `runner` is connected.
    public init(of count: Int, for runner: LoadRunner) throws(LoadError) {
        (loop, net, target) = (runner.loop, runner.plan.net, runner.target ?? .zero)
        endpoint = runner.plan.overlay.description
        verified = [Bool](repeating: false, count: count)
        super.init()
        loop.attach(self)
        makeIDs(count, &runner.generator)
        let sessionCount = (count + Self.idsPerSession - 1) / Self.idsPerSession
        for index in 0..<sessionCount { try openSession(UInt32(index), to: runner.plan.overlay) }
        try runner.wait(for: "sessions of the contacts") { [unowned self] _ in
            sessions.allSatisfy { $0.state == .open }
        }
        for _ in 0..<Self.verifyingAtOnce { introduceNext() }
        try runner.wait(for: "the node did not ping its new contacts") { [unowned self] _ in
            verifiedCount == count
        }
    }

    /// The farthest buckets first, each filled: every id fits the table. In the nearest ones few ids are left
    /// to draw from, and some come up twice.
    private func makeIDs(_ count: Int, _ generator: inout SeededGenerator) {
        while ids.count < count {
            let id = target.random(sharingPrefix: ids.count / Self.bucketSize, using: &generator)
            guard number[id] == nil else { continue }
            number[id] = ids.count
            ids.append(id)
        }
    }

    private func openSession(_ index: UInt32, to overlay: SocketAddress) throws(LoadError) {
        let session = OverlaySession(
            loop: loop, owner: self, ownerIndex: index, policy: SessionPolicy(), counters: counters)
        sessions.append(session)
        do throws(SystemError) {
            try session.dial(overlay)
        } catch {
            throw .system(error)
        }
    }

    /// A request makes a stranger of the next id: the node pings it.
    private func introduceNext() {
        guard introduced < ids.count else { return }
        let next = introduced
        introduced += 1
        begin(from: next, to: target, rpc: 1)
        scratch.appendPing()
        sessions[next / Self.idsPerSession].send(scratch.bytes)
    }

    private func begin(from index: Int, to dst: NodeID, rpc: UInt64) {
        var endpoint = endpoint
        scratch.clear()
        endpoint.withUTF8 {
            EnvelopeEncoder(src: ids[index], at: UnsafeRawBufferPointer($0), net: net)
                .begin(&scratch, dst: dst, rpc: rpc)
        }
    }

    override public func sessionReceived(
        _ session: OverlaySession, payload: UnsafeRawBufferPointer, nowUs: UInt64
    ) {
        guard let envelope = try? EnvelopeDecoder.decode(payload, into: &lists),
            let index = number[envelope.dst]
        else { return }
        switch envelope.message {
        case .ping:
            begin(from: index, to: envelope.src, rpc: envelope.rpc)
            scratch.appendPong()
        case .findNode, .get:
            begin(from: index, to: envelope.src, rpc: envelope.rpc)
            scratch.beginNodes(count: 0)
        default: return
        }
        session.send(scratch.bytes)
        if envelope.message == .ping, !verified[index] {
            verified[index] = true
            verifiedCount += 1
            introduceNext()
        }
    }
}
