// RO:WHAT  JsonValue: what is JSON, what is not, and what the writer wrote.
import Testing

@testable import DhtLoop

@Suite("JsonValue")
struct JsonValueTests {
    private func parse(_ text: String) -> JsonValue? { JsonValue(Array(text.utf8)) }

    @Test("values of every kind")
    func values() {
        let text = #" {"a": [1, -0.5, 2e3, 0], "b": {"c": null, "d": true, "e": false}, "f": "x"} "#
        let inner = JsonValue.object([("c", .null), ("d", .bool(true)), ("e", .bool(false))])
        let expected = JsonValue.object([
            ("a", .array([.number(1), .number(-0.5), .number(2000), .number(0)])),
            ("b", inner), ("f", .string("x")),
        ])
        #expect(parse(text) == expected)
        #expect(expected["f"]?.text == "x" && expected["b"]?["d"] == .bool(true))
        #expect(expected["missing"] == nil && JsonValue.null["a"] == nil)
        #expect(JsonValue.number(3).integer == 3 && JsonValue.number(0.5).integer == nil)
        #expect(JsonValue.number(1e300).integer == nil)
    }

    @Test("escapes, surrogate pairs and plain UTF-8")
    func strings() {
        #expect(
            parse(#""\"\\\/\b\f\n\r\té\u00e9\ud83d\ude00\u0000""#) == .string("\"\\/\u{8}\u{c}\n\r\téé😀\0"))
    }

    @Test(
        "what is no JSON is nothing",
        arguments: [
            "", " ", "nul", "tru", "True", "{", "}", "[1,]", "[1 2]", "{\"a\"}", "{\"a\":}", "{\"a\":1,}",
            "{a:1}",
            "{'a':1}", "01", "-", "1.", ".5", "1e", "+1", "--1", "0x1", "NaN", "\"", "\"\\\"", "\"\\x\"",
            "\"\\u12g4\"", "\"\\ud800\"", "\"\\ud800\\u0041\"", "\"\\udc00\"", "\"\u{1}\"", "1 1", "[1]]",
            "{\"a\":1,\"a\":2}",
        ])
    func notJson(text: String) { #expect(parse(text) == nil) }

    @Test("bytes that are no UTF-8 are no string")
    func invalidUtf8() { #expect(JsonValue([0x22, 0xFF, 0x22]) == nil) }

    @Test("nesting is followed as deep as the limit, and a megabyte of brackets is no harm")
    func nesting() {
        let deep = { (depth: Int) in
            String(repeating: "[", count: depth) + String(repeating: "]", count: depth)
        }
        #expect(parse(deep(JsonValue.maxDepth)) != nil)
        #expect(parse(deep(JsonValue.maxDepth + 1)) == nil)
        #expect(parse(String(repeating: "[", count: 1 << 20)) == nil)
    }

    @Test("no cut and no changed byte of a document makes the parser fail otherwise than by nil")
    func mutations() {
        let document = Array(#"{"a":[1.5e-3,"\u00e9\n",{"b":null}],"c":true}"#.utf8)
        #expect(JsonValue(document) != nil)
        for cut in document.indices { #expect(JsonValue(Array(document[..<cut])) == nil) }
        for index in document.indices {
            for bit in 0..<8 {
                var changed = document
                changed[index] ^= 1 << UInt8(bit)
                _ = JsonValue(changed)
            }
        }
    }

    @Test("what the writer writes is read back")
    func roundTrip() {
        var writer = JsonWriter()
        writer.beginObject()
        writer.field("text", "a\"\\\u{1}é😀\n")
        writer.field("number", 0.1)
        writer.endObject()
        let value = JsonValue(writer.bytes)
        #expect(value == .object([("text", .string("a\"\\\u{1}é😀\n")), ("number", .number(0.1))]))
    }
}
