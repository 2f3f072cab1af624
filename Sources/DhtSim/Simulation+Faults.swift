// RO:WHAT  Planned faults: silent deaths, the partition, the failing hub, adversaries that turn.
// RO:WHY   Each is named on the command line and happens at a known time, so that before and after compare.

import DhtLoop

/// Something planned to go wrong, or right again.
enum Fault: Int {
    case partitionBegins, partitionEnds, hubFails, hubReturns
}

extension Simulation {
    /// Seconds from the beginning of the measured part to a planned fault.
    static let faultDelaySeconds = 60.0
    /// Seconds after a fault within which all should be whole again.
    private static let healingSeconds = 120.0

    /// How long the planned fault that passes lasts; 0 when there is none.
    var faultSeconds: Double { max(config.faults.partitionSeconds, config.faults.hubDownSeconds) }

    /// Where the present lies.
    var faultPeriod: FaultPeriod {
        let seconds = Double(nowUs - measuredFromUs) / 1_000_000 - Self.faultDelaySeconds
        if faultSeconds == 0 || seconds < 0 { return .before }
        if seconds < faultSeconds { return .during }
        return seconds < faultSeconds + Self.healingSeconds ? .healing : .after
    }

    /// The measured part begins: what was honest turns, and lives become finite.
    func beginFaults() {
        isHostile = true
        killShare(config.faults.deadFraction)
        for site in sites.indices where sites[site].isUp {
            planCrash(of: site)
            if config.faults.adversary == .flooder, sites[site].isAdversary { scheduleFlood(site) }
        }
        let faults = config.faults
        plan(.partitionBegins, .partitionEnds, seconds: faults.partitionSeconds)
        plan(.hubFails, .hubReturns, seconds: faults.hubDownSeconds)
    }

    private func plan(_ begin: Fault, _ end: Fault, seconds: Double) {
        guard seconds > 0 else { return }
        queue.push(Event(.fault, atUs: later(Self.faultDelaySeconds), from: begin.rawValue))
        queue.push(Event(.fault, atUs: later(Self.faultDelaySeconds + seconds), from: end.rawValue))
    }

    /// Kills an exact share of the callers, drawn at random, without a word.
    private func killShare(_ share: Double) {
        for _ in 0..<Int((Double(callers.count) * share).rounded()) where callers.count > 1 {
            kill(callers[chance.below(callers.count)], isSilent: true)
        }
    }

    func planned(_ fault: Fault?) {
        switch fault {
        case .partitionBegins: isPartitioned = true
        case .partitionEnds: isPartitioned = false
        case .hubFails:
            sites[0].isUp = false
            resetInbound(0)
        case .hubReturns: sites[0].isUp = true
        case nil: break
        }
    }
}
