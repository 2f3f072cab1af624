// RO:WHAT  Tests of EventQueue.
// RO:WHY   An event out of order would show as anything, anywhere.

import DhtLoop
import Testing

@testable import DhtSim

@Suite("The event queue")
struct EventQueueTests {
    @Test(
        "gives events by time, and those of one time in the order they came",
        arguments: 0..<20 as Range<UInt64>)
    func order(seed: UInt64) {
        var chance = Chance(seed: seed)
        var queue = EventQueue()
        var expected: [(dueUs: UInt64, number: Int)] = []
        var nowUs: UInt64 = 0
        for number in 0..<2000 {
            let dueUs = nowUs + UInt64(chance.below(chance.below(2) == 0 ? 8 : 100_000))
            queue.push(Event(.operate, atUs: dueUs, from: number))
            expected.append((dueUs, number))
            guard chance.below(3) == 0 else { continue }
            expected.sort { ($0.dueUs, $0.number) < ($1.dueUs, $1.number) }
            let first = expected.removeFirst()
            #expect(queue.nextDueUs == first.dueUs, "seed \(seed)")
            let event = queue.pop(dueBy: .max)
            #expect(event?.dueUs == first.dueUs && event?.from == UInt32(first.number), "seed \(seed)")
            nowUs = first.dueUs
        }
        #expect(queue.count == expected.count)
    }

    @Test("keeps what is not due yet")
    func notDue() {
        var queue = EventQueue()
        queue.push(Event(.operate, atUs: 100))
        #expect(queue.pop(dueBy: 99) == nil)
        queue.push(Event(.join, atUs: 50))
        #expect(queue.pop(dueBy: 99)?.kind == .join)
        #expect(queue.pop(dueBy: 100)?.kind == .operate)
        #expect(queue.nextDueUs == nil)
    }
}

extension Event: Equatable {
    public static func == (a: Event, b: Event) -> Bool {
        a.dueUs == b.dueUs && a.kind == b.kind && a.from == b.from && a.to == b.to
    }
}
