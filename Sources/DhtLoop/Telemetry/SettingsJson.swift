// RO:WHAT  A configuration as JSON, for `svc-dht config --json`.
// RO:WHY   Scripts read which value is in force, and where it came from.
// RO:TEST  Tests/DhtLoopTests/Integration/CommandLineTests.swift

extension [EffectiveSetting] {
    /// A JSON array with a newline: name, value, source, and what was clamped.
    public var json: [UInt8] {
        var json = JsonWriter(capacity: 4096)
        json.beginArray()
        for setting in self {
            json.beginObject()
            json.field("name", setting.name)
            json.field("value", setting.value)
            json.field("source", setting.source.description)
            if let asked = setting.clampedFrom { json.field("clamped_from", asked) }
            json.endObject()
        }
        json.endArray()
        json.newline()
        return [UInt8](json.bytes)
    }
}
