// RO:WHAT  The constants of UsualRequest, EnvelopeHead and ContactHead against what libcbor writes.
import Testing

@testable import DhtLoop

@Suite("Usual shapes")
struct UsualRequestTests {
    private let id = NodeID(1, 2, 3, 0x0405_0607_0809_0A0B)

    @Test("Ping, FindNode and Get as libcbor encodes them are matched, and no prefix or neighbour of them is")
    func requests() {
        var findNode = ByteBuffer()
        findNode.appendFindNode(target: id)
        var get = ByteBuffer()
        get.appendGet(key: id)
        let (findNodeMatch, getMatch) = (UsualRequest.match(findNode.bytes), UsualRequest.match(get.bytes))
        #expect(findNodeMatch == .findNode(target: id, recursion: 0))
        #expect(getMatch == .get(key: id, wantsNodes: false, recursion: 0))
        var ping = ByteBuffer()
        ping.appendPing()
        let pingMatch = UsualRequest.match(ping.bytes)
        #expect(pingMatch == .ping)
        for (bytes, ids) in [(Array(findNode.bytes), 1), (Array(get.bytes), 1), (Array(ping.bytes), 0)] {
            for cut in 0..<bytes.count {
                #expect(bytes[..<cut].withUnsafeBytes { UsualRequest.match($0) } == nil)
            }
            for position in 0..<(bytes.count - ids * NodeID.byteCount) {
                var changed = bytes
                changed[position] ^= 1
                #expect(changed.withUnsafeBytes { UsualRequest.match($0) } == nil)
            }
        }
    }

    @Test(
        "a contact written in whole words is the item libcbor writes",
        arguments: [1, 5, 21, 22, 23, 24, 60, 251])
    func contacts(hostLength: Int) throws {
        let table = EndpointTable()
        let at = try #require(table.intern(String(repeating: "h", count: hostLength) + ":123"))
        var plain = ByteBuffer()
        plain.appendArrayHead(2)
        plain.appendID(id)
        plain.appendText(table.bytes(at))
        var quick = ByteBuffer()
        quick.appendContact(id, at: table.encoded(at))
        let (wanted, got) = (Array(plain.bytes), Array(quick.bytes))
        #expect(got == wanted)
    }

    @Test("the constant head is what libcbor writes")
    func head() {
        var buffer = ByteBuffer()
        EnvelopeEncoder(src: id, at: UnsafeRawBufferPointer(start: nil, count: 0), net: 0)
            .begin(&buffer, dst: NodeID(9, 9, 9, 9), rpc: 1)
        let bytes = Array(buffer.bytes)
        #expect(bytes.withUnsafeBytes { EnvelopeHead.hasConstantShape($0) })
        #expect(
            Array(bytes[..<10]) == EnvelopeHead.beforeDst && Array(bytes[42..<48]) == EnvelopeHead.beforeSrc)
    }
}
