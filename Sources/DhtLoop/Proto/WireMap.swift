// RO:WHAT  WireMap: the keys of one map of the wire, and the loop that reads such a map.
// RO:WHY   What a map holds is data, said once; that a key may come in any order, and only once, is said here for all.
// RO:INVARIANTS  at most 8 keys; each known key is read at most once, and an unknown one is skipped.
// RO:SECURITY  reads a peer's bytes: typed errors only.
// RO:TEST  Tests/DhtLoopTests/Proto/WireMapTests.swift

/// One key of a map.
struct WireField<Value: Sendable>: Sendable {
    let key: StaticString
    let isMandatory: Bool
    /// How what lies under the key is read, and where it goes.
    let value: Value

    static func must(_ key: StaticString, _ value: Value) -> Self {
        Self(key: key, isMandatory: true, value: value)
    }

    static func may(_ key: StaticString, _ value: Value) -> Self {
        Self(key: key, isMandatory: false, value: value)
    }
}

/// The keys of one map, in the order in which a sender writes them.
struct WireMap<Value: Sendable>: Sendable {
    let fields: [WireField<Value>]
    /// The keys that must be there, one bit each.
    private let mandatory: UInt8

    init(_ fields: [WireField<Value>]) {
        precondition(fields.count <= UInt8.bitWidth, "a bit for each key")
        self.fields = fields
        mandatory = fields.indices.reduce(0) { fields[$1].isMandatory ? $0 | 1 << $1 : $0 }
    }

    /// Reads the `pairs` pairs at the reader; `take` reads what lies under each key that is known.
    ///
    /// - Returns: the keys that were there, one bit each, as `isComplete` takes them.
    @inline(__always)
    func read(
        _ pairs: Int, _ reader: inout CborReader, _ take: (Value, inout CborReader) throws(WireError) -> Void
    ) throws(WireError) -> UInt8 {
        var (seen, next): (UInt8, Int) = (0, 0)
        for _ in 0..<pairs {
            guard let index = index(of: try reader.text(), from: next) else {
                try reader.skip()
                continue
            }
            let bit: UInt8 = 1 << index
            guard seen & bit == 0 else { throw .repeatedKey }
            seen |= bit
            next = index + 1
            try take(fields[index].value, &reader)
        }
        assert(seen.nonzeroBitCount <= pairs)
        return seen
    }

    /// Whether no mandatory key is missing among those in `seen`.
    func isComplete(_ seen: UInt8) -> Bool { seen & mandatory == mandatory }

    /// Which field has that key. The search begins at `first`, where it is when keys come in the order of the list.
    private func index(of key: BorrowedBytes, from first: Int) -> Int? {
        assert(first >= 0 && first <= fields.count)
        for index in first..<fields.count where key.spells(fields[index].key) { return index }
        for index in 0..<first where key.spells(fields[index].key) { return index }
        return nil
    }
}
