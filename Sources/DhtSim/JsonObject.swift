// RO:WHAT  JsonObject: one JSON object, its fields in the order they were added, numbers of fixed precision.
// RO:WHY   Two runs of one seed must give the same bytes; and Foundation stays out.

/// Text of a JSON object, built field by field.
struct JsonObject {
    private(set) var fields: [(name: String, value: String)] = []

    /// The object on one line.
    var text: String {
        "{" + fields.map { "\(Self.quoted($0.name)):\($0.value)" }.joined(separator: ",") + "}"
    }

    mutating func add(_ name: String, _ value: Int) { fields.append((name, String(value))) }

    /// A field for each number, in this order.
    mutating func add(_ values: KeyValuePairs<String, Int>) {
        for (name, value) in values { add(name, value) }
    }

    /// The same for numbers with this many decimals.
    mutating func add(_ values: KeyValuePairs<String, Double>, decimals: Int) {
        for (name, value) in values { add(name, value, decimals: decimals) }
    }

    mutating func add(_ name: String, _ value: UInt64) { fields.append((name, String(value))) }

    mutating func add(_ name: String, _ value: Bool) { fields.append((name, String(value))) }

    mutating func add(_ name: String, _ value: String) { fields.append((name, Self.quoted(value))) }

    /// `value` with this many decimals, 0...9.
    mutating func add(_ name: String, _ value: Double, decimals: Int) {
        fields.append((name, Self.fixed(value, decimals: decimals)))
    }

    mutating func add(_ name: String, _ value: JsonObject) { fields.append((name, value.text)) }

    mutating func add(_ name: String, _ values: [JsonObject]) {
        fields.append((name, "[" + values.map(\.text).joined(separator: ",") + "]"))
    }

    /// A number with fixed decimals, rounded half away from zero; `null` for what is no number.
    static func fixed(_ value: Double, decimals: Int) -> String {
        var scale = 1.0
        for _ in 0..<decimals { scale *= 10 }
        guard value.isFinite, abs(value) * scale < 0x1p62 else { return "null" }
        let whole = Int((abs(value) * scale).rounded())
        let sign = value < 0 && whole > 0 ? "-" : ""
        let divisor = Int(scale)
        let fraction = String(whole % divisor)
        let padding = String(repeating: "0", count: max(0, decimals - fraction.count))
        return decimals == 0 ? "\(sign)\(whole)" : "\(sign)\(whole / divisor).\(padding)\(fraction)"
    }

    private static func quoted(_ text: String) -> String {
        var result = "\""
        for character in text.unicodeScalars {
            switch character {
            case "\"", "\\": result += "\\" + String(character)
            case _ where character.value < 0x20: result += " "
            default: result.unicodeScalars.append(character)
            }
        }
        return result + "\""
    }
}
