// RO:WHAT  The configuration file, and what a second reading of the configuration changes.
import Testing

@testable import DhtLoop

@Suite("ConfigFile")
struct ConfigFileTests {
    /// A configuration from a file with `content`.
    private func config(
        _ content: String?, flags: [String: String] = [:], environment: [String: String] = [:]
    ) throws -> Config {
        let environment = environment.merging(["RON_DHT_CONFIG_FILE": "/dht.conf"]) { own, _ in own }
        return try Config(flags: flags, environment: environment) { $0 == "/dht.conf" ? content : nil }
    }

    @Test("a file sets what flags and environment leave open, its fallback names included")
    func precedence() throws {
        let content = "# a comment\n; another\n\nRON_DHT_K = 7\nDHT_ALPHA=2\nRON_DHT_LOG=\"debug\"\n"
        let config = try config(
            content, flags: ["RON_DHT_REPLICA": "4"], environment: ["RON_DHT_BETA": "0"])
        #expect([config.k, config.alpha, config.beta, config.replica] == [7, 2, 0, 4])
        #expect(config.log.level == .debug)
        func source(_ name: String) -> SettingSource? { config.settings.first { $0.name == name }?.source }
        #expect(source("RON_DHT_K") == .file && source("RON_DHT_ALPHA") == .fallback("DHT_ALPHA"))
        let over = try self.config("RON_DHT_K=7", environment: ["RON_DHT_K": "9"])
        #expect(over.k == 9)
    }

    @Test(
        "a line that sets nothing there is names its place",
        arguments: [
            "RON_DHT_KK=1", "RON_DHT_K", "=1", "export RON_DHT_K=1", "RON_DHT_CONFIG_FILE=/other",
            "SVC_DHT_CONFIG_FILE=/other",
        ])
    func badLine(line: String) {
        let error = #expect(throws: ConfigError.self) { try config("# first\n\(line)") }
        #expect(error?.name == "/dht.conf:2" && error?.value == line)
    }

    @Test("a file that cannot be read is an error, not an empty one")
    func missing() {
        let error = #expect(throws: ConfigError.self) { try config(nil) }
        #expect(error?.description == "RON_DHT_CONFIG_FILE: \"/dht.conf\" is not a file that can be read")
    }

    @Test("a second reading tells what changed, and what of it takes effect at once")
    func changes() throws {
        let before = try config("RON_DHT_LOG=info\nRON_DHT_K=20\n")
        let after = try config(
            "RON_DHT_BOOTSTRAP=h:1\nRON_DHT_LOG=debug\nRON_DHT_K=8\nRON_DHT_TX_WATERMARK=50\n")
        let changes = ConfigChange.between(before, after)
        #expect(
            changes == [
                ConfigChange(
                    name: "RON_DHT_BOOTSTRAP", before: "127.0.0.1:9700", after: "h:1", isLive: true),
                ConfigChange(name: "RON_DHT_K", before: "20", after: "8", isLive: false),
                ConfigChange(name: "RON_DHT_TX_WATERMARK", before: "96", after: "50", isLive: true),
                ConfigChange(name: "RON_DHT_READY_ENTRIES", before: "20", after: "8", isLive: true),
                ConfigChange(name: "RON_DHT_LOG", before: "info", after: "debug", isLive: true),
            ])
        #expect(ConfigChange.between(after, after).isEmpty)
    }
}
