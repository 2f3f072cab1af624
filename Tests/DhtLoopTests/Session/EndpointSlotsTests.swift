// RO:WHAT  EndpointSlots does what a Dictionary does.
import Testing

@testable import DhtLoop

@Suite("EndpointSlots")
struct EndpointSlotsTests {
    @Test("endpoints are found, added and taken out as in a dictionary", arguments: 0..<20 as Range<UInt64>)
    func model(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        var slots = EndpointSlots()
        var model: [EndpointID: Int] = [:]
        // Few numbers in a row, or many far apart.
        let stride = seed % 2 == 0 ? 1 : UInt32.random(in: 1...10_000_000, using: &generator)
        for step in 0..<5_000 {
            let endpoint = EndpointID(rawValue: .random(in: 1...400, using: &generator) &* stride)
            if let slot = model.removeValue(forKey: endpoint) {
                #expect(slots.find(endpoint) == slot, "seed \(seed), step \(step)")
                slots.remove(endpoint)
            } else {
                slots.insert(endpoint, slot: step)
                model[endpoint] = step
            }
            #expect(slots.count == model.count, "seed \(seed), step \(step)")
        }
        for number in 0...400 as ClosedRange<UInt32> {
            let endpoint = EndpointID(rawValue: number &* stride)
            #expect(slots.find(endpoint) == model[endpoint], "seed \(seed), endpoint \(number)")
        }
    }

    @Test("no endpoint has no slot")
    func none() { #expect(EndpointSlots().find(.none) == nil) }
}
