// RO:WHAT  Ways to spare a round trip: the sessions that nodes keep warm, and dialling ahead.
// RO:WHY   Each has a knob, so that what it saves and what it costs can be measured apart from the others.

import DhtLoop

extension Simulation {
    /// A node names the sessions to keep every minute or so.
    private static let warmSeconds = 75.0

    /// Opens sessions to the nearest contacts of a `Nodes` that just came, as a transport could that reads it.
    func dialAhead(_ payload: UnsafeRawBufferPointer, at site: Int) {
        guard let view = try? EnvelopeDecoder.decode(payload, into: &scribe.lists),
            case .nodes = view.message
        else { return }
        for contact in scribe.lists.contacts.prefix(config.sessions.dialAhead) {
            guard let endpoint = endpoints.find(contact.at.bytes),
                let overlay = self.site(at: endpoint), overlay != site
            else { continue }
            warm(site, overlay)
        }
    }

    /// Performs `.warm`: sessions that are there don't idle out until the node names others, the rest are dialled.
    func keepWarm(_ wanted: [EndpointID], at site: Int) {
        for endpoint in wanted.prefix(config.sessions.cap / 2) {
            guard let overlay = self.site(at: endpoint), overlay != site else { continue }
            warm(site, overlay)
            if let slot = sessions.find(site, overlay) {
                sessions[slot].warmUntilUs = later(Self.warmSeconds)
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
