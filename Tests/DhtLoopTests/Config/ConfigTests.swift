// RO:WHAT  Config: defaults, both clamps, garbage, precedence and fallbacks of every setting.
import Logging
import Testing

@testable import DhtLoop

@Suite("Config")
struct ConfigTests {
    @Test("an empty environment gives the documented defaults")
    func defaults() throws {
        let config = try Config(environment: [:])
        #expect(config.bootstrap == ["127.0.0.1:9700"])
        #expect(config.embedOverlay == nil && config.advertise == nil && config.nodeID == nil)
        #expect([config.k, config.alpha, config.beta, config.diversity] == [20, 3, 1, 25])
        #expect(config.recursion == 2)
        #expect([config.timeoutMs, config.deadlineMs] == [2000, 5000])
        #expect([config.replica, config.ttlSeconds, config.republishSeconds] == [3, 86_400, 43_200])
        #expect([config.maxValueBytes, config.memoryBytes] == [65_536, 268_435_456])
        #expect([config.txWatermark, config.readyPeers, config.readyEntries] == [96, 1, 20])
        #expect(config.adminAddress == "127.0.0.1:5301")
        #expect(config.network == 0 && !config.amnesia && config.fastOpen == .cookie)
        #expect(config.log.level == .info && config.log.format == .json)
        #expect(config.drainMs == 5000 && config.canarySeconds == 0 && config.adminTokenFile == nil)
        #expect(config.warnings.isEmpty)
        #expect(config.settings.allSatisfy { $0.source == .default && $0.clampedFrom == nil })
    }

    /// Name, text under the range and what it becomes, text over the range and what it becomes.
    static let clamps: [(String, String, Int, String, Int)] = [
        ("RON_DHT_K", "0", 1, "65", 64),
        ("RON_DHT_ALPHA", "0", 1, "17", 16),
        ("RON_DHT_BETA", "-1", 0, "4", 3),
        ("RON_DHT_RECURSION", "-1", 0, "4", 3),
        ("RON_DHT_DIVERSITY", "-1", 0, "101", 100),
        ("RON_DHT_TIMEOUT_MS", "99", 100, "30001", 30_000),
        ("RON_DHT_DEADLINE_MS", "99", 100, "120001", 120_000),
        ("RON_DHT_REPLICA", "0", 1, "21", 20),
        ("RON_DHT_TTL_SECS", "0", 1, "604801", 604_800),
        ("RON_DHT_REPUBLISH_SECS", "0", 1, "604801", 604_800),
        ("RON_DHT_MAX_VALUE", "0", 1, "983041", 983_040),
        ("RON_DHT_MEM_MAX", "1", 16 << 20, "99999999999999999999999", .max),
        ("RON_DHT_PEER_RPS", "-1", 0, "10000001", 10_000_000),
        ("RON_DHT_GLOBAL_RPS", "-1", 0, "10000001", 10_000_000),
        ("RON_DHT_TX_WATERMARK", "0", 1, "128", 127),
        ("RON_DHT_READY_PEERS", "-7", 0, "65", 64),
        ("RON_DHT_READY_ENTRIES", "-1", 0, "21", 20),
        ("RON_DHT_CANARY_SECS", "1", 5, "3601", 3600),
        ("RON_DHT_NET", "-99999999999999999999999", 0, "9223372036854775808", .max),
        ("RON_DHT_DRAIN_MS", "-1", 0, "60001", 60_000),
    ]

    @Test("an out-of-range number is clamped with a warning that names it", arguments: clamps)
    func clamped(name: String, low: String, least: Int, high: String, most: Int) throws {
        for (text, expected) in [(low, least), (high, most)] {
            let config = try Config(environment: [name: text])
            let setting = try #require(config.settings.first { $0.name == name })
            #expect(setting.value == String(expected))
            #expect(setting.clampedFrom == text)
            #expect(config.warnings == ["\(name)=\(text) is out of range, using \(expected)"])
        }
    }

    @Test("every declared integer is among the clamped ones")
    func clampsAreComplete() {
        let integers = NodeSettings.declarations.filter { $0 is Setting<Int> }
        #expect(Set(integers.map(\.facts.name)) == Set(Self.clamps.map(\.0)))
    }

    @Test("a value that does not parse names its variable and what it accepts", arguments: NodeSettings.facts)
    func garbage(setting: SettingFacts) {
        // Any text is a path.
        if setting.accepts == "a path" { return }
        let text = setting.name == NodeSettings.all.bootstrap.name ? "host:port" : "no such value"
        for name in [setting.name] + setting.fallbacks {
            let error = #expect(throws: ConfigError.self) { try Config(environment: [name: text]) }
            #expect(error?.name == name)
            #expect(error?.value == text)
            #expect(error?.accepts.isEmpty == false)
        }
        let error = #expect(throws: ConfigError.self) {
            try Config(flags: [setting.name: text], environment: [:])
        }
        #expect(error?.name == "--\(setting.flag)")
    }

    @Test(
        "a setting that can be off takes 0 for that, and less than 0 with a warning", arguments: ["0", "-1"])
    func off(text: String) throws {
        let config = try Config(environment: ["RON_DHT_CANARY_SECS": text])
        #expect(config.canarySeconds == 0 && config.warnings.count == (text == "0" ? 0 : 1))
    }

    @Test("fast open is off, with a cookie, or always", arguments: FastOpen.allCases)
    func fastOpen(_ choice: FastOpen) throws {
        let text = choice.rawValue.uppercased()
        #expect(try Config(environment: ["RON_DHT_FAST_OPEN": text]).fastOpen == choice)
        #expect(try OverlayConfig(environment: ["RON_OVERLAY_FAST_OPEN": text]).fastOpen == choice)
    }

    @Test("an error reads as a sentence")
    func errorText() {
        let error = #expect(throws: ConfigError.self) { try Config(environment: ["RON_DHT_K": "many"]) }
        #expect(error?.description == "RON_DHT_K: \"many\" is not a whole number from 1 to 64")
    }

    @Test("a flag wins over the environment, that over fallbacks, and an empty variable is unset")
    func precedence() throws {
        var environment = ["RON_DHT_K": "7", "DHT_K": "8", "SVC_DHT_K": "9"]
        func k(flags: [String: String] = [:]) throws -> EffectiveSetting? {
            try Config(flags: flags, environment: environment).settings.first { $0.name == "RON_DHT_K" }
        }
        #expect(try k(flags: ["RON_DHT_K": "6"])?.source == .flag("k"))
        #expect(try k()?.source == .environment)
        environment["RON_DHT_K"] = " "
        #expect(try k()?.source == .fallback("DHT_K"))
        environment["DHT_K"] = nil
        #expect(try k()?.source == .fallback("SVC_DHT_K"))
        #expect(try k()?.value == "9")
        environment["SVC_DHT_K"] = ""
        #expect(try k()?.source == .default)
    }

    @Test(
        "names in circulation are honoured",
        arguments: [
            ("DHT_ADMIN_BIND", "127.0.0.1:1", "RON_DHT_ADMIN_ADDR"),
            ("RON_DHT_ADDR", "127.0.0.1:2", "RON_DHT_ADMIN_ADDR"),
            ("DHT_ALPHA", "2", "RON_DHT_ALPHA"), ("DHT_BETA", "2", "RON_DHT_BETA"),
            ("DHT_K", "9", "RON_DHT_K"), ("DHT_SEEDS", "h:1", "RON_DHT_BOOTSTRAP"),
            ("RON_DHT_SEEDS", "h:2", "RON_DHT_BOOTSTRAP"), ("RON_AMNESIA", "1", "RON_AMNESIA"),
        ])
    func fallbacks(variable: String, text: String, setting: String) throws {
        let config = try Config(environment: [variable: text])
        #expect(config.settings.first { $0.name == setting }?.value == text)
    }

    @Test("a smaller K lowers what hangs on it, without a warning for defaults")
    func dependentBounds() throws {
        let config = try Config(environment: ["RON_DHT_K": "2"])
        #expect([config.alpha, config.beta, config.replica, config.readyEntries] == [2, 1, 2, 2])
        #expect(config.warnings.isEmpty)
        let asked = try Config(environment: ["RON_DHT_K": "2", "RON_DHT_REPLICA": "3"])
        #expect(asked.warnings == ["RON_DHT_REPLICA=3 is out of range, using 2"])
    }

    @Test("the bootstrap list takes names, addresses and v6, and is cut at 64 with a warning")
    func bootstrapList() throws {
        let text = " a.example:1, 10.0.0.1:65535 ,[::1]:9700,"
        #expect(
            try Config(environment: ["RON_DHT_BOOTSTRAP": text]).bootstrap
                == ["a.example:1", "10.0.0.1:65535", "[::1]:9700"])
        let many = (1...65).map { "h:\($0)" }.joined(separator: ",")
        let config = try Config(environment: ["RON_DHT_BOOTSTRAP": many])
        #expect(config.bootstrap.count == 64 && config.warnings.count == 1)
        #expect(try Config(environment: ["RON_DHT_BOOTSTRAP": "none"]).bootstrap == [])
    }

    @Test("a node with its own switch and no bootstrap list dials nobody")
    func embeddedFirstNode() throws {
        let alone = try Config(environment: ["RON_DHT_EMBED_OVERLAY": "127.0.0.1:0"])
        #expect(alone.bootstrap == [] && alone.embedOverlay == "127.0.0.1:0")
        let joining = try Config(
            flags: ["RON_DHT_EMBED_OVERLAY": "127.0.0.1:0", "RON_DHT_BOOTSTRAP": "h:1"], environment: [:])
        #expect(joining.bootstrap == ["h:1"])
    }

    @Test("logical peer ids are looked up in the peers file")
    func peersFile() throws {
        let environment = ["RON_DHT_BOOTSTRAP": "alice,h:1,bob", "RON_DHT_PEERS_FILE": "/peers"]
        let content =
            "# peers\nalice 10.0.0.1:9700\nbob [::1]:9 # near\nbob h:2\nbroken line here\ncarol h:0\n"
        let config = try Config(environment: environment) { $0 == "/peers" ? content : nil }
        #expect(config.bootstrap == ["10.0.0.1:9700", "h:1", "[::1]:9"])
        let stranger = #expect(throws: ConfigError.self) { try Config(environment: environment) { _ in "" } }
        #expect(stranger?.value == "alice")
        let unread = #expect(throws: ConfigError.self) { try Config(environment: environment) }
        #expect(unread?.description == "RON_DHT_PEERS_FILE: \"/peers\" is not a file that can be read")
    }

    @Test("levels and formats are words of any case", arguments: [("WARN", "Text"), ("warning", "text")])
    func words(level: String, format: String) throws {
        let config = try Config(environment: ["RON_DHT_LOG": level, "RON_DHT_LOG_FORMAT": format])
        #expect(config.log == LogConfig(level: .warning, format: .text))
    }

    @Test("a listener may ask for port 0, an endpoint may not")
    func portZero() throws {
        #expect(try Config(environment: ["RON_DHT_ADMIN_ADDR": "[::1]:0"]).adminAddress == "[::1]:0")
        #expect(throws: ConfigError.self) { try Config(environment: ["RON_DHT_ADVERTISE": "h:0"]) }
    }
}

@Suite("OverlayConfig")
struct OverlayConfigTests {
    @Test("an empty environment gives the documented defaults")
    func defaults() throws {
        let config = try OverlayConfig(environment: [:])
        #expect(config.listenAddress == "127.0.0.1:9700" && config.adminAddress == "127.0.0.1:9600")
        #expect([config.maxConnections, config.txWatermark, config.handshakeMs] == [1024, 96, 2000])
        #expect(config.fastOpen == .cookie)
    }

    @Test(
        "numbers are clamped at both ends",
        arguments: [
            ("SVC_OVERLAY_MAX_CONNS", "0", "1", "65537", "65536"),
            ("RON_OVERLAY_TX_WATERMARK", "0", "1", "128", "127"),
            ("RON_OVERLAY_HANDSHAKE_MS", "99", "100", "30001", "30000"),
        ])
    func clamped(name: String, low: String, least: String, high: String, most: String) throws {
        for (text, expected) in [(low, least), (high, most)] {
            let config = try OverlayConfig(environment: [name: text])
            #expect(config.settings.first { $0.name == name }?.value == expected)
            #expect(config.warnings.count == 1)
        }
    }

    @Test("a value that does not parse names its variable", arguments: OverlaySettings.facts)
    func garbage(setting: SettingFacts) {
        let error = #expect(throws: ConfigError.self) { try OverlayConfig(environment: [setting.name: "?"]) }
        #expect(error?.name == setting.name)
    }
}
