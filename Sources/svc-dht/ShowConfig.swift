// RO:WHAT  `svc-dht config`: the configuration that `svc-dht run` would have, and where each value comes from.
// RO:WHY   With flags, environment, a file, fallbacks and clamps, nobody should have to guess.

import ArgumentParser
import DhtLoop
import Glibc

struct ShowConfig: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "config",
        abstract: "Print the effective configuration, and where each value comes from.",
        discussion: "Takes the options of run. Clamped values say what was asked for.")

    @OptionGroup var options: NodeOptions
    @Flag(help: "Print JSON: an object for each setting.")
    var json = false

    func run() throws {
        let config = try options.source.readOrFail()
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
}

/// `text` with spaces behind it, at least `width` characters.
func padded(_ text: String, _ width: Int) -> String {
    text + String(repeating: " ", count: max(0, width - text.count))
}
