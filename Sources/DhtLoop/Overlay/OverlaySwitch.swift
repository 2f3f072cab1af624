// RO:WHAT  OverlaySwitch: accepts sessions and passes frames between the nodes behind them. This file: the
//          sessions' life, the local port, probes; OverlaySwitch+Routing.swift: the way of a frame.
// RO:WHY   Nodes bind no socket of their own; whoever shares a switch meets there. It knows no Kademlia.
// RO:INVARIANTS  an id is held by one session, the first to send from it; `members` lists the slots with an id.
// RO:METRICS  overlay_*
// RO:SECURITY  every table is bounded: sessions, ids a session, frames a queue, copies of a gossiped frame.
// RO:TEST  Tests/DhtLoopTests/Overlay/OverlaySwitchTests.swift

/// The hub (docs/PROTOCOL.md, "Addressing").
public final class OverlaySwitch: SessionOwner {
    /// A switch's `at`: it cannot be reached.
    static var nowhere: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: nil, count: 0) }

    let loop: EventLoop
    let policy: SwitchPolicy
    /// The id it probes from; nobody may claim it.
    let ownID: NodeID
    var generator: SeededGenerator
    var peers: [SwitchPeer] = []
    private var freeSlots: [UInt32] = []
    var holders: IdTable
    /// Slots of the sessions that hold an id, in no order.
    var members: [UInt32] = []
    var lists = MessageLists()
    var scratch = ByteBuffer(capacity: 256)
    /// Writes Unreachable for the network `noticeNet`; nearly all frames are of one.
    var noticeEncoder = EnvelopeEncoder(src: .zero, at: OverlaySwitch.nowhere, net: 0)
    var noticeNet: UInt64 = 0
    private var listener: Listener?

    var localID: NodeID?
    var localPort: LocalPort?
    private var inbox = LocalInbox()
    private var delivering = LocalInbox()

    /// What it did so far.
    public internal(set) var stats = SwitchStats()
    /// Frames, bytes and drops of all sessions so far: `overlay_peer_dropped_total` is `txDropped`.
    public let counters = SessionCounters()
    /// Sessions, those in their handshake included.
    public private(set) var sessions = 0
    /// Sessions with a complete handshake: `overlay_sessions_active`.
    public private(set) var openSessions = 0

    /// Listens on `address` at once. `generator` gives the switch its id, its hash key, and its choice of whom
    /// to gossip to: it should be unpredictable but in tests.
    public init(
        loop: EventLoop, address: SocketAddress, policy: SwitchPolicy = SwitchPolicy(),
        generator: inout some RandomNumberGenerator
    ) throws(SystemError) {
        (self.loop, self.policy) = (loop, policy)
        ownID = .random(using: &generator)
        holders = IdTable(key: .random(using: &generator))
        self.generator = SeededGenerator(seed: generator.next())
        super.init()
        loop.attach(self)
        do throws(SystemError) {
            listener = try Listener(
                loop: loop, address: address, fastOpen: policy.fastOpen, taker: self)
        } catch {
            loop.detach(self)
            throw error
        }
    }

    /// Where it listens, with the port that the kernel chose; nil after `shutDown`.
    public var address: SocketAddress? { listener?.address }

    /// The longest TX queue, in frames: `overlay_peer_queue_depth`.
    public var txDepthMax: Int { peers.reduce(0) { max($0, $1.session?.depth ?? 0) } }

    /// Ids held by sessions.
    public var heldIDs: Int { holders.count }

    /// Stops listening and closes all sessions, for good.
    public func shutDown() {
        listener?.stop()
        listener = nil
        for slot in peers.indices { peers[slot].session?.close(.shutdown) }
        detachLocal()
        loop.detach(self)
    }

    // MARK: - Local port

    /// Puts the node `id`, in this process, behind `port`. No session may claim its id.
    public func attachLocal(id: NodeID, port: LocalPort) {
        if let slot = holders.find(id) { forget(id, ofSlot: Int(slot)) }
        (localID, localPort) = (id, port)
    }

    /// Takes the local node away.
    public func detachLocal() { (localID, localPort) = (nil, nil) }

    /// Leaves a payload for the local node, to be delivered when the turn ends.
    func post(_ payload: UnsafeRawBufferPointer) {
        guard inbox.append(payload) else {
            counters.txDropped += 1
            return
        }
        loop.deferToEndOfTurn(self)
    }

    override public func endOfTurn(nowUs: UInt64) {
        swap(&inbox, &delivering)
        var offset = 0
        while let payload = delivering.next(&offset) {
            stats.local += 1
            localPort?.deliver(payload, from: .local, nowUs: nowUs)
        }
        delivering.clear()
    }

    // MARK: - Sessions

    override public func sessionOpened(_ session: OverlaySession, nowUs: UInt64) {
        openSessions += 1
        stats.acceptLatency.observe(microseconds: nowUs - session.startedUs)
    }

    override public func sessionReceived(
        _ session: OverlaySession, payload: UnsafeRawBufferPointer, nowUs: UInt64
    ) {
        receive(payload, from: session, nowUs: nowUs)
    }

    override public func sessionClosed(_ session: OverlaySession, reason: CloseReason, nowUs: UInt64) {
        let slot = Int(session.ownerIndex)
        if session.openedUs == 0 {
            stats.countHandshakeFailure(reason)
        } else {
            stats.countSessionEnd(reason)
            openSessions -= 1
        }
        stats.lifetime.observe(microseconds: nowUs - session.startedUs)
        for claim in peers[slot].claims { holders.remove(claim.id) }
        leaveMembers(slot)
        peers[slot].probe.set(nil, on: loop, for: self)
        peers[slot] = SwitchPeer(generation: peers[slot].generation &+ 1)
        freeSlots.append(UInt32(slot))
        sessions -= 1
    }

    private func addPeer() -> Int {
        if let slot = freeSlots.popLast() { return Int(slot) }
        peers.append(SwitchPeer())
        return peers.count - 1
    }

    // MARK: - Ids

    /// Gives `claim` to a session that was first to send from it.
    func hold(_ claim: SwitchPeer.Claim, slot: Int) {
        holders.insert(claim.id, slot: UInt32(slot))
        peers[slot].claims.append(claim)
        guard peers[slot].memberIndex == SwitchPeer.noMember else { return }
        peers[slot].memberIndex = members.count
        members.append(UInt32(slot))
    }

    private func forget(_ id: NodeID, ofSlot slot: Int) {
        holders.remove(id)
        peers[slot].claims.removeAll { $0.id == id }
        if peers[slot].lastSource == id { peers[slot].lastSource = .zero }
        if peers[slot].claims.isEmpty { leaveMembers(slot) }
    }

    private func leaveMembers(_ slot: Int) {
        let index = peers[slot].memberIndex
        guard index != SwitchPeer.noMember else { return }
        swapMembers(index, members.count - 1)
        members.removeLast()
        peers[slot].memberIndex = SwitchPeer.noMember
    }

    func swapMembers(_ first: Int, _ second: Int) {
        members.swapAt(first, second)
        peers[Int(members[first])].memberIndex = first
        peers[Int(members[second])].memberIndex = second
    }

    // MARK: - Probes

    /// Asks the session that holds `id` for a sign of life, as another wants the id.
    func probe(slot: Int, id: NodeID, nowUs: UInt64) {
        guard peers[slot].probe.deadlineUs == .max, let session = peers[slot].session else { return }
        guard let claim = peers[slot].claims.first(where: { $0.id == id }) else { return }
        scratch.clear()
        EnvelopeEncoder(src: ownID, at: Self.nowhere, net: claim.net)
            .begin(&scratch, dst: id, rpc: generator.next())
        scratch.appendPing()
        session.send(scratch.bytes)
        stats.probes += 1
        peers[slot].probedUs = nowUs
        peers[slot].probe.set(nowUs + policy.probeTimeoutUs, on: loop, for: self, tag: UInt32(slot))
    }

    override public func timer(tag: UInt32, nowUs: UInt64) {
        let slot = Int(tag)
        peers[slot].probe.fired()
        guard let session = peers[slot].session, session.lastReceivedUs <= peers[slot].probedUs else {
            return
        }
        stats.silentPeers += 1
        session.close(.silent)
    }
}

extension OverlaySwitch: ConnectionTaker {
    public func take(_ socket: consuming FileDescriptor, nowUs: UInt64) {
        stats.accepted += 1
        guard sessions < policy.maxSessions else {
            stats.overCapacity += 1
            return
        }
        let slot = addPeer()
        let session = OverlaySession(
            loop: loop, owner: self, ownerIndex: UInt32(slot),
            policy: SessionPolicy(
                handshakeTimeoutUs: policy.handshakeTimeoutUs, idleTimeoutUs: policy.idleTimeoutUs),
            counters: counters)
        peers[slot].session = session
        sessions += 1
        do throws(SystemError) {
            try session.adopt(socket, nowUs: nowUs)
        } catch {
            session.close(CloseReason(error))
        }
    }
}
