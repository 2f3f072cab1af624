// RO:WHAT  RttEstimator: the numbers of RFC 6298, its floor and ceiling.
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
}
