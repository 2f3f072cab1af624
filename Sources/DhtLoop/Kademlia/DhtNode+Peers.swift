// RO:WHAT  What follows when contacts come and go, when it is time to look for peers, and when an operation ends that
//          the node began by itself.
// RO:WHY   A new contact matters to the search for peers, to tending and to copies. The order is written down here, once.
// RO:TEST  Tests/DhtLoopTests/Kademlia/TendingTests.swift

extension DhtNode {
    // MARK: - Contacts

    /// A node answered at that endpoint.
    mutating func meet(_ contact: Contact, rttUs: UInt64, _ nowUs: UInt64) {
        if core.peers.meet(contact, nowUs, &core.rpcs, &core.context) { contactAdded(contact, nowUs) }
        core.peers.observe(contact.id, rttUs: rttUs)
    }

    /// The first contact after none: a self-lookup makes the node known to its neighbours. While the table could
    /// still hold every node, each newcomer is a reason to look around again soon.
    private mutating func contactAdded(_ contact: Contact, _ nowUs: UInt64) {
        assert(core.peers.table.state(of: contact.id) != nil, "a contact was added that is none")
        let wasEvicted = core.peers.takeBack(contact.id)
        if core.peers.count == 1 {
            core.context.outbox.tell(.hasPeers(true))
            look(.selfLookup, target: config.id, nowUs)
        }
        if !core.context.timers.isPlanned(.tend) { core.peers.planTurn(.busy, nowUs, &core.context) }
        replicator.noteNeighbour(contact.id, hasCome: true, nowUs, &core)
        search.noteAdded(contacts: core.peers.count, wasEvicted: wasEvicted, nowUs, &core.context)
    }

    /// A request failed in a way that says something of its peer.
    mutating func noteFailure(of rpc: NodeRpcs.Pending, weight: UInt8, _ nowUs: UInt64) {
        switch core.peers.noteFailure(of: rpc.contact, weight: weight, nowUs, &core.context) {
        case .lost(let silenceUs, let spare):
            contactLost(rpc.contact, silenceUs: silenceUs, nowUs)
            if let spare { core.verify(spare, nowUs) }
        case .doubted: core.peers.planTurn(.hasty, nowUs, &core.context)
        case .none: break
        }
    }

    private mutating func contactLost(_ contact: Contact, silenceUs: UInt64, _ nowUs: UInt64) {
        core.peers.noteEvicted(contact, silenceUs: silenceUs, nowUs)
        replicator.noteNeighbour(contact.id, hasCome: false, nowUs, &core)
        core.peers.planTurn(.hasty, nowUs, &core.context)
        if core.peers.count == 0 {
            search.reset()
            core.context.outbox.tell(.hasPeers(false))
        }
        if core.peers.count < config.k { search.plan(contacts: core.peers.count, nowUs, &core.context) }
    }

    // MARK: - Looking for peers

    /// Alone: asks again at every bootstrap overlay. Not alone: looks around.
    mutating func lookForPeers(_ nowUs: UInt64) {
        let look = search.begin(contacts: core.peers.count, nowUs, &core.context)
        assert(core.context.timers.isPlanned(.bootstrap), "no next look is planned")
        if look.asksBootstrap {
            for endpoint in search.bootstrap {
                core.ping(Contact(id: .zero, endpoint: endpoint), .anyone, nowUs)
            }
        }
        if look.looksAround { self.look(.selfLookup, target: config.id, nowUs) }
    }

    /// Looks up `target` to meet the nodes around it.
    private mutating func look(_ operation: Operation, target: NodeID, _ nowUs: UInt64) {
        search.lookBegan()
        let (hasBegun, end) = operations.beginInternal(operation, target: target, nowUs, &core)
        if !hasBegun { search.lookEnded() }
        take(end, nowUs)
    }

    private mutating func refresh(bucket: Int, _ nowUs: UInt64) {
        let target = config.id.random(sharingPrefix: bucket, using: &core.context.generator)
        look(.bucketRefresh, target: target, nowUs)
    }

    /// One turn of tending the table.
    mutating func tend(_ nowUs: UInt64) {
        core.peers.beginTurn(nowUs, &core.context)
        let mayRefresh = search.looksInProgress == 0
        switch core.peers.tendOne(mayRefresh: mayRefresh, nowUs, &core.rpcs, &core.context) {
        case .nothing: return core.peers.planTurn(.idle, nowUs, &core.context)
        case .pinged: break
        case .refresh(let bucket): refresh(bucket: bucket, nowUs)
        }
        core.peers.planTurn(.busy, nowUs, &core.context)
    }

    // MARK: - Operations of the node itself

    /// An operation has ended in a way that concerns the node.
    mutating func take(_ end: Operations.End?, _ nowUs: UInt64) {
        switch end {
        case .lookEnded:
            search.lookEnded()
            // Then come the buckets that hold few.
            guard search.looksInProgress == 0, let bucket = search.nextPoorBucket(of: core.peers.table) else {
                return
            }
            refresh(bucket: bucket, nowUs)
        case .regionFound(let region, let isCutOff):
            if replicator.walkEnded(region, isCutOff: isCutOff, nowUs, &core) { refreshPublications(nowUs) }
        case .published(let key, let seq, let value):
            replicator.publish(key, seq: seq, value: value, nowUs, &core)
        case nil: break
        }
    }

    /// Walks to the nodes around the next publication to be refreshed, if there is one.
    mutating func refreshPublications(_ nowUs: UInt64) {
        guard let key = replicator.nextWalk() else { return }
        replicator.walkBegan()
        let (hasBegun, end) = operations.beginInternal(.regionWalk, target: key, nowUs, &core)
        if !hasBegun { replicator.walkRefused(nowUs, &core) }
        take(end, nowUs)
    }
}
