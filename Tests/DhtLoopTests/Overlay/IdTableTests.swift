// RO:WHAT  IdTable against a dictionary.
import Testing

@testable import DhtLoop

@Suite("IdTable")
struct IdTableTests {
    @Test("the table agrees with a dictionary through random use", arguments: 0..<40 as Range<UInt64>)
    func model(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        var table = IdTable(key: .random(using: &generator))
        var model: [NodeID: UInt32] = [:]
        // Few distinct ids, so that they are met again, and enough of them to grow the table.
        let ids = (0..<400).map { _ in NodeID.random(using: &generator) }
        let limit = Int.random(in: 1...ids.count, using: &generator)
        for step in 0..<4_000 {
            let id = ids[.random(in: 0..<limit, using: &generator)]
            if model[id] == nil, Bool.random(using: &generator) {
                table.insert(id, slot: UInt32(step))
                model[id] = UInt32(step)
            } else {
                table.remove(id)
                model[id] = nil
            }
            #expect(table.count == model.count, "seed \(seed), step \(step)")
        }
        for id in ids {
            let found = table.find(id)
            #expect(found == model[id], "seed \(seed)")
        }
    }

    @Test("ids that differ in one bit are told apart")
    func neighbours() {
        var table = IdTable(key: NodeID(1, 2, 3, 4))
        for bit in 0..<256 { table.insert(NodeID.zero.flippingBit(bit), slot: UInt32(bit)) }
        for bit in 0..<256 {
            let found = table.find(NodeID.zero.flippingBit(bit))
            #expect(found == UInt32(bit))
        }
        let missing = table.find(.zero)
        #expect(missing == nil)
    }
}
