// RO:WHAT  ProviderStore: content id to the node URIs that say they have it, each with an end of life.
// RO:WHY   Many nodes provide one content; every one of them has its own life and none overwrites another.
// RO:INVARIANTS  at most `perKey` providers a key and `budget` bytes in all; none twice under one key; an
//                expired one is never given out.
// RO:SECURITY  at the cap the providers with the least keyed hash stay: whoever floods a key cannot aim at
//              those who are there, and gets the share of a fair draw and no more.
// RO:TEST  Tests/DhtLoopTests/Store/ProviderStoreTests.swift

/// Providers by content id. All times are microseconds of the node's monotonic clock.
public struct ProviderStore {
    /// Providers of one content id.
    public static let perKey = Limits.contactsPerMessage
    /// Bytes that one provider is charged besides its URI: its entry, and its share of the tables.
    private static let entryBytes = 96
    /// Expired providers are forgotten this long after the first of them expired, at the latest.
    private static let sweepDelayUs: UInt64 = 5_000_000

    /// One provider of a content id.
    public struct Provider: Equatable, Sendable {
        /// `<scheme>://<id>`, at most 255 bytes.
        public var node: [UInt8]
        public var expiresAtUs: UInt64
        fileprivate var rank: UInt64
    }

    /// What became of an announcement.
    public enum Outcome: Equatable, Sendable {
        case stored
        case refreshed
        /// The key has as many providers as it may, and the draw fell on them; or the byte budget is used up.
        case full
    }

    private var providers: [Key: [Provider]] = [:]
    private let budget: Int
    private let secret: UInt64
    private var earliestUs = UInt64.max
    /// Providers held, those not yet swept included.
    public private(set) var count = 0
    /// Bytes they are charged.
    public private(set) var bytes = 0

    /// `budgetBytes` bounds the memory; `secret` keys the draw.
    public init(budgetBytes: Int, secret: UInt64) {
        (budget, self.secret) = (budgetBytes, secret)
    }

    /// Takes in that `node` provides `cid` until `expiresAtUs`.
    public mutating func add(_ cid: Key, node: [UInt8], expiresAtUs: UInt64, nowUs: UInt64) -> Outcome {
        earliestUs = min(earliestUs, expiresAtUs)
        if let place = providers[cid]?.firstIndex(where: { $0.node == node }) {
            providers[cid]?[place].expiresAtUs = expiresAtUs
            return .refreshed
        }
        let newcomer = Provider(node: node, expiresAtUs: expiresAtUs, rank: rank(cid, node))
        guard bytes + Self.cost(newcomer) <= budget else { return .full }
        if let held = providers[cid], held.count >= Self.perKey {
            guard let loser = Self.loser(among: held, against: newcomer, nowUs) else { return .full }
            drop(cid, at: loser)
        }
        providers[cid, default: []].append(newcomer)
        count += 1
        bytes += Self.cost(newcomer)
        assert(bytes <= budget && providers[cid]?.count ?? 0 <= Self.perKey, "providers over their bounds")
        return .stored
    }

    /// The living providers of `cid`, `limit` at most, those with the longest life first.
    public func find(_ cid: Key, limit: Int, nowUs: UInt64) -> [Provider] {
        guard let held = providers[cid] else { return [] }
        let living = held.filter { $0.expiresAtUs > nowUs }
        return Array(
            living.sorted { ($1.expiresAtUs, $0.rank) < ($0.expiresAtUs, $1.rank) }.prefix(max(0, limit)))
    }

    /// When `sweep` should next be called; nil while there is nothing.
    public var nextSweepUs: UInt64? { count == 0 ? nil : earliestUs &+ Self.sweepDelayUs }

    /// Forgets what has expired.
    public mutating func sweep(nowUs: UInt64) {
        earliestUs = .max
        for (cid, held) in providers {
            let living = held.filter { $0.expiresAtUs > nowUs }
            for provider in living { earliestUs = min(earliestUs, provider.expiresAtUs) }
            guard living.count < held.count else { continue }
            count -= held.count - living.count
            bytes -= held.filter { $0.expiresAtUs <= nowUs }.reduce(0) { $0 + Self.cost($1) }
            providers[cid] = living.isEmpty ? nil : living
            assert(count >= 0 && bytes >= count * Self.entryBytes, "providers are miscounted")
        }
    }

    /// Content ids, in order, for those who list what is stored.
    public var keys: [Key] { providers.keys.sorted() }

    private mutating func drop(_ cid: Key, at place: Int) {
        guard let provider = providers[cid]?.remove(at: place) else { return }
        count -= 1
        bytes -= Self.cost(provider)
        assert(count >= 0 && bytes >= count * Self.entryBytes, "providers are miscounted")
    }

    /// Who gives way to a newcomer: an expired one, else the one with the greatest rank if the newcomer's is less.
    private static func loser(among held: [Provider], against newcomer: Provider, _ nowUs: UInt64) -> Int? {
        if let expired = held.firstIndex(where: { $0.expiresAtUs <= nowUs }) { return expired }
        guard let greatest = held.indices.max(by: { held[$0].rank < held[$1].rank }) else { return nil }
        assert(held.count <= perKey, "a key has more providers than it may")
        return held[greatest].rank > newcomer.rank ? greatest : nil
    }

    private static func cost(_ provider: Provider) -> Int { entryBytes + provider.node.count }

    /// FNV-1a over key, URI and secret, finished by a multiply: even enough for a draw, and not to be foreseen.
    private func rank(_ cid: Key, _ node: [UInt8]) -> UInt64 {
        var hash = 0xCBF2_9CE4_8422_2325 ^ secret ^ cid.w0
        for byte in node { hash = (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01B3 }
        let mixed = (hash ^ secret).multipliedFullWidth(by: 0x9E37_79B9_7F4A_7C15)
        return mixed.high ^ mixed.low
    }
}
