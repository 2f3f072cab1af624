// RO:WHAT  Callers: random live nodes that put and get, and what became of it.
// RO:WHY   A get counts as a success only when it found the very bytes that were put.

import DhtLoop

extension Simulation {
    /// Draws for a caller that knows somebody, before a call goes to one that does not.
    private static let callerDraws = 16

    /// Plans the next operation, if one is left.
    func scheduleOperation() {
        guard workload.seedsLeft + workload.getsLeft + workload.putsLeft > 0 else { return }
        queue.push(Event(.operate, atUs: later(chance.exponential(mean: workload.gapSeconds))))
    }

    /// One step of the workload.
    func operate() {
        defer { scheduleOperation() }
        guard let next = workload.next(&chance), let site = drawCaller(), let machine = sites[site].machine
        else { return }
        let key = workload.records[next.record].key
        let call: OperationID?
        switch next.step {
        case .get:
            call = machine.node.get(key, nowUs: nowUs)
            tracer?.began(at: site, key: key, self)
        case .seed, .put:
            call = machine.node.put(
                key, value: workload.value(of: next.record), seq: Workload.seq, ttlSeconds: nil,
                nowUs: nowUs)
        }
        if let call {
            machine.pending.append(
                Machine.Pending(
                    call: call, record: next.record, isMeasured: next.step != .seed, period: faultPeriod))
        } else {
            measurements.callsRefused += 1
        }
        perform(machine, site)
    }

    private func drawCaller() -> Int? {
        guard !callers.isEmpty else { return nil }
        var site = callers[chance.below(callers.count)]
        for _ in 0..<Self.callerDraws {
            if let machine = sites[site].machine, machine.node.table.count > 0 { return site }
            site = callers[chance.below(callers.count)]
        }
        return site
    }

    /// Performs `.finished`.
    func finished(_ call: OperationID, _ result: OperationResult, _ machine: Machine, _ site: Int) {
        if site == publisher.site, publishEnded(call, result, machine) { return }
        guard let index = machine.pending.firstIndex(where: { $0.call == call }) else { return }
        let pending = machine.pending.remove(at: index)
        switch result {
        case .get(let result): gotten(result, pending, site)
        case .providers, .ping: break
        case .put(let result):
            if result.acks > 0 { workload.acked(pending.record, isMeasured: pending.isMeasured) }
            if pending.isMeasured { stored(result) }
        }
    }

    private func gotten(_ result: GetResult, _ pending: Machine.Pending, _ site: Int) {
        tracer?.ended(result, at: site, self)
        measurements.getUs.add(Int(result.elapsedUs))
        measurements.recentGets += 1
        measurements.getsByPeriod[pending.period.rawValue] += 1
        switch result.outcome {
        case .found(let value, _, _):
            guard value == workload.value(of: pending.record) else {
                measurements.getsForged += 1
                return
            }
            measurements.getsFound += 1
            measurements.recentFound += 1
            measurements.foundByPeriod[pending.period.rawValue] += 1
            measurements.hops.add(result.hops)
        case .notFound: measurements.getsNotFound += 1
        case .timedOut: measurements.getsTimedOut += 1
        }
    }

    private func stored(_ result: PutResult) {
        measurements.putUs.add(Int(result.elapsedUs))
        if result.acks >= config.nodes.replica {
            measurements.putsFull += 1
        } else if result.acks > 0 {
            measurements.putsPartial += 1
        } else {
            measurements.putsFailed += 1
        }
    }

    /// The calls of a node that crashes have no outcome.
    func cutCalls(of site: Int) {
        measurements.callsCut += sites[site].machine?.pending.count ?? 0
    }
}
