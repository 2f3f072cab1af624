// RO:WHAT  What tests reach inside a node for: one machine driven by hand, or a state that takes an hour to come about.
// RO:WHY   The machines own their state; a test says here, by name, which door it goes through.

@testable import DhtLoop

extension DhtNode {
    /// Requests on their way.
    var sentRequests: [NodeRpcs.Pending] { core.rpcs.pending }
    /// When the next look for peers is due; `.max` when none is planned.
    var lookDueUs: UInt64 { core.context.timers.dueUs(.bootstrap) ?? .max }
    /// Requests that are being forwarded.
    var forwarded: Int { responder.forwarded }

    /// Changes the routing table as time or events would.
    mutating func prepareTable(_ change: (inout RoutingTable) -> Void) { core.peers.prepare(change) }

    /// Stores a record here.
    mutating func keep(
        _ key: Key, seq: UInt64, ttlSeconds: UInt64, value: [UInt8], _ nowUs: UInt64
    ) -> RecordStore.PutOutcome {
        let version = Version(seq: seq, ttlSeconds: ttlSeconds, value: value, isTombstone: false)
        return core.keep(key, version, nowUs)
    }

    /// A contact was found dead, or is doubted.
    mutating func tendSooner(_ nowUs: UInt64) { core.peers.planTurn(.hasty, nowUs, &core.context) }

    mutating func hear(_ contact: Contact, _ nowUs: UInt64) { core.hear(contact, nowUs) }

    mutating func verify(_ contact: Contact, _ nowUs: UInt64) { core.verify(contact, nowUs) }

    mutating func ping(_ contact: Contact, _ purpose: RpcPurpose, _ nowUs: UInt64) {
        core.ping(contact, purpose, nowUs)
    }

    /// A put with the default life has been stored somewhere.
    mutating func publish(_ key: Key, seq: UInt64, value: [UInt8], _ nowUs: UInt64) {
        replicator.publish(key, seq: seq, value: value, nowUs, &core)
    }

    /// Owes records to a node, and sends what may go.
    mutating func owe(_ keys: [Key], to contact: Contact, _ nowUs: UInt64) {
        replicator.owe(keys, to: contact, nowUs, &core)
    }

    /// A neighbour of a node that is leaving went.
    mutating func neighbourLost(_ id: NodeID, _ nowUs: UInt64) {
        replicator.noteNeighbour(id, hasCome: false, nowUs, &core)
    }

    /// So many contacts died young: what a node learns of lives.
    mutating func learnDeaths(_ count: Int, silenceUs: UInt64, _ nowUs: UInt64) {
        for number in 0..<UInt64(count) {
            let contact = Contact(id: NodeID(number, 3, 3, 3), endpoint: EndpointID(rawValue: 1))
            core.peers.noteEvicted(contact, silenceUs: silenceUs, nowUs)
        }
        core.peers.beginTurn(nowUs, &core.context)
    }
}
