// RO:WHAT  Histogram: which bucket takes a value, and the original's bounds.
import Testing

@testable import DhtLoop

@Suite("Histogram")
struct HistogramTests {
    @Test("a value on a bound belongs to that bound's bucket")
    func boundsAreInclusive() {
        var histogram = Histogram(bounds: [1, 2])
        for value in [0.5, 1, 1.5, 2, 2.5] { histogram.observe(value) }
        #expect(histogram.counts == [2, 2, 1])
        #expect(histogram.count == 5)
        #expect(histogram.sum == 7.5)
    }

    @Test("microseconds are counted as seconds")
    func microseconds() {
        var histogram = Histogram(bounds: [0.001, 0.002])
        histogram.observe(microseconds: 1500)
        #expect(histogram.counts == [0, 1, 0])
        #expect(histogram.sum == 0.0015)
    }

    @Test("the bounds that dashboards of the original query are among ours")
    func originalBounds() {
        #expect(Set([0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1]).isSubset(of: Histogram.latencyBounds))
        #expect(Set([1, 2, 3, 4, 5, 6]).isSubset(of: Histogram.hopBounds))
    }
}
