// RO:WHAT  SettingOptions: the declared settings of a program as options of its command line.
// RO:WHY   An option is there because its setting is declared: name and help are the declaration's.
// RO:INVARIANTS  values stay text: the configuration alone knows what they may be, so that options and environment
//                get the same errors.
// RO:TEST  Tests/DhtLoopTests/Integration/CommandLineTests.swift

import ArgumentParser
import DhtLoop

/// An option group that holds an option for each setting of `List`.
///
/// The parser finds options by looking at the properties of a group through a mirror, so the mirror shows one property a
/// setting. Decoding then asks for the same ones.
public struct SettingOptions<List: SettingList>: ParsableArguments, CustomReflectable {
    /// What was given, by the name of the setting's variable.
    public private(set) var given: [String: String] = [:]

    public init() {}

    public init(from decoder: any Decoder) throws {
        let options = try decoder.container(keyedBy: OptionKey.self)
        for setting in List.facts {
            let key = OptionKey(stringValue: setting.flag)
            if setting.isSwitch {
                if try options.decode(Flag<Bool>.self, forKey: key).wrappedValue { given[setting.name] = "1" }
            } else {
                given[setting.name] = try options.decode(Option<String?>.self, forKey: key).wrappedValue
            }
        }
    }

    public var customMirror: Mirror {
        let options = List.facts.map { setting -> Mirror.Child in
            let (name, help) = (NameSpecification.customLong(setting.flag), ArgumentHelp(setting.help))
            return setting.isSwitch
                ? (setting.flag, Flag<Bool>(wrappedValue: false, name: name, help: help))
                : (setting.flag, Option<String?>(name: name, help: help))
        }
        return Mirror(self, children: options, displayStyle: .struct)
    }
}

/// A setting's option, under its own name.
private struct OptionKey: CodingKey {
    let stringValue: String
    var intValue: Int? { nil }

    init(stringValue: String) { self.stringValue = stringValue }
    init?(intValue: Int) { nil }
}
