// RO:WHAT  The warm set: sessions that are opened before there is anything to send.
// RO:WHY   A cold session costs a round trip. Those that are likely to be asked next are open by then.
// RO:INVARIANTS  warm sessions <= maxSessions / 2; none closes another session to make room, or is dialled while
//          `dialsAtOnce` sessions are on their way.
// RO:TEST  Tests/DhtLoopTests/Session/WarmSessionsTests.swift

extension SessionPool {
    /// Wants open sessions to `wanted`, the most wanted first, and no longer to those of the set before.
    ///
    /// They are dialled one after the other, `warmPaceUs` apart, and do not idle out while they are in the set. One
    /// whose dial fails or whose session ends leaves the set, after the owner was told as of any session, until it
    /// is handed over again. What is beyond half of `maxSessions` is left out.
    public func keepWarm(_ wanted: [EndpointID]) {
        guard !isShutDown else { return }
        warmRound &+= 1
        toWarm.removeAll(keepingCapacity: true)
        for endpoint in wanted.prefix(policy.maxSessions / 2) where endpoint != .none {
            if let link = find(endpoint) { warm(link: link) } else { toWarm.append(endpoint) }
        }
        toWarm.reverse()
        for link in links.indices where links[link].isWarm && links[link].warmRound != warmRound {
            cool(link: link)
        }
        if !toWarm.isEmpty, warmPace.deadlineUs == .max { rearmWarmPace(loop.nowUs) }
    }

    /// Endpoints of the warm set that have a session, be it only on its way.
    public var warmSessions: Int { links.count { $0.isWarm && $0.session != nil } }

    /// Dials the next one of the warm set, unless as many sessions as may be are on their way.
    func warmNext(_ nowUs: UInt64) {
        warmPace.fired()
        if sessions - openSessions < policy.dialsAtOnce { dialNextWarm() }
        if !toWarm.isEmpty { rearmWarmPace(nowUs) }
    }

    private func dialNextWarm() {
        while let endpoint = toWarm.popLast() {
            if let link = find(endpoint) {
                warm(link: link)
            } else if sessions < policy.maxSessions {
                let link = add(endpoint)
                (links[link].isWarm, links[link].warmRound) = (true, warmRound)
                dial(link: link)
                return
            }
        }
    }

    private func rearmWarmPace(_ nowUs: UInt64) {
        warmPace.set(nowUs + policy.warmPaceUs, on: loop, for: self, tag: Self.warmTag)
    }

    private func warm(link: Int) {
        links[link].warmRound = warmRound
        guard !links[link].isWarm else { return }
        links[link].isWarm = true
        links[link].session?.apply(policy.kept)
    }

    private func cool(link: Int) {
        links[link].isWarm = false
        if !links[link].isKept { links[link].session?.apply(policy.passing) }
    }
}
