// RO:WHAT  NodeTimers: which timer fires, and how chores are planned, hastened and called off.
import Testing

@testable import DhtLoop

@Suite("NodeTimers")
struct NodeTimersTests {
    private static let second: UInt64 = 1_000_000

    /// All timers that are due by then.
    private func due(_ timers: inout NodeTimers, by nowUs: UInt64) -> [DueTimer] {
        var found: [DueTimer] = []
        while let timer = timers.next(dueBy: nowUs) { found.append(timer) }
        return found
    }

    @Test("each timer says what it is for")
    func kinds() {
        var timers = NodeTimers(nowUs: 0)
        _ = timers.scheduleRpc(slot: 65_535, atUs: 1_000)
        _ = timers.scheduleOperation(slot: 7, atUs: 2_000)
        for (place, chore) in Chore.allCases.enumerated() {
            timers.plan(chore, atUs: UInt64(3_000 + 1_000 * place))
        }
        #expect(timers.count == 8 && timers.plannedChores == 6 && timers.nextDeadlineUs != nil)
        let expected: [DueTimer] =
            [.rpc(slot: 65_535), .operation(slot: 7)] + Chore.allCases.map { .chore($0) }
        let found = due(&timers, by: Self.second)
        #expect(found == expected)
        #expect(timers.count == 0 && timers.plannedChores == 0 && timers.nextDeadlineUs == nil)
    }

    @Test("a cancelled timer never fires")
    func cancel() {
        var timers = NodeTimers(nowUs: 0)
        let timer = timers.scheduleRpc(slot: 1, atUs: 1_000)
        timers.cancel(timer)
        timers.plan(.tend, atUs: 1_000)
        timers.callOff(.tend)
        let found = due(&timers, by: Self.second)
        #expect(found.isEmpty && timers.count == 0)
    }

    @Test("a chore holds one timer: planning it again moves it")
    func moves() {
        var timers = NodeTimers(nowUs: 0)
        timers.plan(.sweep, atUs: 5 * Self.second)
        timers.plan(.sweep, atUs: 9 * Self.second)
        #expect(timers.count == 1 && timers.dueUs(.sweep) == 9 * Self.second)
        let early = due(&timers, by: 6 * Self.second)
        let late = due(&timers, by: 10 * Self.second)
        #expect(early.isEmpty && late == [.chore(.sweep)] && !timers.isPlanned(.sweep))
    }

    @Test("planning a chore no later hastens it, and never puts it off")
    func noLater() {
        var timers = NodeTimers(nowUs: 0)
        timers.planNoLater(.tend, atUs: 5 * Self.second)
        timers.planNoLater(.tend, atUs: 7 * Self.second)
        #expect(timers.dueUs(.tend) == 5 * Self.second && timers.count == 1)
        timers.planNoLater(.tend, atUs: 2 * Self.second)
        #expect(timers.dueUs(.tend) == 2 * Self.second && timers.count == 1)
        let found = due(&timers, by: 3 * Self.second)
        #expect(found == [.chore(.tend)] && timers.dueUs(.tend) == nil)
    }
}
