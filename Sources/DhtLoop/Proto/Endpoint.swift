// RO:WHAT  EndpointTable: overlay endpoints ("host:port"), each text held once and named by a number.
// RO:WHY   Thousands of contacts share few endpoints, and a reply copies the text as CBOR many times:
//          it is stored as the encoded item, ready to be copied.
// RO:INVARIANTS  id 0 is the empty text; an id stays valid until a collection that did not keep it.
// RO:SECURITY  text comes from peers: only the shape host:port is taken, and the table is bounded.

import CCbor

/// A name for an overlay endpoint in one `EndpointTable`.
public struct EndpointID: Hashable, Sendable {
    public let rawValue: UInt32

    @inlinable public init(rawValue: UInt32) { self.rawValue = rawValue }

    /// The empty text: a client that cannot be reached.
    public static let none = EndpointID(rawValue: 0)
}

/// Interned endpoint texts.
public final class EndpointTable {
    private struct Entry {
        var encoded: UnsafeMutableRawPointer?
        var encodedCount: Int32 = 0
        var textOffset: Int32 = 0
        var nextFree: UInt32 = 0
        var network = NetworkPrefix.none
    }

    /// An entry's memory is at least this long, so that a short item may be copied as whole words.
    static let paddedBytes = 32

    /// Room for `limit` entries, of which the kernel only backs what was used. A constant pointer: reading an
    /// entry costs no exclusivity check.
    private let entries: UnsafeMutablePointer<Entry>
    private var entryCount = 0
    private var index: [UInt32]
    private var freeHead: UInt32 = 0
    private let limit: Int
    /// Endpoints held, the empty one included.
    public private(set) var count = 0

    /// `limit` bounds the table, in endpoints.
    public init(limit: Int = 1 << 20) {
        self.limit = max(2, limit)
        entries = .allocate(capacity: self.limit)
        index = [UInt32](repeating: .max, count: 64)
        insert(UnsafeRawBufferPointer(start: nil, count: 0))
    }

    deinit {
        for raw in 0..<entryCount { entries[raw].encoded?.deallocate() }
        entries.deallocate()
    }

    /// The name of `text`, which is added when it is new.
    ///
    /// - Returns: nil when `text` is no endpoint (`EndpointTable.isValid`), or the table is full.
    public func intern(_ text: UnsafeRawBufferPointer) -> EndpointID? {
        if text.isEmpty { return EndpointID.none }
        if let known = find(text) { return known }
        guard count < limit, Self.isValid(text) else { return nil }
        return insert(text)
    }

    /// `intern` of a Swift string.
    public func intern(_ text: String) -> EndpointID? {
        var text = text
        return text.withUTF8 { intern(UnsafeRawBufferPointer($0)) }
    }

    /// The name of `text` if the table holds it.
    public func find(_ text: UnsafeRawBufferPointer) -> EndpointID? {
        var slot = hash(text) & (index.count - 1)
        while index[slot] != .max {
            if matches(EndpointID(rawValue: index[slot]), text) { return EndpointID(rawValue: index[slot]) }
            slot = (slot + 1) & (index.count - 1)
        }
        return nil
    }

    /// The text as one CBOR item, ready to be copied into a message. At least `paddedBytes` may be read there.
    @inline(__always)
    public func encoded(_ id: EndpointID) -> UnsafeRawBufferPointer {
        let entry = entries[Int(id.rawValue)]
        return UnsafeRawBufferPointer(start: entry.encoded, count: Int(entry.encodedCount))
    }

    /// The bytes of the text.
    public func bytes(_ id: EndpointID) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(rebasing: encoded(id)[Int(entries[Int(id.rawValue)].textOffset)...])
    }

    /// The network that the endpoint's address lies in.
    @inline(__always)
    public func network(of id: EndpointID) -> NetworkPrefix { entries[Int(id.rawValue)].network }

    /// The text as a Swift string.
    public func text(_ id: EndpointID) -> String { String(decoding: bytes(id), as: UTF8.self) }

    /// Whether `id` names exactly `text`.
    public func matches(_ id: EndpointID, _ text: UnsafeRawBufferPointer) -> Bool {
        let own = bytes(id)
        guard own.count == text.count, let a = own.baseAddress, let b = text.baseAddress else {
            return own.count == text.count
        }
        return sameBytes(a, b, count: own.count)
    }

    /// Drops every endpoint but the empty one and those that `isLive` keeps. Their names may be given out again.
    public func collect(keeping isLive: (EndpointID) -> Bool) {
        for raw in 1..<UInt32(entryCount) {
            guard let memory = entries[Int(raw)].encoded, !isLive(EndpointID(rawValue: raw)) else { continue }
            memory.deallocate()
            entries[Int(raw)] = Entry(nextFree: freeHead)
            freeHead = raw
            count -= 1
        }
        rebuildIndex(slots: index.count)
    }

    /// Whether `text` has the shape `host:port` or `[v6]:port`: graphic ASCII, 3...255 bytes, port 1...65535.
    public static func isValid(_ text: UnsafeRawBufferPointer) -> Bool {
        guard text.count >= 3, text.count <= Limits.textBytes else { return false }
        guard let colon = text.lastIndex(of: UInt8(ascii: ":")), colon > 0 else { return false }
        var port = 0
        guard text.count - colon - 1 <= 5 else { return false }
        for digit in text[(colon + 1)...] {
            guard digit >= UInt8(ascii: "0"), digit <= UInt8(ascii: "9") else { return false }
            port = port * 10 + Int(digit - UInt8(ascii: "0"))
        }
        guard port >= 1, port <= 65535 else { return false }
        let host = text[..<colon]
        let bracketed = host.first == UInt8(ascii: "[")
        guard bracketed == (host.last == UInt8(ascii: "]")) else { return false }
        return host.allSatisfy { byte in
            byte > 0x20 && byte < 0x7F && (bracketed || byte != UInt8(ascii: ":"))
        }
    }

    private func hash(_ text: UnsafeRawBufferPointer) -> Int {
        var hasher = Hasher()
        hasher.combine(bytes: text)
        return hasher.finalize()
    }

    @discardableResult
    private func insert(_ text: UnsafeRawBufferPointer) -> EndpointID {
        let byteCount = max(text.count + 9, Self.paddedBytes)
        let memory = UnsafeMutableRawPointer.allocate(byteCount: byteCount, alignment: 8)
        memory.initializeMemory(as: UInt8.self, repeating: 0, count: byteCount)
        let head = cbor_encode_string_start(text.count, memory.assumingMemoryBound(to: UInt8.self), 9)
        if let source = text.baseAddress { (memory + head).copyMemory(from: source, byteCount: text.count) }
        let entry = Entry(
            encoded: memory, encodedCount: Int32(head + text.count), textOffset: Int32(head),
            network: NetworkPrefix(endpoint: text))
        let raw: UInt32
        if freeHead != 0 {
            raw = freeHead
            freeHead = entries[Int(raw)].nextFree
            entries[Int(raw)] = entry
        } else {
            raw = UInt32(entryCount)
            (entries + entryCount).initialize(to: entry)
            entryCount += 1
        }
        count += 1
        if count * 2 > index.count { rebuildIndex(slots: index.count * 2) } else { place(raw) }
        return EndpointID(rawValue: raw)
    }

    private func rebuildIndex(slots: Int) {
        index = [UInt32](repeating: .max, count: slots)
        for raw in 0..<entryCount where entries[raw].encoded != nil { place(UInt32(raw)) }
    }

    private func place(_ raw: UInt32) {
        var slot = hash(bytes(EndpointID(rawValue: raw))) & (index.count - 1)
        while index[slot] != .max { slot = (slot + 1) & (index.count - 1) }
        index[slot] = raw
    }
}
