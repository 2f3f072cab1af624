// RO:WHAT  Backoff: its ceiling grows, stops at a minute, and starts over.
import Testing

@testable import DhtLoop

@Suite("Backoff")
struct BackoffTests {
    @Test("delays fill 0 to the ceiling, which doubles up to a minute", arguments: 0..<10 as Range<UInt64>)
    func ceiling(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        var longest = [UInt64](repeating: 0, count: 80)
        for _ in 0..<200 {
            var backoff = Backoff()
            for attempt in longest.indices {
                let delayUs = backoff.nextDelayUs(using: &generator)
                #expect(delayUs <= min(60_000_000, 200_000 << UInt64(min(attempt, 20))), "seed \(seed)")
                longest[attempt] = max(longest[attempt], delayUs)
            }
        }
        #expect(longest[0] > 150_000 && longest[79] > 50_000_000, "seed \(seed): jitter is full")
    }

    @Test("a success starts it over")
    func reset() {
        var generator = SeededGenerator(seed: 1)
        var backoff = Backoff()
        for _ in 0..<20 { _ = backoff.nextDelayUs(using: &generator) }
        backoff.reset()
        let delayUs = backoff.nextDelayUs(using: &generator)
        #expect(delayUs <= Backoff.baseUs)
    }
}
