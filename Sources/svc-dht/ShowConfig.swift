// RO:WHAT  `svc-dht config`: the configuration that `svc-dht run` would have, and where each value comes from.
// RO:WHY   With flags, environment, a file, fallbacks and clamps, nobody should have to guess.

import ArgumentParser
import DhtLoop
import Glibc
import SettingOptions

struct ShowConfig: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "config",
        abstract: "Print the effective configuration, and where each value comes from.",
        discussion: "Takes the options of run. Clamped values say what was asked for.")

    @OptionGroup var options: SettingOptions<NodeSettings>
    @Flag(help: "Print JSON: an object for each setting.")
    var json = false
    @Flag(help: "Print the settings of svc-dht and svc-overlay as they are declared, as Markdown.")
    var table = false

    func run() throws {
        if table { return printDeclarations() }
        let config = try ConfigSource(options).readOrFail()
        if json { return Console.write(config.settings.json) }
        let width = config.settings.map(\.name.count).max() ?? 0
        let valueWidth = min(32, config.settings.map(\.value.count).max() ?? 0)
        for setting in config.settings {
            var line = padded(setting.name, width) + "  " + padded(setting.value, valueWidth)
            line += "  " + setting.source.description
            if let asked = setting.clampedFrom { line += ", clamped from \(asked)" }
            Console.line(line)
        }
    }

    private func printDeclarations() {
        Console.line("### svc-dht\n\n" + NodeSettings.markdown)
        Console.line("\n### svc-overlay\n\n" + OverlaySettings.markdown)
    }
}

extension SettingList {
    /// The declarations as a table, a row each. `SVC_DHT_<X>`, which every `RON_DHT_<X>` has, is left out.
    fileprivate static var markdown: String {
        let head = """
            | variable | option | default | accepts | live | meaning |
            | --- | --- | --- | --- | --- | --- |
            """
        return facts.reduce(head) { table, setting in
            let others = setting.fallbacks.filter { !$0.hasPrefix("SVC_DHT_") }
            let cells = [
                ([setting.name] + others).map { "`\($0)`" }.joined(separator: ", "),
                "`--\(setting.flag)`", setting.initial ?? "", setting.accepts,
                setting.isLive ? "yes" : "", setting.meaning,
            ]
            return table + "\n| " + cells.map(escaped).joined(separator: " | ") + " |"
        }
    }

    /// A cell's text, in which `<` begins no tag and `|` ends no cell.
    private static func escaped(_ cell: String) -> String {
        cell.reduce(into: "") { text, character in
            if character == "<" || character == "|" { text.append("\\") }
            text.append(character)
        }
    }
}

/// `text` with spaces behind it, at least `width` characters.
func padded(_ text: String, _ width: Int) -> String {
    text + String(repeating: " ", count: max(0, width - text.count))
}
