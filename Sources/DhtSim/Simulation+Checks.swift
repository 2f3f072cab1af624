// RO:WHAT  The invariant checker: every node's, and the simulator's own.
// RO:WHY   A fault that only shows as a lost lookup an hour later is found where it happens.

import DhtLoop

extension Simulation {
    /// Broken invariants that are kept; more only repeat them.
    private static let violationLimit = 20

    /// Checks the touched node when its turn has come.
    func countDownToCheck(_ machine: Machine, _ site: Int) {
        checkCountdown -= 1
        guard checkCountdown <= 0 else { return }
        checkCountdown = config.checkEvery
        check(machine, site)
    }

    /// Checks everything.
    func checkAll() {
        for site in sites.indices {
            if let machine = sites[site].machine { check(machine, site) }
        }
        if sessions.count < 0 || payloads.inUse < 0 { note("negative counts") }
    }

    private func check(_ machine: Machine, _ site: Int) {
        if let broken = machine.node.brokenInvariant(nowUs: nowUs) { note("site \(site): \(broken)") }
        if !machine.node.outbox.isEmpty { note("site \(site): actions are left in the outbox") }
        if let broken = machine.plan.brokenInvariant() { note("site \(site): \(broken)") }
        if machine.plan.sessions != machine.sessions.count {
            note("site \(site): sessions do not fit the plan")
        }
        let due = min(machine.node.nextDeadlineUs ?? .max, machine.plan.nextDeadlineUs ?? .max)
        if due < sites[site].wakeUs { note("site \(site): would wake too late") }
    }

    private func note(_ text: String) {
        guard violations.count < Self.violationLimit else { return }
        violations.append("at \(nowUs) us, \(text)")
    }
}
