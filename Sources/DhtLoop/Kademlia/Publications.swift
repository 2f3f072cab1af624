// RO:WHAT  Publications: records that were put here with the default life, which this node keeps alive.
// RO:WHY   Holders forget a record when its life is over (Kademlia paper, 2.5): its publisher says in time that
//          it is still meant. They lie in bins by the first byte of the key, so that what lies together in the key
//          space is refreshed together.
// RO:INVARIANTS  bytes <= budget; one version a key.
// RO:TEST  Tests/DhtLoopTests/Kademlia/RepublishTests.swift

/// What this node publishes.
struct Publications {
    /// The version that was put.
    struct Publication {
        var seq: UInt64
        var value: [UInt8]
    }

    static let binCount = 256
    /// Bytes that one takes besides its value.
    private static let overheadBytes = 96

    /// Empty until something is published.
    private var bins: [[Key: Publication]] = []
    private(set) var count = 0
    private(set) var bytes = 0
    /// Bytes that they may take.
    let budgetBytes: Int

    init(budgetBytes: Int) { self.budgetBytes = budgetBytes }

    func find(_ key: Key) -> Publication? { bins.isEmpty ? nil : bins[Self.bin(of: key)][key] }

    /// Takes a publication in, or its newer version: of two puts at one time the older may end last. False, and
    /// the key is none of ours, when there is no room.
    mutating func set(_ key: Key, seq: UInt64, value: [UInt8]) -> Bool {
        if let known = find(key), known.seq > seq { return true }
        remove(key)
        guard bytes + value.count + Self.overheadBytes <= budgetBytes else { return false }
        if bins.isEmpty { bins = [[Key: Publication]](repeating: [:], count: Self.binCount) }
        bins[Self.bin(of: key)][key] = Publication(seq: seq, value: value)
        count += 1
        bytes += value.count + Self.overheadBytes
        assert(bytes <= budgetBytes, "publications over their budget")
        return true
    }

    mutating func remove(_ key: Key) {
        guard !bins.isEmpty, let gone = bins[Self.bin(of: key)].removeValue(forKey: key) else { return }
        count -= 1
        bytes -= gone.value.count + Self.overheadBytes
        assert(count >= 0 && (count == 0) == (bytes == 0), "publications are miscounted")
    }

    /// The keys in a bin, 0..<binCount, in descending order.
    func keys(inBin bin: Int) -> [Key] { bins.isEmpty ? [] : bins[bin].keys.sorted { $1 < $0 } }

    private static func bin(of key: Key) -> Int { Int(key.word(fromBit: 0) >> 56) }
}
