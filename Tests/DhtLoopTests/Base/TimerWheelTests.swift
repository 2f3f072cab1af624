// RO:WHAT  TimerWheel against a list of deadlines, and its corners by hand.
import Testing

@testable import DhtLoop

@Suite("TimerWheel")
struct TimerWheelTests {
    @Test(
        "a timer is never early and at most one tick late",
        arguments: [0, 1, 999, 1000, 1001, 63_999, 4_096_000])
    func punctual(delayUs: UInt64) {
        let startUs: UInt64 = 123_456_789
        var wheel = TimerWheel(nowUs: startUs)
        _ = wheel.schedule(atUs: startUs + delayUs, token: 7)
        if delayUs > 0 {
            let early = wheel.next(dueBy: startUs + delayUs - 1)
            #expect(early == nil)
        }
        let onTime = wheel.next(dueBy: startUs + delayUs + 1000)
        #expect(onTime == 7)
        #expect(wheel.count == 0)
    }

    @Test("sleeping from one announced deadline to the next meets every timer within its tick")
    func sleeping() {
        var wheel = TimerWheel(nowUs: 0)
        let deadlinesUs: [UInt64] = [
            1, 64_000, 4_095_000, 4_096_000, 4_097_500, 86_400_000_000, 9_000_000_000_000,
        ]
        for deadlineUs in deadlinesUs { _ = wheel.schedule(atUs: deadlineUs, token: deadlineUs) }
        var (met, wakeUps): ([UInt64], Int) = ([], 0)
        while let deadlineUs = wheel.nextDeadlineUs, wakeUps < 100 {
            wakeUps += 1
            while let token = wheel.next(dueBy: deadlineUs) {
                #expect(token <= deadlineUs && deadlineUs < token + 1000)
                met.append(token)
            }
        }
        #expect(met == deadlinesUs)
        #expect(wakeUps <= deadlinesUs.count * 7)
    }

    @Test("a handler that arms itself again for now, or for the past, does not run twice at one time")
    func rearming() {
        var wheel = TimerWheel(nowUs: 5_000)
        _ = wheel.schedule(atUs: 6_000, token: 1)
        var runs = 0
        while wheel.next(dueBy: 90_000) != nil, runs < 10 {
            runs += 1
            _ = wheel.schedule(atUs: runs == 1 ? 90_000 : 0, token: 1)
        }
        #expect(runs == 1)
        let again = wheel.next(dueBy: 91_000)
        #expect(again == 1)
    }

    @Test("timers of one tick come in the order they were armed")
    func order() {
        var wheel = TimerWheel(nowUs: 0)
        for token in 0..<10 as Range<UInt64> { _ = wheel.schedule(atUs: 5_000, token: token) }
        for token in 0..<10 as Range<UInt64> {
            let next = wheel.next(dueBy: 5_000)
            #expect(next == token)
        }
    }

    @Test("names of fired, cancelled and never armed timers are harmless")
    func staleNames() {
        var wheel = TimerWheel(nowUs: 0, capacity: 1)
        let none = wheel.cancel(.none)
        #expect(!none)
        let first = wheel.schedule(atUs: 1_000, token: 1)
        let cancelled = (wheel.cancel(first), wheel.cancel(first))
        #expect(cancelled == (true, false))
        let second = wheel.schedule(atUs: 1_000, token: 2)
        #expect(second != first)
        let stale = wheel.cancel(first)
        #expect(!stale && wheel.count == 1)
        let fired = wheel.next(dueBy: 1_000)
        #expect(fired == 2)
        let late = wheel.cancel(second)
        #expect(!late && wheel.count == 0 && wheel.nextDeadlineUs == nil)
    }

    @Test("a timer can be cancelled while its own tick is being drained")
    func cancelWhileDraining() {
        var wheel = TimerWheel(nowUs: 0)
        _ = wheel.schedule(atUs: 4_000, token: 1)
        let second = wheel.schedule(atUs: 4_000, token: 2)
        _ = wheel.schedule(atUs: 4_000, token: 3)
        let first = wheel.next(dueBy: 9_000)
        let cancelled = wheel.cancel(second)
        let third = wheel.next(dueBy: 9_000)
        let end = wheel.next(dueBy: 9_000)
        #expect(first == 1 && cancelled && third == 3 && end == nil)
    }

    @Test("a clock that steps back, and times at the end of the number range, do no harm")
    func extremes() {
        var wheel = TimerWheel(nowUs: 1_000_000)
        _ = wheel.schedule(atUs: .max, token: 1)
        let early = wheel.next(dueBy: 0)
        #expect(early == nil && wheel.count == 1)
        let late = wheel.next(dueBy: .max)
        #expect(late == nil)
        _ = wheel.schedule(atUs: 0, token: 2)
        #expect(wheel.count == 2 && wheel.nextDeadlineUs != nil)
    }

    @Test("the wheel agrees with a list of deadlines through random use", arguments: 0..<40 as Range<UInt64>)
    func model(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        var nowUs = UInt64.random(in: 0...(1 << 45), using: &generator)
        var wheel = TimerWheel(nowUs: nowUs, capacity: 4)
        var armed: [UInt64: (id: TimerID, atUs: UInt64)] = [:]
        var nextToken: UInt64 = 0
        for _ in 0..<2_000 {
            switch Int.random(in: 0..<10, using: &generator) {
            case 0..<5:
                let scale = UInt64.random(in: 0...38, using: &generator)
                let atUs = nowUs + UInt64.random(in: 0...(1 << scale), using: &generator)
                armed[nextToken] = (wheel.schedule(atUs: atUs, token: nextToken), atUs)
                nextToken += 1
            case 5..<7:
                guard let token = armed.keys.min(), let timer = armed.removeValue(forKey: token) else {
                    continue
                }
                let cancelled = wheel.cancel(timer.id)
                #expect(cancelled, "seed \(seed)")
            default:
                let scale = UInt64.random(in: 0...34, using: &generator)
                nowUs += UInt64.random(in: 0...(1 << scale), using: &generator)
                while let token = wheel.next(dueBy: nowUs) {
                    let timer = armed.removeValue(forKey: token)
                    #expect(timer != nil && timer!.atUs <= nowUs, "seed \(seed): early or unknown")
                }
                let overdue = armed.values.contains { $0.atUs + 1000 <= nowUs }
                #expect(!overdue, "seed \(seed): more than a tick late")
            }
            #expect(wheel.count == armed.count, "seed \(seed)")
            let earliest = armed.values.map(\.atUs).min()
            #expect((wheel.nextDeadlineUs == nil) == (earliest == nil), "seed \(seed)")
            if let earliest, let announced = wheel.nextDeadlineUs {
                #expect(announced < max(earliest, nowUs) + 2_000, "seed \(seed): would oversleep")
            }
        }
    }
}
