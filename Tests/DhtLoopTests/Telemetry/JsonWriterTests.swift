// RO:WHAT  JsonWriter: structure, escapes, numbers.
import Testing

@testable import DhtLoop

@Suite("JsonWriter")
struct JsonWriterTests {
    private func written(_ body: (inout JsonWriter) -> Void) -> String {
        var writer = JsonWriter()
        body(&writer)
        return String(decoding: writer.bytes, as: UTF8.self)
    }

    @Test("commas stand between members and items, nowhere else")
    func structure() {
        let text = written {
            $0.beginObject()
            $0.field("a", 1)
            $0.key("b")
            $0.beginArray()
            $0.value("x")
            $0.beginObject()
            $0.endObject()
            $0.null()
            $0.endArray()
            $0.field("c", true)
            $0.endObject()
        }
        #expect(text == #"{"a":1,"b":["x",{},null],"c":true}"#)
    }

    @Test("quotes, backslashes and every control character are escaped; other text is not")
    func escapes() {
        #expect(written { $0.value("a\"b\\c\n\r\t\u{0}\u{1f}é😀/") } == #""a\"b\\c\n\r\t\u0000\u001fé😀/""#)
        #expect(written { $0.value("") } == "\"\"")
        #expect(written { $0.value("\n") } == #""\n""#)
    }

    @Test("numbers keep their value and what JSON cannot say is null")
    func numbers() {
        #expect(written { $0.value(UInt64.max) } == "18446744073709551615")
        #expect(written { $0.value(Int64.min) } == "-9223372036854775808")
        #expect(written { $0.value(0.25) } == "0.25")
        #expect(written { $0.value(Double.infinity) } == "null")
    }

    @Test("clearing starts over")
    func clear() {
        let text = written {
            $0.value(1)
            $0.clear()
            $0.value(2)
        }
        #expect(text == "2")
    }
}
