// RO:WHAT  ProviderStore: lives, refreshes, the fair draw at the cap, the budget.
import Testing

@testable import DhtLoop

@Suite("ProviderStore")
struct ProviderStoreTests {
    private let cid = NodeID(1, 2, 3, 4)

    private func store(budget: Int = 1 << 20, secret: UInt64 = 7) -> ProviderStore {
        ProviderStore(budgetBytes: budget, secret: secret)
    }

    private func uri(_ number: Int) -> [UInt8] { Array("node://\(number)".utf8) }

    @Test("a provider is found until its life ends, and refreshing it does not double it")
    func life() {
        var store = store()
        #expect(store.add(cid, node: uri(1), expiresAtUs: 100, nowUs: 0) == .stored)
        #expect(store.add(cid, node: uri(1), expiresAtUs: 200, nowUs: 50) == .refreshed)
        #expect(store.find(cid, limit: 8, nowUs: 150).map(\.node) == [uri(1)])
        #expect(store.find(cid, limit: 8, nowUs: 200).isEmpty)
        #expect(store.count == 1)
        store.sweep(nowUs: 200)
        #expect(store.count == 0 && store.bytes == 0 && store.nextSweepUs == nil)
    }

    @Test("the longest life comes first and the limit holds")
    func order() {
        var store = store()
        for number in 1...5 {
            #expect(store.add(cid, node: uri(number), expiresAtUs: UInt64(number) * 10, nowUs: 0) == .stored)
        }
        #expect(store.find(cid, limit: 2, nowUs: 0).map(\.node) == [uri(5), uri(4)])
        #expect(store.find(cid, limit: 0, nowUs: 0).isEmpty)
    }

    @Test("a flood of one key leaves those who were there their fair share", arguments: 1...10)
    func flood(seed: Int) {
        var store = store(secret: UInt64(seed) &* 0x1234_5678_9ABC_DEF1)
        for number in 0..<ProviderStore.perKey {
            _ = store.add(cid, node: uri(number), expiresAtUs: 1_000, nowUs: 0)
        }
        for number in 0..<ProviderStore.perKey {
            _ = store.add(cid, node: uri(10_000 + number), expiresAtUs: 9_000, nowUs: 0)
        }
        let held = store.find(cid, limit: 1_000, nowUs: 0)
        let honest = held.count { $0.expiresAtUs == 1_000 }
        #expect(held.count == ProviderStore.perKey)
        // As many honest as flooding: half of 64 stay, give or take four standard deviations.
        #expect((16...48).contains(honest), "seed \(seed): \(honest)")
    }

    @Test("at the cap an expired provider gives way whatever the draw says")
    func expiredGivesWay() {
        var store = store()
        for number in 0..<ProviderStore.perKey {
            _ = store.add(cid, node: uri(number), expiresAtUs: number == 9 ? 10 : 1_000, nowUs: 0)
        }
        #expect(store.add(cid, node: uri(500), expiresAtUs: 1_000, nowUs: 20) == .stored)
        #expect(store.find(cid, limit: 100, nowUs: 20).count == ProviderStore.perKey)
    }

    @Test("the byte budget refuses and nothing held is lost")
    func budget() {
        var store = store(budget: 1_000)
        var stored = 0
        for number in 0..<50
        where store.add(NodeID(0, 0, 0, UInt64(number)), node: uri(number), expiresAtUs: 99, nowUs: 0)
            == .stored
        {
            stored += 1
        }
        #expect(stored > 5 && stored < 12 && store.count == stored && store.bytes <= 1_000)
    }
}
