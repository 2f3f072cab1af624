// RO:WHAT  What a node does unasked: find first contacts, look around, let records expire.
// RO:WHY   A node that is alone keeps trying, with full-jitter backoff, and never floods a bootstrap overlay.
// RO:CONFIG  RON_DHT_BOOTSTRAP

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

    /// Overlays to ask "anyone there?".
    var bootstrap: [EndpointID] = []
    /// What others are told to reach us by.
    var advertised = EndpointID.none
    /// Nodes that were pinged before they become contacts.
    var verifying: Set<NodeID> = []
    var bootstrapTimer = TimerID.none
    var sweepTimer = TimerID.none
    var sweepDueUs: UInt64 = 0
    /// Attempts since the last change for the better.
    var attempt = 0
    /// Looks around that have not ended.
    var looksAround = 0
    /// The next bucket to fill after joining.
    var nextBucket = 0
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
        return used
    }

    /// The first contact after none, or one more: a lookup of the own id makes us known to our neighbours.
    mutating func contactAdded(_ nowUs: UInt64) {
        if table.count == 1 { outbox.tell(.hasPeers(true)) }
        guard table.count == 1 || upkeep.looksAround == 0 && table.count <= config.k else { return }
        upkeep.attempt = 0
        armBootstrap(nowUs)
        if upkeep.looksAround == 0 { lookAround(config.id, nowUs) }
    }

    /// Alone: ask again at every bootstrap overlay. Not alone: look around.
    mutating func lookForPeers(_ nowUs: UInt64) {
        upkeep.bootstrapTimer = .none
        upkeep.attempt += 1
        armBootstrap(nowUs)
        if table.count < config.k {
            for endpoint in upkeep.bootstrap { ping(Contact(id: .zero, endpoint: endpoint), .anyone, nowUs) }
        }
        if table.count > 0, upkeep.looksAround == 0 { lookAround(config.id, nowUs) }
    }

    /// A look around ended: after the own id come the buckets farther than the nearest contact, one by one.
    mutating func lookedAround(_ nowUs: UInt64) {
        upkeep.looksAround -= 1
        guard upkeep.looksAround == 0 else { return }
        while upkeep.nextBucket < 256 {
            let bucket = upkeep.nextBucket
            guard table.hasContacts(deeperThan: bucket) else { break }
            upkeep.nextBucket += 1
            guard table.buckets[bucket].count < config.k else { continue }
            return lookAround(config.id.random(sharingPrefix: bucket, using: &generator), nowUs)
        }
        upkeep.nextBucket = 0
    }

    /// Arms the timer of the next look for peers; sooner the fewer are known.
    private mutating func armBootstrap(_ nowUs: UInt64) {
        wheel.cancel(upkeep.bootstrapTimer)
        let wait: UInt64
        if table.count == 0 {
            wait = jittered(Upkeep.aloneBaseUs, cap: Upkeep.aloneCapUs)
        } else if table.count < config.k {
            wait = jittered(Upkeep.sparseBaseUs, cap: Upkeep.sparseCapUs)
        } else {
            wait = config.refreshUs / 2 + UInt64.random(in: 0...config.refreshUs, using: &generator)
        }
        upkeep.bootstrapTimer = wheel.schedule(atUs: nowUs + wait, token: TimerToken(.bootstrap).packed)
    }

    /// Half to all of base * 2^attempt, at most `cap`.
    private mutating func jittered(_ base: UInt64, cap: UInt64) -> UInt64 {
        let longest = min(cap, base << UInt64(min(upkeep.attempt, 16)))
        return UInt64.random(in: (longest / 2)...longest, using: &generator)
    }

    /// Sees to it that the store is swept once its next record has expired.
    mutating func armSweep() {
        guard let due = [store.nextSweepUs, providers.nextSweepUs].compactMap({ $0 }).min() else { return }
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
