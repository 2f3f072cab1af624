// RO:WHAT  Adversaries: nodes that joined honestly and then turn: silent, lying, Sybil, forging or flooding.
// RO:WHY   A DHT is open: what it is worth shows only among those who do not play by the rules.

import DhtLoop

/// Who they are, and what they make up.
struct Adversaries {
    /// Made-up endpoints, at none of which anybody is (RFC 5737).
    static let madeUpEndpoints = 1024

    var nowhere: [EndpointID] = []
    /// All adversaries there ever were.
    var sites: [Int] = []
}

extension Simulation {
    /// Value of every forged record.
    private static let forgedValue: [UInt8] = Array("forged".utf8)

    /// Whether the adversary at `site` dealt with the payload, so that its node never sees it.
    func misbehaves(
        _ payload: UnsafeRawBufferPointer, at site: Int, over endpoint: EndpointID, origin: Int
    ) -> Bool {
        if config.faults.adversary == .silent { return true }
        guard let request = try? EnvelopeDecoder.decode(payload, into: &scribe.lists) else { return false }
        let link = Link(endpoint: endpoint, token: UInt64(origin) + 1)
        switch (config.faults.adversary, request.message) {
        case (.liar, .findNode(let target, _)), (.liar, .get(let target, _, _)):
            answer(request, from: site, over: link) { appendLies(about: target) }
        case (.sybil, .findNode), (.sybil, .get):
            answer(request, from: site, over: link) { appendSybils() }
        case (.liar, .put(let record)), (.sybil, .put(let record)):
            answer(request, from: site, over: link) {
                scribe.buffer.appendStored(ok: true, code: "", ttlSeconds: record.ttlSeconds)
            }
        case (.liar, .putMany), (.sybil, .putMany):
            let count = scribe.lists.records.count
            answer(request, from: site, over: link) {
                scribe.buffer.beginStoredMany(stored: count, refused: 0)
            }
        case (.forger, .get(let key, _, _)):
            answer(request, from: site, over: link) { appendForgery(of: key) }
        default: return false
        }
        return true
    }

    private func answer(
        _ request: EnvelopeView, from site: Int, over link: Link, _ append: () -> Void
    ) {
        scribe.begin(src: sites[site].id, at: endpoints.bytes(sites[site].endpoint), answering: request)
        append()
        // The buffer may be used again on the way through a switch.
        let bytes = Array(scribe.buffer.bytes)
        bytes.withUnsafeBytes { reply($0, from: site, over: link, as: answering) }
    }

    /// K contacts: every other one made up and near the target, the rest real and anywhere.
    private func appendLies(about target: NodeID) {
        let prefix = 64 - config.nodes.count.leadingZeroBitCount + 4
        scribe.buffer.beginNodes(count: config.nodes.k)
        for index in 0..<config.nodes.k {
            if index % 2 == 0 {
                let id = target.random(sharingPrefix: prefix + index % 16, using: &chance.generator)
                scribe.buffer.appendContact(id, at: endpoints.encoded(madeUpEndpoint()))
            } else {
                appendContact(of: callers[chance.below(callers.count)])
            }
        }
    }

    private func madeUpEndpoint() -> EndpointID {
        if adversaries.nowhere.isEmpty {
            adversaries.nowhere = (0..<Adversaries.madeUpEndpoints).compactMap { number in
                endpoints.intern("192.0.2.\(number & 255):\(9000 + number >> 8)")
            }
        }
        return adversaries.nowhere[chance.below(adversaries.nowhere.count)]
    }

    /// K of the adversary's own kind.
    private func appendSybils() {
        let known = adversaries.sites.count
        let count = min(config.nodes.k, known)
        let first = chance.below(known)
        scribe.buffer.beginNodes(count: count)
        for index in 0..<count { appendContact(of: adversaries.sites[(first + index) % known]) }
    }

    private func appendContact(of site: Int) {
        scribe.buffer.appendContact(sites[site].id, at: endpoints.encoded(sites[site].endpoint))
    }

    private func appendForgery(of key: Key) {
        Self.forgedValue.withUnsafeBytes { value in
            scribe.buffer.beginFound(
                key: key, seq: UInt64.max, ttlSeconds: 86_400, value: value, contacts: 0)
        }
    }

    // MARK: - Floods

    func scheduleFlood(_ site: Int) {
        let gap = chance.exponential(mean: 1 / config.faults.floodRate)
        queue.push(Event(.flood, atUs: later(gap), from: site))
    }

    /// One more FindNode for a random target, to be passed on as far as nodes do, to a random node, or to one of the flooder's victims.
    func flood(_ site: Int) {
        guard sites[site].isUp, !callers.isEmpty else { return }
        scheduleFlood(site)
        let victim = floodVictim(of: site)
        var buffer = ByteBuffer()
        EnvelopeEncoder(src: sites[site].id, at: endpoints.bytes(sites[site].endpoint), net: 0)
            .begin(&buffer, dst: sites[victim].id, rpc: chance.word())
        buffer.appendFindNode(
            target: .random(using: &chance.generator), recursion: UInt8(config.nodes.recursion))
        traffic.floodRequests += 1
        send(buffer.bytes, from: site, to: sites[victim].endpoint)
    }

    private func floodVictim(of site: Int) -> Int {
        let victims = config.faults.floodVictims
        guard victims > 0 else { return callers[chance.below(callers.count)] }
        return callers[(site + chance.below(victims)) % callers.count]
    }
}
