// RO:WHAT  Declarations: each has a name, a default in its range, a reading of what it writes, and a place in the docs.
import Testing

@testable import DhtLoop

@Suite("Setting")
struct SettingTests {
    /// The lists, each with what reads it.
    private static let lists: [[SettingFacts]] = [NodeSettings.facts, OverlaySettings.facts]

    @Test("names and options of a program are unique, and each is explained")
    func uniqueNames() {
        for facts in Self.lists {
            let names = facts.flatMap { [$0.name] + $0.fallbacks }
            #expect(Set(names).count == names.count)
            #expect(Set(facts.map(\.flag)).count == facts.count)
            #expect(facts.allSatisfy { !$0.meaning.isEmpty && !$0.accepts.isEmpty })
        }
    }

    @Test("every property of a list is a declaration")
    func nothingElse() {
        #expect(NodeSettings.facts.count == Mirror(reflecting: NodeSettings.all).children.count)
        #expect(OverlaySettings.facts.count == Mirror(reflecting: OverlaySettings.all).children.count)
    }

    @Test("a default that is given is taken as it is, without a warning", arguments: NodeSettings.facts)
    func defaultsParse(setting: SettingFacts) throws {
        let value = try Config(environment: [:]).settings.first { $0.name == setting.name }?.value ?? ""
        guard !value.isEmpty else { return }
        let config = try Config(environment: [setting.name: value])
        let row = try #require(config.settings.first { $0.name == setting.name })
        #expect(row.value == value && row.source == .environment && config.warnings.isEmpty)
    }

    @Test("a default that is given to the switch is taken as it is", arguments: OverlaySettings.facts)
    func overlayDefaultsParse(setting: SettingFacts) throws {
        let value = try #require(setting.initial)
        let config = try OverlayConfig(environment: [setting.name: value])
        let row = try #require(config.settings.first { $0.name == setting.name })
        #expect(row.value == value && row.source == .environment && config.warnings.isEmpty)
    }

    @Test("an option's name is the variable's without its prefix")
    func flags() {
        #expect(NodeSettings.all.ttlSeconds.flag == "ttl-secs" && NodeSettings.all.amnesia.flag == "amnesia")
        #expect(OverlaySettings.all.handshakeMs.flag == "handshake-ms")
        #expect(OverlaySettings.all.listenAddress.flag == "listen-addr")
    }

    @Test("help says meaning, variable, default, what is accepted, and what SIGHUP changes")
    func help() {
        func help(_ setting: some DeclaredSetting) -> String { setting.facts.help }
        let all = NodeSettings.all
        #expect(
            help(all.alpha)
                == "Lookup parallelism. (RON_DHT_ALPHA; default 3; from 1 to 16 or RON_DHT_K)")
        #expect(
            help(all.readyEntries)
                == "Routing table entries that make the node ready. (RON_DHT_READY_ENTRIES; "
                + "default that of RON_DHT_K; from 0 to RON_DHT_K; SIGHUP changes it)")
        #expect(help(all.memoryBytes).hasSuffix("default 268435456; from 16777216 to no limit)"))
        #expect(help(all.canarySeconds).contains("; 0 for off, or from 5 to 3600;"))
        #expect(help(all.fastOpen).hasSuffix("default cookie; one of off, cookie, always)"))
        #expect(help(all.embedOverlay).hasSuffix("(RON_DHT_EMBED_OVERLAY; host:port)"))
    }

    @Test("the node and the daemon have the same defaults, but for rates")
    func nodeDefaults() throws {
        let daemon = try NodeConfig(Config(environment: [:]))
        var node = NodeConfig(id: daemon.id)
        #expect((node.peerRequestsPerSecond, node.requestsPerSecond) == (0, 0))
        node.peerRequestsPerSecond = daemon.peerRequestsPerSecond
        node.requestsPerSecond = daemon.requestsPerSecond
        #expect("\(node)" == "\(daemon)")
    }

    @Test("docs/OPERATIONS.md has a row for each setting", arguments: lists.joined())
    func documented(setting: SettingFacts) throws {
        let path = #filePath.split(separator: "/").dropLast(4).joined(separator: "/")
        let text = try #require(FileContent.text("/\(path)/docs/OPERATIONS.md"))
        let row = text.split(separator: "\n").first {
            $0.hasPrefix("| `\(setting.name)`") && $0.contains("`--")
        }
        let cells = try #require(row, "settings.py writes it").filter { $0 != "\\" }.split(
            separator: "|")
        #expect(cells.contains(" `--\(setting.flag)` ") && cells.contains(" \(setting.meaning) "))
    }
}
