// RO:WHAT  Tending the table: now and then, the one thing that most needs a ping or a look.
// RO:WHY   Neighbours decide who holds a record, so they are looked at first; a place is filled before a doubt
//          is settled. One at a time, so that upkeep costs the same in a table of twenty and of five thousand.
// RO:INVARIANTS  the timer is armed while there is a contact, or one that was given up.
// RO:TEST  Tests/DhtLoopTests/Kademlia/TendingTests.swift

extension Upkeep {
    /// Mean time between two turns, when the last one had something to do and when not.
    static let tendBusyUs: UInt64 = 5_000_000
    static let tendIdleUs: UInt64 = 6_000_000
    /// Mean time to the next turn when a contact was found dead: there may be more, and asking them is cheap.
    static let tendHastyUs: UInt64 = 2_000_000
    /// Time after which the sessions to be kept open are chosen anew; and at first, while the table fills. It doubles
    /// from the one to the other.
    static let warmUs: UInt64 = 60_000_000
    static let firstWarmUs: UInt64 = 4_000_000
    /// One turn in so many asks a contact that was given up.
    static let graveTurns: UInt64 = 4
    /// A bucket in whose range nothing was looked up for so long is refreshed (Kademlia paper, 2.3).
    static let refreshUs: UInt64 = 3600 * 1_000_000

    /// Silence after which one of the nearest is pinged. The upper bound keeps sessions to them from idling
    /// out, so that the end of one tells at once that its neighbour is gone.
    var neighbourStaleUs: UInt64 {
        lifetimes.silenceUs(deadShare: 0.15, within: 10_000_000...100_000_000)
    }
    /// Silence after which any contact is pinged when somebody waits for its place, or there is time.
    var staleUs: UInt64 { lifetimes.silenceUs(deadShare: 0.4, within: 30_000_000...1_800_000_000) }
    /// Learns anew from what silence a contact is more likely dead than not. Every answer that names contacts
    /// asks for it, so it is kept.
    mutating func learnDoubt() {
        doubtfulUs = lifetimes.silenceUs(deadShare: 1, within: 60_000_000...86_400_000_000)
    }
}

extension DhtNode {
    /// The neighbours that are looked at most: those who hold the records that we hold, and as many again.
    var neighbourCount: Int { min(config.k, max(8, 2 * config.replica)) }

    /// Sees to it that the table is tended.
    mutating func armTending(_ nowUs: UInt64) {
        if upkeep.tendTimer == .none { planTurn(nowUs, meanUs: Upkeep.tendBusyUs) }
    }

    /// Plans the next turn half to one and a half of `meanUs` from now, unless one comes sooner: what happens in
    /// between may hasten it, and never puts it off.
    private mutating func planTurn(_ nowUs: UInt64, meanUs: UInt64) {
        guard table.count > 0 || !upkeep.graveyard.isEmpty else { return }
        let dueUs = nowUs + UInt64.random(in: (meanUs / 2)...(meanUs * 3 / 2), using: &generator)
        if upkeep.tendTimer != .none, upkeep.tendDueUs <= dueUs { return }
        wheel.cancel(upkeep.tendTimer)
        upkeep.tendDueUs = dueUs
        upkeep.tendTimer = wheel.schedule(atUs: dueUs, token: TimerToken(.tend).packed)
    }

    /// Names the sessions to keep open, now and then: in each bucket to those that answer soonest.
    private mutating func keepWarm(_ nowUs: UInt64) {
        guard config.warmPerBucket > 0, nowUs >= upkeep.nextWarmUs else { return }
        upkeep.nextWarmUs = nowUs + upkeep.warmWaitUs
        upkeep.warmWaitUs = min(2 * upkeep.warmWaitUs, Upkeep.warmUs)
        let wanted = table.soonest(perBucket: config.warmPerBucket)
        upkeep.warm = Set(wanted)
        outbox.warm(wanted)
    }

    /// A contact was found dead, or is doubted.
    mutating func tendSooner(_ nowUs: UInt64) { planTurn(nowUs, meanUs: Upkeep.tendHastyUs) }

    /// Does what most needs doing.
    mutating func tend(_ nowUs: UInt64) {
        upkeep.tendTimer = .none
        upkeep.learnDoubt()
        keepWarm(nowUs)
        planTurn(nowUs, meanUs: tendOne(nowUs) ? Upkeep.tendBusyUs : Upkeep.tendIdleUs)
    }

    private mutating func tendOne(_ nowUs: UInt64) -> Bool {
        if let doubted = table.doubted() {
            ping(doubted, .probe, nowUs)
        } else if let neighbour = table.stalest(
            ofNearest: neighbourCount, nowUs: nowUs, staleUs: upkeep.neighbourStaleUs)
        {
            ping(neighbour, .probe, nowUs)
        } else if let spare = table.takeSpareForRoom() {
            verify(spare, nowUs)
        } else if let lost = drawLost(nowUs) {
            verify(lost, nowUs)
        } else if let silent = table.stalest(nowUs: nowUs, staleUs: upkeep.staleUs) {
            ping(silent, .probe, nowUs)
        } else if nowUs > Upkeep.refreshUs, upkeep.looksAround == 0,
            let bucket = table.unvisitedBucket(sinceUs: nowUs - Upkeep.refreshUs)
        {
            lookAround(config.id.random(sharingPrefix: bucket, using: &generator), nowUs)
        } else {
            return false
        }
        return true
    }

    private mutating func drawLost(_ nowUs: UInt64) -> Contact? {
        guard generator.next() % Upkeep.graveTurns == 0 else { return nil }
        return upkeep.graveyard.draw(generator.next(), nowUs: nowUs)
    }

    /// A contact that was only heard of.
    mutating func hear(_ contact: Contact, _ nowUs: UInt64) {
        if let doubtful = table.hear(contact, nowUs: nowUs, staleUs: upkeep.staleUs) {
            ping(doubtful, .probe, nowUs)
        }
    }

    /// The session to an overlay ended: the neighbours there are asked at once whether they are gone with it.
    /// All who are behind the own overlay would be, were it that one; it is waited for.
    mutating func lookAfter(_ endpoint: EndpointID, _ nowUs: UInt64) {
        guard endpoint != home else { return }
        let neighbours = table.neighbours(at: endpoint, ofNearest: neighbourCount)
        for neighbour in neighbours.prefix(neighbourCount) { ping(neighbour, .probe, nowUs) }
    }
}
