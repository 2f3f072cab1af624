// RO:WHAT  The pages of both services: every contracted name is there before anything happened.
import Testing

@testable import DhtLoop

@Suite("Metrics pages")
struct MetricsPageTests {
    static let build = BuildInfo(service: "svc-dht", version: "1.2.3", git: "abc", built: "unknown")

    private func families(_ render: (inout PrometheusText) -> Void) -> [String: String] {
        var page = PrometheusText()
        render(&page)
        var types: [String: String] = [:]
        for line in String(decoding: page.bytes, as: UTF8.self).split(separator: "\n") {
            let words = line.split(separator: " ")
            guard words.starts(with: ["#", "TYPE"]) else { continue }
            #expect(types.updateValue(String(words[3]), forKey: String(words[2])) == nil, "\(words[2]) twice")
        }
        return types
    }

    @Test("a node's page has every contracted family with its type")
    func node() {
        let types = families { DhtMetrics().render(into: &$0, build: Self.build) }
        let counters = [
            "dht_put_total", "dht_get_total", "dht_found_total", "dht_timeout_total", "dht_error_total",
            "dht_lookups_total", "dht_provides_total", "dht_rpcs_total", "dht_hedge_spawned_total",
            "dht_route_updates_total", "dht_rejected_total", "dht_tx_dropped_total",
            "dht_canary_total", "dht_records_taken_total", "dht_replicated_total", "dht_handed_over_total",
            "dht_passed_on_total", "dht_handed_back_total", "dht_republished_total", "dht_repairs_total",
            "dht_cached_total",
        ]
        let histograms = [
            "dht_get_latency_seconds", "dht_put_latency_seconds", "dht_lookup_latency_seconds",
            "dht_lookup_hops",
        ]
        let gauges = [
            "dht_routing_table_size", "dht_network_size_estimate", "dht_routing_network_entropy",
            "dht_active_sessions", "dht_pending_queries", "dht_records", "dht_publications",
            "dht_record_bytes", "dht_record_memory_bytes", "dht_record_memory_max_bytes",
            "dht_tx_queue_depth", "dht_ready", "dht_build_info",
        ]
        for name in counters { #expect(types[name] == "counter", "\(name)") }
        for name in histograms { #expect(types[name] == "histogram", "\(name)") }
        for name in gauges { #expect(types[name] == "gauge", "\(name)") }
        #expect(types.count == counters.count + histograms.count + gauges.count)
    }

    @Test("a switch's page has every contracted family with its type")
    func overlay() {
        let types = families { OverlayMetrics().render(into: &$0, build: Self.build) }
        #expect(
            types == [
                "overlay_sessions_active": "gauge", "overlay_accept_latency_seconds": "histogram",
                "overlay_conn_lifetime_seconds": "histogram", "overlay_handshake_fail_total": "counter",
                "overlay_peer_dropped_total": "counter", "overlay_peer_queue_depth": "gauge",
                "overlay_frames_total": "counter", "overlay_session_end_total": "counter",
                "overlay_build_info": "gauge",
            ])
    }

    @Test("the process's numbers are those of this process")
    func process() {
        let metrics = ProcessMetrics()
        #expect(metrics.residentBytes > 1 << 20 && metrics.virtualBytes > metrics.residentBytes)
        #expect(metrics.openDescriptors >= 3 && metrics.maxDescriptors >= metrics.openDescriptors)
        #expect(metrics.startSeconds > 1_600_000_000)
        #expect(metrics.cpuSeconds >= 0)
        #expect(families { metrics.render(into: &$0) }.count == 6)
    }

    @Test("labels are a few names with words of ours as values: no address, no key, no text of an error")
    func labelRule() throws {
        var page = PrometheusText()
        DhtMetrics(busyNode()).render(into: &page, build: Self.build)
        OverlayMetrics().render(into: &page, build: Self.build)
        ProcessMetrics().render(into: &page)
        let label = try Regex(#"([a-z]+)="([^"]*)""#, as: (Substring, Substring, Substring).self)
        var values: [Substring: Set<Substring>] = [:]
        for line in String(decoding: page.bytes, as: UTF8.self).split(separator: "\n") where line.first != "#"
        {
            for match in line.matches(of: label) {
                values[match.output.1, default: []].insert(match.output.2)
            }
        }
        #expect(
            Set(values.keys) == [
                "version", "git", "le", "op", "code", "kind", "action", "reason", "path", "outcome",
            ])
        let word = try Regex("[a-z][a-z_]*")
        for name in ["op", "code", "kind", "action", "reason", "path", "outcome"] as [Substring] {
            let bounded = values[name] ?? []
            #expect(bounded.count < 40, "\(name)")
            for value in bounded { #expect(value.wholeMatch(of: word) != nil, "\(name)=\(value)") }
        }
    }

    /// What a node counts after a peer said all sorts of things.
    private func busyNode() -> NodeStats {
        var node = DhtNode(
            config: NodeConfig(id: NodeID(1, 2, 3, 4)), endpoints: EndpointTable(), seed: 1, nowUs: 0)
        for byte in UInt8.min...UInt8.max {
            let payload = [byte, 0x61, byte, 0xFF]
            payload.withUnsafeBytes { node.receive($0, from: Link(endpoint: .none), nowUs: 1) }
        }
        #expect(node.stats.rejections.values.reduce(0, +) == 256)
        return node.stats
    }

    @Test("every series known beforehand carries a zero")
    func zeroSeries() {
        var page = PrometheusText()
        DhtMetrics().render(into: &page, build: Self.build)
        let text = String(decoding: page.bytes, as: UTF8.self)
        #expect(text.contains("dht_rejected_total{reason=\"own_echo\"} 0\n"))
        #expect(text.contains("dht_error_total{kind=\"unpublished\"} 0\n"))
        #expect(text.contains("dht_rpcs_total{op=\"find_node\",code=\"timeout\"} 0\n"))
        #expect(text.contains("dht_build_info{version=\"1.2.3\",git=\"abc\"} 1\n"))
    }
}
