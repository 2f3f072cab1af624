// RO:WHAT  RttEstimator: the numbers of RFC 6298, its floor and ceiling; RecentRtts: the ninth of ten.
import Testing

@testable import DhtLoop

@Suite("RttEstimator")
struct RttEstimatorTests {
    @Test("the first sample sets SRTT and half of it as the variation")
    func firstSample() {
        var rtt = RttEstimator()
        rtt.observe(40_000)
        #expect(rtt.smoothedUs == 40_000 && rtt.deviationUs == 20_000)
        #expect(rtt.timeoutUs(ceilingUs: 2_000_000) == 120_000)
    }

    @Test("a steady peer's time-out shrinks to the floor or to its round trip")
    func steady() {
        var near = RttEstimator()
        var far = RttEstimator()
        for _ in 0..<200 {
            near.observe(100)
            far.observe(80_000)
        }
        #expect(near.timeoutUs(ceilingUs: 2_000_000) == RttEstimator.floorUs)
        #expect((78_000...90_000).contains(far.timeoutUs(ceilingUs: 2_000_000)))
    }

    @Test("an unmeasured peer gets the initial wait, and nobody more than the ceiling")
    func bounds() {
        var rtt = RttEstimator()
        #expect(rtt.timeoutUs(ceilingUs: 2_000_000) == RttEstimator.initialUs)
        #expect(rtt.timeoutUs(ceilingUs: 100_000) == 100_000)
        rtt.observe(UInt64.max)
        #expect(rtt.timeoutUs(ceilingUs: 2_000_000) == 2_000_000)
    }

    @Test("a peer is overdue after SRTT + 2 RTTVAR, before its time-out, and not at once when it is near")
    func overdue() {
        var rtt = RttEstimator()
        #expect(rtt.overdueUs == RttEstimator.initialUs / 2)
        rtt.observe(40_000)
        #expect(rtt.overdueUs == 80_000)
        #expect(rtt.overdueUs < rtt.timeoutUs(ceilingUs: 2_000_000))
        var near = RttEstimator()
        for _ in 0..<100 { near.observe(10) }
        #expect(near.overdueUs == RttEstimator.overdueFloorUs)
    }

    @Test("about one answer in twenty is overdue, whatever the spread", arguments: 1...8)
    func overdueShare(seed: Int) {
        var generator = SeededGenerator(seed: UInt64(seed))
        let spread = UInt64.random(in: 5_000...40_000, using: &generator)
        var rtt = RttEstimator()
        var late = 0
        for _ in 0..<4_000 {
            // The sum of six is close to normal.
            let sample =
                50_000 + (0..<6).reduce(0) { sum, _ in sum + .random(in: 0...spread, using: &generator) }
            if sample > rtt.overdueUs { late += 1 }
            rtt.observe(sample)
        }
        #expect((80...400).contains(late), "seed \(seed): \(late) of 4000")
    }
}

@Suite("RecentRtts")
struct RecentRttsTests {
    @Test("too few round trips tell nothing: half the initial wait, and the whole, with the ceiling")
    func unknown() {
        var recent = RecentRtts()
        for _ in 0..<7 { recent.observe(1_000) }
        #expect(recent.ninthUs == nil && recent.overdueUs == RttEstimator.initialUs / 2)
        #expect(recent.timeoutUs(ceilingUs: 2_000_000) == RttEstimator.initialUs)
        #expect(recent.timeoutUs(ceilingUs: 100_000) == 100_000)
    }

    @Test("nine of ten took no longer, and a few stragglers do not move it")
    func ninth() {
        var recent = RecentRtts()
        for sample in UInt64(1)...32 { recent.observe(sample * 10_000) }
        #expect(recent.ninthUs == 290_000 && recent.overdueUs == 290_000)
        #expect(recent.timeoutUs(ceilingUs: 2_000_000) == 580_000)
        for index in 0..<64 { recent.observe(index % 16 == 0 ? 2_000_000 : 60_000) }
        #expect(recent.ninthUs == 60_000 && recent.timeoutUs(ceilingUs: 2_000_000) == 120_000)
    }

    @Test("only the last thirty-two count")
    func window() {
        var recent = RecentRtts()
        for _ in 0..<40 { recent.observe(900_000) }
        for _ in 0..<31 { recent.observe(200_000) }
        #expect(recent.ninthUs == 200_000)
        recent.observe(200_000)
        #expect(recent.ninthUs == 200_000)
    }

    @Test("a quick network and an odd sample stay within the floors and what a word holds")
    func bounds() {
        var quick = RecentRtts()
        var odd = RecentRtts()
        for _ in 0..<20 {
            quick.observe(0)
            odd.observe(.max)
        }
        #expect(quick.overdueUs == RttEstimator.overdueFloorUs)
        #expect(quick.timeoutUs(ceilingUs: 2_000_000) == 5 * RttEstimator.floorUs)
        #expect(odd.ninthUs == UInt64(UInt32.max) && odd.timeoutUs(ceilingUs: 2_000_000) == 2_000_000)
    }

    @Test("the ninth of ten is that of a sort, after each sample", arguments: 1...5)
    func model(seed: Int) {
        var generator = SeededGenerator(seed: UInt64(seed))
        var recent = RecentRtts()
        var samples: [UInt64] = []
        for _ in 0..<300 {
            samples.append(.random(in: 1...500_000, using: &generator))
            recent.observe(samples.last!)
            let window = samples.suffix(32).sorted()
            let slower = window.count { $0 > recent.ninthUs ?? 0 }
            #expect(window.count < 8 || slower * 10 <= window.count, "seed \(seed)")
            #expect(recent.ninthUs.map { window.contains($0) } ?? (window.count < 8), "seed \(seed)")
        }
    }
}
