// RO:WHAT  What a node does unasked: find first contacts, look around, let records expire.
// RO:WHY   A node that is alone keeps trying, with full-jitter backoff, and never floods a bootstrap overlay.

/// State of a node's housekeeping.
struct Upkeep {
    /// Strangers being pinged at a time; a flood of made-up sources stops here.
    static let maxVerifying = 64
    /// First and longest wait between attempts while alone.
    static let aloneBaseUs: UInt64 = 500_000
    static let aloneCapUs: UInt64 = 10_000_000
    /// First and longest wait while the table could still hold everyone and may miss someone.
    static let sparseBaseUs: UInt64 = 8_000_000
    static let sparseCapUs: UInt64 = 60_000_000

    /// Longest wait until a newcomer makes us look around again; and until the first of a row of them does, each less
    /// than that after the last. A node that joins meets many at once, and one look serves them all.
    static let newcomerUs: UInt64 = 1_000_000
    static let newcomersUs: UInt64 = 4_000_000

    /// Overlays to ask "anyone there?".
    var bootstrap: [EndpointID] = []
    /// What others are told to reach us by.
    var advertised = EndpointID.none
    /// Nodes that were pinged before they become contacts.
    var verifying: Set<NodeID> = []
    var bootstrapTimer = TimerID.none
    var bootstrapDueUs: UInt64 = 0
    var sweepTimer = TimerID.none
    var sweepDueUs: UInt64 = 0
    /// Attempts since the last change for the better, or since the node is alone.
    var attempt = 0
    /// When the first contact was added for whose sake the next look for peers is soon; nil when there is none.
    var newcomerUs: UInt64?
    /// Looks around that have not ended.
    var looksAround = 0
    /// A contact that was given up is back since the last look around.
    var isReunited = false
    /// The next bucket to fill after a look around.
    var nextBucket = 0
    var tendTimer = TimerID.none
    var tendDueUs: UInt64 = 0
    var nextWarmUs: UInt64 = 0
    var warmWaitUs = Self.firstWarmUs
    /// Where sessions are kept open, as far as is known.
    var warm: Set<EndpointID> = []
    var lifetimes = Lifetimes()
    /// Silence after which others are told of farther contacts instead.
    var doubtfulUs: UInt64 = 3600 * 1_000_000
    var graveyard = Graveyard()
}

extension DhtNode {
    /// Names the overlays at which to look for nodes.
    public mutating func setBootstrap(_ endpoints: [EndpointID]) { upkeep.bootstrap = endpoints }

    /// The session to an overlay is open: whoever is there learns of us, and we of them.
    public mutating func linkUp(_ endpoint: EndpointID, nowUs: UInt64) {
        guard upkeep.bootstrap.contains(endpoint) || endpoint == home else { return }
        ping(Contact(id: .zero, endpoint: endpoint), .anyone, nowUs)
        upkeep.attempt = 0
        armBootstrap(nowUs)
    }

    /// The endpoints that a contact, a request, a call or the node itself names.
    public func endpointsInUse() -> Set<EndpointID> {
        var used: Set<EndpointID> = [home, upkeep.advertised]
        used.formUnion(upkeep.bootstrap)
        table.addEndpoints(to: &used)
        rpcs.addEndpoints(to: &used)
        calls.addEndpoints(to: &used)
        upkeep.graveyard.addEndpoints(to: &used)
        for route in courier.routes { used.insert(route.contact.endpoint) }
        return used
    }

    /// The first contact after none: a lookup of the own id makes us known to our neighbours. While the table
    /// could still hold everyone, each newcomer is a reason to look around again soon.
    mutating func contactAdded(_ contact: Contact, _ nowUs: UInt64) {
        let wasLost = upkeep.graveyard.remove(contact.id)
        if table.count == 1 {
            outbox.tell(.hasPeers(true))
            lookAround(config.id, nowUs)
        }
        armTending(nowUs)
        noteNeighbour(contact.id, hasCome: true, nowUs)
        guard table.count <= config.k || wasLost else { return }
        upkeep.isReunited = upkeep.isReunited || wasLost
        upkeep.attempt = 0
        armForNewcomer(nowUs)
    }

    /// A contact was given up.
    mutating func contactLost(_ contact: Contact, silenceUs: UInt64, _ nowUs: UInt64) {
        upkeep.lifetimes.died(silenceUs: silenceUs)
        upkeep.graveyard.bury(contact, nowUs: nowUs)
        noteNeighbour(contact.id, hasCome: false, nowUs)
        tendSooner(nowUs)
        if table.count == 0 {
            upkeep.attempt = 0
            outbox.tell(.hasPeers(false))
        }
        if table.count < config.k { armBootstrap(nowUs) }
    }

    /// Alone: ask again at every bootstrap overlay. Not alone: look around.
    mutating func lookForPeers(_ nowUs: UInt64) {
        upkeep.bootstrapTimer = .none
        // The newcomer for whose sake this is was one of many.
        let isForNewcomer = upkeep.newcomerUs != nil && table.count > config.k && !upkeep.isReunited
        (upkeep.newcomerUs, upkeep.isReunited) = (nil, false)
        upkeep.attempt += 1
        armBootstrap(nowUs)
        if table.count < config.k {
            for endpoint in upkeep.bootstrap { ping(Contact(id: .zero, endpoint: endpoint), .anyone, nowUs) }
        }
        if table.count > 0, upkeep.looksAround == 0, !isForNewcomer { lookAround(config.id, nowUs) }
    }

    /// A look around ended. The K closest that were not asked are pinged, so that they know us and we them;
    /// then come the buckets that hold few.
    mutating func lookedAround(_ call: Call, _ nowUs: UInt64) {
        if call.lookup.target == config.id {
            for peer in call.lookup.peers.prefix(config.k) where peer.progress == .fresh {
                if table.hasRoom(for: peer.contact.id), table.admits(peer.contact) {
                    verify(peer.contact, nowUs)
                }
            }
        }
        close(call)
        upkeep.looksAround -= 1
        guard upkeep.looksAround == 0, let bucket = nextPoorBucket() else { return }
        lookAround(config.id.random(sharingPrefix: bucket, using: &generator), nowUs)
    }

    /// The next bucket, of those farther than the nearest contact, that knows of too few to fill it.
    private mutating func nextPoorBucket() -> Int? {
        let deepest = table.deepest ?? 0
        while upkeep.nextBucket < deepest {
            let bucket = table.buckets[upkeep.nextBucket]
            upkeep.nextBucket += 1
            if bucket.count + bucket.spares.count < config.k / 2 { return upkeep.nextBucket - 1 }
        }
        upkeep.nextBucket = 0
        return nil
    }

    /// Plans the next look for peers, the sooner the fewer are known. One that comes sooner stays: what happens in
    /// between may hasten it, and never puts it off.
    private mutating func armBootstrap(_ nowUs: UInt64) {
        let dueUs = nowUs + waitForPeers()
        if upkeep.bootstrapTimer != .none, upkeep.bootstrapDueUs <= dueUs { return }
        moveBootstrap(to: dueUs)
    }

    /// Plans the look that a newcomer is a reason for. Those who come after it put it off, but not for long.
    private mutating func armForNewcomer(_ nowUs: UInt64) {
        let firstUs = upkeep.newcomerUs ?? nowUs
        let wait = UInt64.random(in: (Upkeep.newcomerUs / 2)...Upkeep.newcomerUs, using: &generator)
        let dueUs = min(nowUs + wait, firstUs + Upkeep.newcomersUs)
        let isFirst = upkeep.newcomerUs == nil
        upkeep.newcomerUs = firstUs
        if isFirst, upkeep.bootstrapTimer != .none, upkeep.bootstrapDueUs <= dueUs { return }
        moveBootstrap(to: dueUs)
    }

    private mutating func moveBootstrap(to dueUs: UInt64) {
        wheel.cancel(upkeep.bootstrapTimer)
        upkeep.bootstrapDueUs = dueUs
        upkeep.bootstrapTimer = wheel.schedule(atUs: dueUs, token: TimerToken(.bootstrap).packed)
    }

    private mutating func waitForPeers() -> UInt64 {
        if table.count == 0 { return jittered(Upkeep.aloneBaseUs, cap: Upkeep.aloneCapUs) }
        if table.count < config.k { return jittered(Upkeep.sparseBaseUs, cap: Upkeep.sparseCapUs) }
        return config.refreshUs / 2 + UInt64.random(in: 0...config.refreshUs, using: &generator)
    }

    /// Half to all of base * 2^attempt, at most `cap`.
    private mutating func jittered(_ base: UInt64, cap: UInt64) -> UInt64 {
        let longest = min(cap, base << UInt64(min(upkeep.attempt, 16)))
        return UInt64.random(in: (longest / 2)...longest, using: &generator)
    }

    /// Sees to it that the store is swept once its next record has expired.
    mutating func armSweep() {
        let due = min(store.nextSweepUs ?? .max, providers.nextSweepUs ?? .max)
        guard due < .max else { return }
        if upkeep.sweepTimer != .none, upkeep.sweepDueUs <= due { return }
        wheel.cancel(upkeep.sweepTimer)
        upkeep.sweepDueUs = due
        upkeep.sweepTimer = wheel.schedule(atUs: due, token: TimerToken(.sweep).packed)
    }

    mutating func sweepStore(_ nowUs: UInt64) {
        upkeep.sweepTimer = .none
        store.sweep(nowUs: nowUs)
        if let due = providers.nextSweepUs, due <= nowUs { providers.sweep(nowUs: nowUs) }
        armSweep()
    }
}
