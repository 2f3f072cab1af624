// RO:WHAT  The loop over a map's keys, and the descriptions it is driven by.
import Testing

@testable import DhtLoop

@Suite("WireMap")
struct WireMapTests {
    private static let map = WireMap<Character>([.must("a", "A"), .may("bb", "B"), .must("c", "C")])

    /// What is taken of a map, in order, and whether that is complete.
    private func read(_ hex: String) throws -> (taken: String, isComplete: Bool) {
        let bytes = try #require(Hex.bytes(hex))
        return try bytes.withUnsafeBytes { raw in
            var (reader, taken) = (CborReader(raw), "")
            let seen = try Self.map.read(try reader.mapHead(), &reader) { (value, reader) throws(WireError) in
                taken += "\(value)\(try reader.uint())"
            }
            #expect(reader.isAtEnd)
            return (taken, Self.map.isComplete(seen))
        }
    }

    @Test(
        "keys are taken in any order, unknown ones are passed over, and what must be there is told",
        arguments: [
            ("a3616101626262026163 03", "A1B2C3", true), ("a361630362626202616101", "C3B2A1", true),
            ("a2616303616101", "C3A1", true), ("a2616101626262 02", "A1B2", false), ("a0", "", false),
            ("a3617881617961610161630 3", "A1C3", true), ("a1626161 05", "", false),
        ] as [(String, String, Bool)])
    func reads(hex: String, taken: String, isComplete: Bool) throws {
        let result = try read(hex.filter { $0 != " " })
        #expect(result.taken == taken && result.isComplete == isComplete)
    }

    @Test(
        "a known key twice is refused, an unknown one is not",
        arguments: ["a2616101616101", "a3616101616303616104", "a36163 0362626202616303"])
    func repeats(hex: String) throws {
        #expect(throws: WireError.repeatedKey) { try read(hex.filter { $0 != " " }) }
        #expect(try read("a2617801617802").taken == "")
    }

    @Test("no description names a key twice, and no two messages have one name")
    func descriptions() {
        let maps =
            MessageDescription.all.map(\.body) + [MessageDescription.record, MessageDescription.refusal]
        for keys in maps.map({ $0.fields.map(\.key.description) }) { #expect(Set(keys).count == keys.count) }
        let names = MessageDescription.all.map(\.name.description)
        #expect(Set(names).count == names.count)
    }

    @Test("no two keys of a map go to the same place")
    func places() {
        let maps =
            MessageDescription.all.map(\.body) + [MessageDescription.record, MessageDescription.refusal]
        for values in maps.map({ $0.fields.map(\.value) }) { #expect(Set(values).count == values.count) }
        let envelope = EnvelopeField.all.fields.map(\.value)
        #expect(Set(envelope).count == envelope.count)
    }
}
