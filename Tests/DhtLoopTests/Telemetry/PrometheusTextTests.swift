// RO:WHAT  PrometheusText: the text format, to the byte.
import Testing

@testable import DhtLoop

@Suite("PrometheusText")
struct PrometheusTextTests {
    private func page(_ body: (inout PrometheusText) -> Void) -> String {
        var page = PrometheusText()
        body(&page)
        return String(decoding: page.bytes, as: UTF8.self)
    }

    @Test("a counter is its help, its type and its value")
    func counter() {
        let text = page { $0.counter("a_total", "What a\ncounts \\ so.", UInt64.max) }
        #expect(
            text == """
                # HELP a_total What a\\ncounts \\\\ so.
                # TYPE a_total counter
                a_total 18446744073709551615

                """)
    }

    @Test("labelled series are there from the start, and a new one is added behind them")
    func labels() {
        var family = LabelledCounters(labels: "op", ["get"], "code", ["ok", "busy"])
        family["get", "busy"] += 2
        family["ping", "q\"\\\n"] = 1
        #expect(family["get", "busy"] == 2 && family["get", "none"] == 0)
        let text = page { $0.counters("r_total", "R.", family) }
        #expect(
            text == """
                # HELP r_total R.
                # TYPE r_total counter
                r_total{op="get",code="ok"} 0
                r_total{op="get",code="busy"} 2
                r_total{op="ping",code="q\\"\\\\\\n"} 1

                """)
    }

    @Test("buckets are cumulative and end in +Inf, which equals the count")
    func histogram() {
        var histogram = Histogram(bounds: [0.01, 1])
        for value in [0.0078125, 0.5, 0.5, 7] { histogram.observe(value) }
        let text = page { $0.histogram("h_seconds", "H.", histogram) }
        #expect(
            text == """
                # HELP h_seconds H.
                # TYPE h_seconds histogram
                h_seconds_bucket{le="0.01"} 1
                h_seconds_bucket{le="1"} 3
                h_seconds_bucket{le="+Inf"} 4
                h_seconds_sum 8.0078125
                h_seconds_count 4

                """)
    }

    @Test("gauges may be below zero or no number")
    func gauges() {
        #expect(page { $0.gauge("g", "G.", -3) }.hasSuffix("g -3\n"))
        #expect(page { $0.gauge("g", "G.", Double.nan) }.hasSuffix("g NaN\n"))
        #expect(page { $0.gauge("g", "G.", -Double.infinity) }.hasSuffix("g -Inf\n"))
        #expect(page { $0.gauge("g", "G.", 1.5) }.hasSuffix("g 1.5\n"))
    }
}
