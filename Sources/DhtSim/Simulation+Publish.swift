// RO:WHAT  The publisher: one node that puts very many records, and what that costs in messages.
// RO:WHY   Republishing record by record costs a lookup each; walking the key space should cost far less.

import DhtLoop

/// One node's records, and its traffic since it began to publish.
struct Publisher {
    /// Puts in flight.
    static let window = 64

    var site = -1
    var left = 0
    var done = 0
    var acked = 0
    /// Frames that it sent or received.
    var messages: UInt64 = 0
    var endedUs: UInt64 = 0
    /// What it had sent and received when its last put ended.
    var messagesToPut: UInt64 = 0
    /// What it sends and receives while each of its records is refreshed once; nil until that is done.
    var messagesToRefresh: UInt64?
    var refreshed: UInt64 = 0
}

extension Simulation {
    /// Starts the puts of the publisher, if there is to be one.
    func beginPublishing() {
        guard config.workload.publish > 0, let site = callers.first else { return }
        publisher.site = site
        publisher.left = config.workload.publish
        for _ in 0..<Publisher.window { publishNext() }
    }

    /// One more put, if any is left.
    func publishNext() {
        guard publisher.left > 0, let machine = sites[publisher.site].machine else { return }
        publisher.left -= 1
        let call = machine.node.put(
            .random(using: &chance.generator), value: workload.value(of: publisher.left), seq: Workload.seq,
            ttlSeconds: nil, nowUs: nowUs)
        if let call { machine.published.append(call) }
        perform(machine, publisher.site)
    }

    /// The time is over in which the publisher's node refreshes each record once.
    func refreshEnded() {
        guard let machine = sites[publisher.site].machine else { return }
        publisher.messagesToRefresh = publisher.messages - publisher.messagesToPut
        publisher.refreshed = machine.node.stats.republished - publisher.refreshed
    }

    /// Takes the end of a call if it is one of the publisher's.
    func publishEnded(_ call: OperationID, _ result: OperationResult, _ machine: Machine) -> Bool {
        guard let index = machine.published.firstIndex(of: call) else { return false }
        machine.published.remove(at: index)
        publisher.done += 1
        publisher.endedUs = nowUs
        if case .put(let put) = result, put.acks >= config.nodes.replica { publisher.acked += 1 }
        if publisher.done == config.workload.publish {
            publisher.messagesToPut = publisher.messages
            publisher.refreshed = machine.node.stats.republished
            queue.push(Event(.refreshed, atUs: later(Double(config.nodes.republishSeconds))))
        }
        queue.push(Event(.publish, atUs: nowUs))
        return true
    }
}
