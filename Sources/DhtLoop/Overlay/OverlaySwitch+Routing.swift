// RO:WHAT  The way of a frame through the switch: whose it is, where it goes.
// RO:WHY   A forwarded frame costs a compare, a look-up and one copy; CBOR is read only where it must be.
// RO:INVARIANTS  the bytes of a forwarded frame are not touched; an Unreachable is never answered.
// RO:SECURITY  a session speaks only for ids it was first to use; the zero id, the switch's and the local
//          node's are nobody's to claim.
// RO:TEST  Tests/DhtLoopTests/Overlay/OverlaySwitchTests.swift

extension OverlaySwitch {
    /// Where a frame came in: a session's slot, or this.
    private static let localSlot = -1

    /// Takes a frame that came in on `session`.
    @inline(__always)
    func receive(_ payload: UnsafeRawBufferPointer, from session: OverlaySession, nowUs: UInt64) {
        guard let address = EnvelopeHead.address(of: payload, lists: &lists) else {
            stats.echoed += 1
            session.send(payload)
            return
        }
        let slot = Int(session.ownerIndex)
        let isKnown = address.src == peers[slot].lastSource && !address.src.isZero
        guard isKnown || admit(address.src, slot: slot, payload: payload, nowUs: nowUs) else { return }
        route(payload, to: address.dst, from: slot, nowUs: nowUs)
    }

    /// Routes a frame of the local node as if it had come in on a session.
    public func sendLocal(_ payload: UnsafeRawBufferPointer) {
        guard let address = EnvelopeHead.address(of: payload, lists: &lists) else {
            stats.refusedSources += 1
            return
        }
        route(payload, to: address.dst, from: Self.localSlot, nowUs: loop.nowUs)
    }

    /// Sends the local node's answer over the session that the question came in on. False, and counted, when
    /// that has ended, or its queue is full.
    @discardableResult
    public func reply(to link: SwitchLink, _ payload: UnsafeRawBufferPointer) -> Bool {
        if link == .local {
            post(payload)
            return true
        }
        guard link.slot < peers.count, peers[link.slot].generation == link.generation,
            let session = peers[link.slot].session
        else {
            stats.staleReplies += 1
            return false
        }
        return session.send(payload)
    }

    // MARK: - Whose it is

    /// Whether the session in `slot` may send from `source`: it holds the id, or nobody does and it gets it.
    private func admit(
        _ source: NodeID, slot: Int, payload: UnsafeRawBufferPointer, nowUs: UInt64
    ) -> Bool {
        guard !source.isZero, source != ownID else {
            stats.refusedSources += 1
            return false
        }
        guard source != localID else {
            stats.refusedClaims += 1
            return false
        }
        if let holder = holders.find(source) {
            guard Int(holder) == slot else {
                stats.refusedClaims += 1
                probe(slot: Int(holder), id: source, nowUs: nowUs)
                return false
            }
        } else if !claim(source, slot: slot, payload: payload) {
            return false
        }
        peers[slot].lastSource = source
        return true
    }

    private func claim(_ source: NodeID, slot: Int, payload: UnsafeRawBufferPointer) -> Bool {
        guard peers[slot].claims.count < policy.idsPerSession else {
            stats.refusedIDs += 1
            return false
        }
        // A probe must be of the holder's own network to be answered, not of its rival's.
        guard let envelope = try? EnvelopeDecoder.decode(payload, into: &lists) else {
            stats.refusedSources += 1
            return false
        }
        hold(SwitchPeer.Claim(id: source, net: envelope.net), slot: slot)
        return true
    }

    // MARK: - Where it goes

    @inline(__always)
    private func route(
        _ payload: UnsafeRawBufferPointer, to destination: NodeID, from slot: Int, nowUs: UInt64
    ) {
        if destination == localID {
            deliver(payload, from: slot, nowUs: nowUs)
        } else if let holder = holders.find(destination) {
            stats.forwarded += 1
            peers[Int(holder)].session?.send(payload)
        } else if destination.isZero {
            gossip(payload, from: slot, nowUs: nowUs)
        } else if destination == ownID {
            stats.probeAnswers += 1
        } else {
            answerUnreachable(payload, destination, from: slot)
        }
    }

    private func deliver(_ payload: UnsafeRawBufferPointer, from slot: Int, nowUs: UInt64) {
        guard slot != Self.localSlot else { return post(payload) }
        stats.local += 1
        let link = SwitchLink(slot: slot, generation: peers[slot].generation)
        localPort?.deliver(payload, from: link, nowUs: nowUs)
    }

    /// Copies a frame for "any node" to the local node and to a few sessions, drawn at random from those that
    /// hold an id: the others are no nodes.
    private func gossip(_ payload: UnsafeRawBufferPointer, from slot: Int, nowUs: UInt64) {
        var (copies, drawn) = (0, 0)
        while copies < policy.gossipFanout, drawn < members.count {
            swapMembers(drawn, .random(in: drawn..<members.count, using: &generator))
            let member = Int(members[drawn])
            drawn += 1
            guard member != slot else { continue }
            peers[member].session?.send(payload)
            copies += 1
        }
        stats.gossiped += UInt64(copies)
        if localPort != nil, slot != Self.localSlot { deliver(payload, from: slot, nowUs: nowUs) }
    }

    /// Tells the sender that nobody holds `node`, so that it need not wait for a time-out.
    private func answerUnreachable(_ payload: UnsafeRawBufferPointer, _ node: NodeID, from slot: Int) {
        stats.unreachable += 1
        guard let envelope = try? EnvelopeDecoder.decode(payload, into: &lists) else { return }
        if case .unreachable = envelope.message { return }
        if envelope.net != noticeNet {
            noticeNet = envelope.net
            noticeEncoder = EnvelopeEncoder(src: .zero, at: Self.nowhere, net: noticeNet)
        }
        scratch.clear()
        noticeEncoder.begin(&scratch, dst: envelope.src, rpc: envelope.rpc)
        scratch.appendUnreachable(node: node)
        if slot == Self.localSlot { post(scratch.bytes) } else { peers[slot].session?.send(scratch.bytes) }
    }
}
