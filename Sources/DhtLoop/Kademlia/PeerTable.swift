// RO:WHAT  PeerTable: the contacts of a node, and all that is known and done about whether they live.
// RO:WHY   One machine decides which nodes become contacts, which are pinged, which are given up: answers, requests,
//          silence and closed sessions all lead here.
// RO:INVARIANTS  only a node that answered becomes a contact; at most `maxVerifying` strangers are pinged at a time;
//                a ping that is not sent leaves nothing waiting for it.
// RO:SECURITY  a known id that speaks from elsewhere is asked at its old endpoint first.
// RO:METRICS  dht_route_updates_total, dht_routing_table_size
// RO:TEST  Tests/DhtLoopTests/Kademlia/PeerTableTests.swift

/// Contacts, strangers that are being looked at, and contacts that were given up.
struct PeerTable {
    /// Strangers being pinged at a time; a flood of made-up sources stops here.
    static let maxVerifying = 64
    /// One turn in so many asks a contact that was given up.
    private static let evictedTurns: UInt64 = 4
    /// A bucket in whose range nothing was looked up for so long is refreshed (Kademlia paper, 2.3).
    private static let refreshUs: UInt64 = 3600 * 1_000_000

    /// The routing table itself.
    private(set) var table: RoutingTable
    /// Nodes that were pinged before they become contacts.
    private var verifying: Set<NodeID> = []
    private var lifetimes = Lifetimes()
    private var evicted = EvictedContacts()
    private var warmSessions = WarmSessions()
    /// Overlays to which a session is open.
    private var open: Set<EndpointID> = []
    /// Silence after which others are told of farther contacts instead. Every answer that names contacts asks for it,
    /// so it is learned once a turn and kept.
    private(set) var doubtfulUs: UInt64 = 3600 * 1_000_000
    /// The neighbours that are looked at most: those that hold the records that the local node holds, and as many again.
    private let neighbourCount: Int

    init(config: NodeConfig, endpoints: EndpointTable) {
        table = RoutingTable(
            ownID: config.id, k: config.k, diversityShare: config.diversityShare, endpoints: endpoints)
        neighbourCount = min(config.k, max(8, 2 * config.replica))
        assert(neighbourCount > 0 && neighbourCount <= config.k, "a table without neighbours")
    }

    // MARK: - What is known

    /// Live contacts.
    var count: Int { table.count }

    /// What was measured of a contact; nil for a node that is none.
    @inline(__always)
    func rtt(of id: NodeID) -> RttEstimator? { table.state(of: id)?.rtt }

    /// What a walk should expect of a peer, in microseconds; `.max` when nothing is known.
    func knownRttUs(of id: NodeID) -> UInt32 {
        guard let rtt = rtt(of: id), rtt.isMeasured else { return .max }
        return rtt.smoothedUs
    }

    /// Whether `id` lies where the neighbours of the local node do.
    func isNeighbour(_ id: NodeID) -> Bool { table.isNear(id, neighbours: neighbourCount) }

    /// Whether the session to an overlay is open.
    func isOpen(_ endpoint: EndpointID) -> Bool { open.contains(endpoint) }

    /// Since when a contact must have been seen for others to be told of it.
    @inline(__always)
    func toldSinceUs(_ nowUs: UInt64) -> UInt64 { nowUs - min(nowUs, doubtfulUs) }

    /// Silence after which one of the nearest is pinged. The upper bound keeps sessions to them from idling
    /// out, so that the end of one tells at once that its neighbour is gone.
    private var neighbourStaleUs: UInt64 {
        lifetimes.silenceUs(deadShare: 0.15, within: 10_000_000...100_000_000)
    }

    /// Silence after which any contact is pinged when a node waits for its place, or there is time.
    private var staleUs: UInt64 {
        lifetimes.silenceUs(deadShare: 0.4, within: 30_000_000...1_800_000_000)
    }

    /// Adds the endpoints of contacts, spares and those given up.
    func addEndpoints(to used: inout Set<EndpointID>) {
        table.addEndpoints(to: &used)
        evicted.addEndpoints(to: &used)
    }

    /// Fills `list` with the contacts that a walk towards `target` begins with: more than K, for all K may be gone.
    mutating func beginWalk(to target: NodeID, _ nowUs: UInt64, into list: inout ContactList) {
        table.noteLookup(target, nowUs: nowUs)
        table.closest(to: target, 3 * table.k, seenSinceUs: toldSinceUs(nowUs), into: &list)
        if list.count < table.k { table.closest(to: target, 3 * table.k, into: &list) }
    }

    // MARK: - Pings

    /// Pings `contact`; any node that hears it, when its id is zero.
    mutating func ping(
        _ contact: Contact, _ purpose: RpcPurpose, _ nowUs: UInt64, _ rpcs: inout NodeRpcs,
        _ context: inout NodeContext
    ) {
        guard !rpcs.isBusy(contact.id, nowUs),
            let start = rpcs.begin(
                .ping, to: contact, for: purpose, rtt: rtt(of: contact.id), nowUs, &context)
        else {
            // The peer is busy, and so alive, or too many requests are pending: no answer will say that it is over.
            verifying.remove(contact.id)
            return table.endProbe(of: contact.id)
        }
        context.outbox.bytes.appendPing()
        context.outbox.send(to: contact.endpoint, from: start)
    }

    /// Pings a node that is no contact yet, unless that is under way.
    mutating func verify(
        _ contact: Contact, _ nowUs: UInt64, _ rpcs: inout NodeRpcs, _ context: inout NodeContext
    ) {
        guard verifying.count < Self.maxVerifying, verifying.insert(contact.id).inserted else { return }
        ping(contact, .verify, nowUs, &rpcs, &context)
        assert(verifying.count <= Self.maxVerifying, "too many strangers are being pinged")
    }

    /// Verifies a node that a walk has met, if there is a place for it.
    mutating func verifyForRoom(
        _ contact: Contact, _ nowUs: UInt64, _ rpcs: inout NodeRpcs, _ context: inout NodeContext
    ) {
        guard table.hasRoom(for: contact.id), table.admits(contact) else { return }
        verify(contact, nowUs, &rpcs, &context)
    }

    /// The ping of a stranger has ended without an answer.
    mutating func endVerifying(_ id: NodeID) { verifying.remove(id) }

    /// Strangers that are being pinged.
    var verifyingCount: Int { verifying.count }

    /// A ping of a contact has ended, either way.
    mutating func endProbe(of id: NodeID) { table.endProbe(of: id) }

    // MARK: - Signs of life

    /// A node answered at that endpoint: it is, or stays, a contact. Returns whether it is a new one.
    mutating func meet(
        _ contact: Contact, _ nowUs: UInt64, _ rpcs: inout NodeRpcs, _ context: inout NodeContext
    ) -> Bool {
        verifying.remove(contact.id)
        table.endProbe(of: contact.id)
        assert(!verifying.contains(contact.id), "a node that answered is still a stranger")
        switch table.insert(contact, nowUs: nowUs, staleUs: staleUs) {
        case .added:
            context.stats.routeUpdates[.added] += 1
            return true
        case .exchanged:
            context.stats.routeUpdates[.exchanged] += 1
            return true
        case .spare(let oldest):
            context.stats.routeUpdates[.spared] += 1
            if let oldest { ping(oldest, .probe, nowUs, &rpcs, &context) }
        case .updated(let silenceUs):
            lifetimes.survived(silenceUs: silenceUs)
        case .refused:
            break
        }
        return false
    }

    /// A contact's answer took so long.
    mutating func observe(_ id: NodeID, rttUs: UInt64) { table.update(id) { $0.rtt.observe(rttUs) } }

    /// Whether a contact that was given up is back; it is remembered as such no more.
    mutating func takeBack(_ id: NodeID) -> Bool { evicted.remove(id) }

    /// A contact that was only heard of.
    mutating func hear(
        _ contact: Contact, _ nowUs: UInt64, _ rpcs: inout NodeRpcs, _ context: inout NodeContext
    ) {
        if let doubtful = table.hear(contact, nowUs: nowUs, staleUs: staleUs) {
            ping(doubtful, .probe, nowUs, &rpcs, &context)
        }
    }

    /// A contact that asks is alive. A stranger is pinged first: only a node that answers becomes a contact.
    @inline(__always)
    mutating func noteSender(
        of request: EnvelopeView, _ nowUs: UInt64, _ rpcs: inout NodeRpcs, _ context: inout NodeContext
    ) {
        guard request.at.count > 0, !request.src.isZero else { return }
        var claimsToHaveMoved = false
        let endpoints = context.endpoints
        var silenceUs: UInt64 = 0
        let isKnown = table.update(request.src) { state in
            claimsToHaveMoved = !endpoints.matches(state.endpoint, request.at.bytes)
            guard !claimsToHaveMoved else { return }
            silenceUs = nowUs - min(nowUs, state.lastSeenUs)
            state.lastSeenUs = nowUs
            state.failures = 0
        }
        if claimsToHaveMoved { return checkMove(of: request, nowUs, &rpcs, &context) }
        guard isKnown else { return noteStranger(request, nowUs, &rpcs, &context) }
        lifetimes.survived(silenceUs: silenceUs)
    }

    /// A stranger is pinged when there is room for it among the neighbours. Else it may wait for its turn.
    private mutating func noteStranger(
        _ request: EnvelopeView, _ nowUs: UInt64, _ rpcs: inout NodeRpcs, _ context: inout NodeContext
    ) {
        let isWanted = table.hasRoom(for: request.src) && isNeighbour(request.src)
        guard isWanted || table.mayHear(of: request.src) else { return }
        guard let contact = Self.sender(of: request, &context) else { return }
        if isWanted, table.admits(contact) { return verify(contact, nowUs, &rpcs, &context) }
        hear(contact, nowUs, &rpcs, &context)
    }

    /// A known id speaks from elsewhere. Its old endpoint is asked first: while that answers, a stranger
    /// cannot take the contact over.
    private mutating func checkMove(
        of request: EnvelopeView, _ nowUs: UInt64, _ rpcs: inout NodeRpcs, _ context: inout NodeContext
    ) {
        guard let state = table.state(of: request.src) else { return }
        guard state.failures > 0 else {
            return verify(Contact(id: request.src, endpoint: state.endpoint), nowUs, &rpcs, &context)
        }
        guard let contact = Self.sender(of: request, &context) else { return }
        verify(contact, nowUs, &rpcs, &context)
    }

    /// The sender as a contact; nil, and counted, when it names no endpoint.
    private static func sender(of request: EnvelopeView, _ context: inout NodeContext) -> Contact? {
        guard let endpoint = context.endpoints.intern(request.at.bytes) else {
            context.stats.reject(.badEndpoint)
            return nil
        }
        return Contact(id: request.src, endpoint: endpoint)
    }

    // MARK: - Silence

    /// What the failure of a request led to.
    enum Loss {
        /// The contact is given up; a spare may have its place once it answers.
        case lost(silenceUs: UInt64, spare: Contact?)
        /// Others are no longer told of it.
        case doubted
        /// Nothing changed that matters to anything else.
        case none
    }

    /// A request to `contact` failed: `weight` unanswered ones.
    mutating func noteFailure(
        of contact: Contact, weight: UInt8, _ nowUs: UInt64, _ context: inout NodeContext
    ) -> Loss {
        switch table.fail(contact.id, weight: weight, nowUs: nowUs) {
        case .evicted(let silenceUs):
            context.stats.routeUpdates[.evicted] += 1
            assert(table.state(of: contact.id) == nil, "a contact that is given up has left the table")
            return .lost(silenceUs: silenceUs, spare: nil)
        case .replaced(let spare, let silenceUs):
            context.stats.routeUpdates[.replaced] += 1
            assert(table.state(of: contact.id) == nil, "a contact that is given up has left the table")
            return .lost(silenceUs: silenceUs, spare: spare)
        case .kept(let isDoubted): return isDoubted ? .doubted : .none
        case .unknown: return .none
        }
    }

    /// A contact was given up.
    mutating func noteEvicted(_ contact: Contact, silenceUs: UInt64, _ nowUs: UInt64) {
        assert(table.state(of: contact.id) == nil, "a contact that is given up has left the table")
        lifetimes.died(silenceUs: silenceUs)
        evicted.note(contact, nowUs: nowUs)
    }

    /// A session to an overlay is open.
    mutating func sessionOpened(at endpoint: EndpointID) { open.insert(endpoint) }

    /// The session to an overlay ended.
    mutating func sessionEnded(at endpoint: EndpointID) { open.remove(endpoint) }

    /// The other side ended the session to an overlay: the neighbours there are asked at once whether they are gone
    /// with it. All nodes behind the home overlay would be, were it that one; it is waited for.
    mutating func lookAfter(
        _ endpoint: EndpointID, _ nowUs: UInt64, _ rpcs: inout NodeRpcs, _ context: inout NodeContext
    ) {
        guard endpoint != context.home else { return }
        let neighbours = table.neighbours(at: endpoint, ofNearest: neighbourCount)
        for neighbour in neighbours.prefix(neighbourCount) {
            ping(neighbour, .probe, nowUs, &rpcs, &context)
        }
    }

    // MARK: - Tending

    /// What a turn of tending did.
    enum Turn {
        case nothing
        case pinged
        /// Nothing but this is due: a lookup of an id in this bucket's range.
        case refresh(bucket: Int)
    }

    /// Begins a turn: learns anew from what silence a contact is more likely dead than not, and names the sessions to
    /// keep open.
    mutating func beginTurn(_ nowUs: UInt64, _ context: inout NodeContext) {
        doubtfulUs = lifetimes.silenceUs(deadShare: 1, within: 60_000_000...86_400_000_000)
        assert(doubtfulUs >= 60_000_000, "contacts are doubted within a minute")
        warmSessions.choose(from: table, nowUs, &context)
    }

    /// Does the one thing that most needs doing. Neighbours decide which node holds a record, so they are looked at
    /// first; a place is filled before a doubt is settled.
    mutating func tendOne(
        mayRefresh: Bool, _ nowUs: UInt64, _ rpcs: inout NodeRpcs, _ context: inout NodeContext
    ) -> Turn {
        if let doubted = table.doubted() {
            ping(doubted, .probe, nowUs, &rpcs, &context)
        } else if let neighbour = table.stalest(
            ofNearest: neighbourCount, nowUs: nowUs, staleUs: neighbourStaleUs)
        {
            ping(neighbour, .probe, nowUs, &rpcs, &context)
        } else if let spare = table.takeSpareForRoom() {
            verify(spare, nowUs, &rpcs, &context)
        } else if let lost = drawEvicted(nowUs, &context) {
            verify(lost, nowUs, &rpcs, &context)
        } else if let silent = table.stalest(nowUs: nowUs, staleUs: staleUs) {
            ping(silent, .probe, nowUs, &rpcs, &context)
        } else if mayRefresh, nowUs > Self.refreshUs,
            let bucket = table.unvisitedBucket(sinceUs: nowUs - Self.refreshUs)
        {
            return .refresh(bucket: bucket)
        } else {
            return .nothing
        }
        return .pinged
    }

    private mutating func drawEvicted(_ nowUs: UInt64, _ context: inout NodeContext) -> Contact? {
        guard context.generator.next() % Self.evictedTurns == 0 else { return nil }
        return evicted.draw(context.generator.next(), nowUs: nowUs)
    }

    /// Mean time to the next turn.
    enum TurnPace: UInt64 {
        /// The last one had something to do.
        case busy = 5_000_000
        case idle = 6_000_000
        /// A contact was found dead, or is doubted: there may be more, and asking them is cheap.
        case hasty = 2_000_000
    }

    /// Plans the next turn half to one and a half of its mean time from now, unless one comes sooner. There is none
    /// while there is neither a contact nor one that was given up.
    func planTurn(_ pace: TurnPace, _ nowUs: UInt64, _ context: inout NodeContext) {
        guard table.count > 0 || !evicted.isEmpty else { return }
        let meanUs = pace.rawValue
        let waitUs = UInt64.random(in: (meanUs / 2)...(meanUs * 3 / 2), using: &context.generator)
        context.timers.planNoLater(.tend, atUs: nowUs + waitUs)
        assert(
            context.timers.dueUs(.tend).map { $0 <= nowUs + waitUs } ?? false, "a turn that is not planned")
    }

    /// As `DhtNode.brokenInvariant`.
    func brokenInvariant(nowUs: UInt64) -> String? {
        if verifying.count > Self.maxVerifying { return "too many strangers are being pinged" }
        return table.brokenInvariant(nowUs: nowUs)
    }
}

#if DEBUG
    extension PeerTable {
        /// Changes the table as time or events would. For tests.
        mutating func prepare(_ change: (inout RoutingTable) -> Void) { change(&table) }
    }
#endif
