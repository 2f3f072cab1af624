// RO:WHAT  RecordStore against a dictionary, its budget, its expiry, its versions.
import Testing

@testable import DhtLoop

@Suite("RecordStore")
struct RecordStoreTests {
    private static let second: UInt64 = 1_000_000

    private func put(
        _ store: inout RecordStore, _ key: Key, seq: UInt64 = 1, ttl: UInt64 = 60, _ value: [UInt8],
        at now: UInt64 = 0
    ) -> RecordStore.PutOutcome {
        value.withUnsafeBytes {
            store.put(key, seq: seq, expiresAtUs: now + ttl * Self.second, value: $0, nowUs: now)
        }
    }

    private func value(_ store: borrowing RecordStore, _ key: Key, at now: UInt64 = 0) -> [UInt8]? {
        store.find(key, nowUs: now).map { Array($0.value) }
    }

    @Test("the higher seq wins, the same seq is settled bytewise, the same bytes refresh")
    func versions() {
        var store = RecordStore(budgetBytes: 64 << 20, secret: 1, nowUs: 0)
        let key = NodeID(1, 2, 3, 4)
        #expect(put(&store, key, seq: 5, [5]) == .stored)
        #expect(put(&store, key, seq: 4, [9, 9]) == .stale)
        #expect(put(&store, key, seq: 5, [4]) == .stale)
        #expect(put(&store, key, seq: 5, [5]) == .refreshed)
        #expect(put(&store, key, seq: 5, [5, 0]) == .stored)
        #expect(put(&store, key, seq: 6, []) == .stored)
        #expect(value(store, key) == [])
        let held = store.count
        #expect(held == 1)
    }

    @Test("a tombstone wins over the value it deletes and over older ones, and loses to a newer value")
    func tombstones() {
        var store = RecordStore(budgetBytes: 64 << 20, secret: 1, nowUs: 0)
        let key = NodeID(1, 2, 3, 4)
        let nothing = UnsafeRawBufferPointer(start: nil, count: 0)
        #expect(put(&store, key, seq: 5, [5]) == .stored)
        let deleted = store.put(
            key, seq: 5, expiresAtUs: 60 * Self.second, value: nothing, isTombstone: true, nowUs: 0)
        #expect(deleted == .stored)
        let isTombstone = store.find(key, nowUs: 0)?.isTombstone
        #expect(isTombstone == true)
        #expect(put(&store, key, seq: 5, [9, 9, 9]) == .stale)
        #expect(put(&store, key, seq: 6, [6]) == .stored)
        #expect(value(store, key) == [6])
    }

    @Test("a record is gone at the end of its life, and its memory with the next sweep")
    func expiry() throws {
        var store = RecordStore(budgetBytes: 64 << 20, secret: 1, nowUs: 0)
        let key = NodeID(1, 2, 3, 4)
        #expect(put(&store, key, ttl: 2, [1, 2, 3]) == .stored)
        #expect(value(store, key, at: 2 * Self.second - 1) == [1, 2, 3])
        #expect(value(store, key, at: 2 * Self.second + RecordStore.tickUs) == nil)
        let beforeSweep = store.count
        #expect(beforeSweep == 1)
        let sweepAt = store.nextSweepUs
        let due = try #require(sweepAt)
        store.sweep(nowUs: due)
        let after = (store.count, store.liveBytes, store.nextSweepUs)
        #expect(after == (0, 0, nil))
    }

    @Test("an expired newer version does not keep an older one out")
    func expiredIsNoVersion() {
        var store = RecordStore(budgetBytes: 64 << 20, secret: 1, nowUs: 0)
        let key = NodeID(1, 2, 3, 4)
        #expect(put(&store, key, seq: 9, ttl: 1, [1]) == .stored)
        #expect(put(&store, key, seq: 1, [2], at: 3 * Self.second) == .stored)
        #expect(value(store, key, at: 3 * Self.second) == [2])
    }

    @Test("at the budget a put is refused and what is stored stays")
    func budget() {
        var store = RecordStore(budgetBytes: 4 << 20, secret: 1, nowUs: 0)
        var generator = SeededGenerator(seed: 7)
        var kept: [Key] = []
        var refused = 0
        for _ in 0..<60 {
            let key = NodeID.random(using: &generator)
            switch put(&store, key, [UInt8](repeating: 7, count: 100_000)) {
            case .stored: kept.append(key)
            case .full: refused += 1
            default: Issue.record("a fresh key is stored or refused")
            }
        }
        #expect(refused > 0 && kept.count > 20)
        #expect(kept.allSatisfy { value(store, $0) != nil })
        let held = store.heldBytes
        #expect(held <= 4 << 20)
    }

    @Test(
        "it does what a dictionary does, with overwrites, removals, expiry and compaction", arguments: 1...6)
    func model(seed: Int) {
        var generator = SeededGenerator(seed: UInt64(seed))
        var store = RecordStore(budgetBytes: 256 << 20, secret: UInt64(seed), nowUs: 0)
        var model: [Key: (value: [UInt8], expires: UInt64)] = [:]
        let keys = (0..<400).map { _ in NodeID.random(using: &generator) }
        var now: UInt64 = 0
        for step in 0..<6_000 {
            now += UInt64.random(in: 0...20_000, using: &generator)
            let key = keys.randomElement(using: &generator)!
            switch Int.random(in: 0..<10, using: &generator) {
            case 0:
                let removed = store.remove(key)
                let known = model.removeValue(forKey: key) != nil
                #expect(removed || !known, "seed \(seed)")
                #expect(value(store, key, at: now) == nil, "seed \(seed)")
            case 1:
                if let due = store.nextSweepUs, due <= now {
                    store.sweep(nowUs: now)
                    model = model.filter { $0.value.expires > now }
                }
            default:
                let bytes = [UInt8](
                    repeating: UInt8(truncatingIfNeeded: step),
                    count: .random(in: 0...9_000, using: &generator))
                let ttl = UInt64.random(in: 1...40, using: &generator) * Self.second
                let outcome = bytes.withUnsafeBytes {
                    store.put(key, seq: UInt64(step), expiresAtUs: now + ttl, value: $0, nowUs: now)
                }
                #expect(outcome == .stored, "seed \(seed)")
                model[key] = (bytes, now + ttl)
            }
        }
        for key in keys {
            if let expected = model[key], expected.expires > now + RecordStore.tickUs {
                #expect(value(store, key, at: now) == expected.value, "seed \(seed)")
            }
        }
        let held = store.heldBytes
        #expect(held < 12 << 20, "compaction keeps memory near the live bytes, seed \(seed)")
    }

    // MARK: - Walking through the store

    private func fill(
        _ store: inout RecordStore, _ count: Int, _ generator: inout SeededGenerator
    ) -> [Key] {
        (0..<count).map { _ in
            let key = NodeID.random(using: &generator)
            #expect(put(&store, key, [1]) == .stored)
            return key
        }
    }

    @Test("a walk in steps meets every key once while nothing changes", arguments: [0, 1, 12, 500, 5_000])
    func walk(count: Int) {
        var generator = SeededGenerator(seed: UInt64(count))
        var store = RecordStore(budgetBytes: 64 << 20, secret: 1, nowUs: 0)
        let keys = fill(&store, count, &generator)
        for limit in [1, 7, 256, 100_000] {
            var (met, position) = ([Key](), UInt64?.some(0))
            for _ in 0...count {
                guard let from = position else { break }
                let before = met.count
                position = store.visitKeys(from: from, limit: limit) { met.append($0) }
                #expect(position == nil || met.count - before >= limit)
            }
            #expect(position == nil && met.count == count && Set(met) == Set(keys), "limit \(limit)")
        }
    }

    @Test("what is overwritten or removed meanwhile does not disturb a walk", arguments: 1...6)
    func walkAmongChanges(seed: Int) {
        var generator = SeededGenerator(seed: UInt64(seed))
        var store = RecordStore(budgetBytes: 64 << 20, secret: UInt64(seed), nowUs: 0)
        let keys = fill(&store, 2_000, &generator)
        var (met, removed, position) = ([Key](), Set<Key>(), UInt64?.some(0))
        for step in 2..<2_002 {
            guard let from = position else { break }
            position = store.visitKeys(from: from, limit: 20) { met.append($0) }
            for _ in 0..<5 {
                let key = keys.randomElement(using: &generator)!
                if Bool.random(using: &generator) {
                    store.remove(key)
                    removed.insert(key)
                } else if !removed.contains(key) {
                    #expect(put(&store, key, seq: UInt64(step), [2, 3]) == .stored, "seed \(seed)")
                }
            }
        }
        #expect(position == nil && Set(met).count == met.count, "nobody twice, seed \(seed)")
        #expect(Set(keys).subtracting(removed).isSubset(of: met), "nobody left out, seed \(seed)")
    }

    @Test("a walk goes on where it was when the store grows, and leaves out next to nobody", arguments: 1...6)
    func walkWhileGrowing(seed: Int) {
        var generator = SeededGenerator(seed: UInt64(seed))
        var store = RecordStore(budgetBytes: 64 << 20, secret: UInt64(seed), nowUs: 0)
        let keys = Set(fill(&store, 2_000, &generator))
        var (met, position, steps) = ([Key](), UInt64?.some(0), 0)
        while let from = position, steps < 2_000 {
            position = store.visitKeys(from: from, limit: 64) { met.append($0) }
            if steps < 20 { _ = fill(&store, 500, &generator) }
            steps += 1
        }
        let old = met.filter { keys.contains($0) }
        let left = keys.count - Set(old).count
        #expect(position == nil && left <= 20, "seed \(seed): \(left) of 2000 left out")
        #expect(old.count - Set(old).count <= 20, "seed \(seed): met twice")
    }
}
