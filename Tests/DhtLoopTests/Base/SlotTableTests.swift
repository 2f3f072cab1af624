// RO:WHAT  SlotTable: names find their row and no other, the table is bounded, and a model of it agrees.
import Testing

@testable import DhtLoop

@Suite("SlotTable")
struct SlotTableTests {
    @Test("a name finds its row until that is removed, and never the next one of its slot")
    func names() throws {
        var table = SlotTable<String>(limit: 4)
        let first = try #require(table.insert { _ in "one" })
        let second = try #require(table.insert { _ in "two" })
        #expect(table.holds(first) && table[Int(first.slot)] == "one" && table.count == 2)
        let removed = table.remove(slot: Int(first.slot))
        #expect(removed == "one" && !table.holds(first) && table[Int(first.slot)] == nil)
        let third = try #require(table.insert { _ in "three" })
        #expect(third.slot == first.slot && third != first && !table.holds(first))
        #expect(table.holds(second) && table[Int(second.slot)] == "two")
    }

    @Test("a row knows its own name, and is changed in place")
    func changes() throws {
        var table = SlotTable<(id: SlotID, count: Int)>(limit: 1)
        let id = try #require(table.insert { ($0, 0) })
        for _ in 0..<3 { table[Int(id.slot)]?.count += 1 }
        #expect(table[Int(id.slot)]?.id == id && table[Int(id.slot)]?.count == 3)
    }

    @Test("at its limit it takes no more, and slots beyond it hold nothing")
    func limit() {
        var table = SlotTable<Int>(limit: 2)
        let ids = (0..<3).map { number in table.insert { _ in number } }
        #expect(ids[0] != nil && ids[1] != nil && ids[2] == nil && table.isFull)
        #expect(table[-1] == nil && table[2] == nil && table.remove(slot: 7) == nil)
        #expect(!table.holds(SlotID(slot: 9, generation: 1)) && !table.holds(slot: -1))
    }

    @Test("random insertions and removals agree with a dictionary", arguments: [UInt64](1...8))
    func model(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        var table = SlotTable<UInt64>(limit: 16)
        var model: [SlotID: UInt64] = [:]
        var everNamed: Set<SlotID> = []
        for _ in 0..<2_000 {
            if Bool.random(using: &generator) {
                let value = generator.next()
                if let id = table.insert({ _ in value }) {
                    let isNew = everNamed.insert(id).inserted
                    #expect(isNew && model.count < 16, "seed \(seed)")
                    model[id] = value
                } else {
                    #expect(model.count == 16, "seed \(seed)")
                }
            } else if let id = everNamed.randomElement(using: &generator) {
                let isHeld = table.holds(id)
                #expect(isHeld == (model[id] != nil), "seed \(seed)")
                if isHeld {
                    let removed = table.remove(slot: Int(id.slot))
                    #expect(removed == model.removeValue(forKey: id), "seed \(seed)")
                }
            }
            #expect(table.count == model.count, "seed \(seed)")
        }
        var rows: [UInt64] = []
        table.visit { rows.append($0) }
        #expect(rows.sorted() == model.values.sorted(), "seed \(seed)")
    }
}
