// RO:WHAT  Ways to spare a round trip that need no change of the node: warm neighbours, dialling ahead.
// RO:WHY   Each is a knob, so that what it saves and what it costs can be measured apart from the others.

import DhtLoop

extension Simulation {
    /// Opens sessions to the nearest contacts of a `Nodes` that just came, as a transport could that reads it.
    func dialAhead(_ payload: UnsafeRawBufferPointer, at site: Int) {
        guard let view = try? scribe.decoder.decode(payload), case .nodes = view.message else { return }
        for contact in scribe.decoder.contacts.prefix(config.sessions.dialAhead) {
            guard let endpoint = endpoints.find(contact.at.bytes(in: payload)),
                let overlay = self.site(at: endpoint), overlay != site
            else { continue }
            warm(site, overlay)
        }
    }

    /// Every node dials its contacts, the nearest buckets first, and keeps what it has from going idle.
    func keepAllWarm() {
        for site in sites.indices {
            if let machine = sites[site].machine { keepWarm(machine, site) }
        }
        let againUs = later(config.sessions.warmSeconds)
        queue.push(Event(.fault, atUs: againUs, from: Fault.keepWarm.rawValue))
    }

    private func keepWarm(_ machine: Machine, _ site: Int) {
        var left = config.sessions.cap
        for bucket in machine.node.table.buckets.reversed() {
            for state in bucket.states {
                guard left > 0, let overlay = self.site(at: state.endpoint) else { continue }
                left -= 1
                warm(site, overlay)
            }
        }
    }

    private func warm(_ site: Int, _ overlay: Int) {
        if let slot = sessions.find(site, overlay) {
            touch(slot)
        } else if sessions.dialled(by: site) < config.sessions.cap {
            _ = dial(from: site, to: overlay)
        }
    }
}
