// RO:WHAT  Records across a cluster: deletes, versions, quorums, repair, caching, shared walks, providers, explain.
import Testing

@testable import DhtLoop

extension DhtNodeTests {
    @Suite("Records of a cluster")
    struct RecordTests {
        private let tests = DhtNodeTests()
        private let key = NodeID(0xABCD, 1, 2, 3)

        private func result(
            _ network: TestNetwork, on index: Int, _ start: (inout DhtNode, UInt64) -> OperationID?
        ) throws -> OperationResult {
            let box = network.nodes[index]
            let started = start(&box.node, network.nowUs)
            let id = try #require(started)
            network.collect(index)
            network.run(us: 6 * DhtNodeTests.second)
            return try #require(box.results[id])
        }

        private func getQuorum(_ network: TestNetwork, on index: Int, _ quorum: Int) throws -> GetResult {
            let ended = try result(network, on: index) { $0.get(key, quorum: quorum, nowUs: $1) }
            guard case .get(let got) = ended else { throw DhtNodeTests.Missing() }
            return got
        }

        /// The version that a node has stored itself.
        private func held(_ network: TestNetwork, _ index: Int) -> (seq: UInt64, isTombstone: Bool)? {
            network.nodes[index].node.store.find(key, nowUs: network.nowUs).map { ($0.seq, $0.isTombstone) }
        }

        /// Puts a version into one node's store behind the cluster's back.
        private func plant(_ network: TestNetwork, _ index: Int, seq: UInt64, _ value: [UInt8]) {
            let now = network.nowUs
            let outcome = network.nodes[index].node.keep(key, seq: seq, ttlSeconds: 3600, value: value, now)
            #expect(outcome == .stored)
        }

        @Test("calls on four disjoint paths find what is there, and ask nobody twice")
        func paths() throws {
            let network = tests.cluster(40)
            let stored = try result(network, on: 0) {
                $0.put(key, value: [1], seq: 10, ttlSeconds: 3600, paths: 4, nowUs: $1)
            }
            guard case .put(let report) = stored else { throw DhtNodeTests.Missing() }
            #expect(report.acks == 3)
            let asker = try #require(network.nodes.indices.last { held(network, $0) == nil })
            let found = try result(network, on: asker) { $0.get(key, paths: 4, nowUs: $1) }
            guard case .get(let got) = found else { throw DhtNodeTests.Missing() }
            guard case .found(value: [1], _, _) = got.outcome else { throw DhtNodeTests.Missing() }
            let explained = try result(network, on: asker) {
                $0.get(key, paths: 4, isExplained: true, nowUs: $1)
            }
            guard case .get(let walk) = explained else { throw DhtNodeTests.Missing() }
            let asked = walk.trace.map(\.peer.id)
            #expect(asked.count >= 8 && Set(asked).count == asked.count)
            let cid = NodeID(7, 7, 7, 7)
            _ = try result(network, on: 1) { $0.provide(cid, node: [97], ttlSeconds: 600, nowUs: $1) }
            let search = try result(network, on: 9) { $0.findProviders(cid, limit: 1, paths: 4, nowUs: $1) }
            guard case .providers(let who) = search else { throw DhtNodeTests.Missing() }
            #expect(who.providers.map(\.node) == [[97]])
        }

        @Test("a deleted record is not found, and its tombstone keeps an older version out")
        func delete() throws {
            let network = tests.cluster(10)
            _ = try tests.put(network, on: 0, key, [1], seq: 10)
            let deleted = try result(network, on: 4) { $0.delete(key, seq: 11, nowUs: $1) }
            guard case .put(let report) = deleted else { throw DhtNodeTests.Missing() }
            #expect(report.acks == 3)
            #expect(try getQuorum(network, on: 7, 3).outcome == .notFound)
            let holders = network.nodes.indices.filter { held(network, $0)?.isTombstone == true }
            #expect(holders.count >= 3)
            for index in holders {
                let box = network.nodes[index]
                let outcome = box.node.keep(key, seq: 10, ttlSeconds: 60, value: [9], network.nowUs)
                #expect(outcome == .stale)
            }
        }

        @Test("a put with a clock behind a replica's version goes over it")
        func clockBehind() throws {
            let network = tests.cluster(10)
            _ = try tests.put(network, on: 0, key, [1], seq: 1_000_000)
            let outsider = try #require(network.nodes.indices.first { held(network, $0) == nil })
            let report = try tests.put(network, on: outsider, key, [2], seq: 5)
            #expect(report.acks == 3 && report.seq == 1_000_001 && report.failed.isEmpty)
            #expect(tests.value(try getQuorum(network, on: 3, 3)) == [2])
        }

        @Test("a quorum read gives the newest version, and those that were stale get it")
        func readRepair() throws {
            let network = tests.cluster(10)
            _ = try tests.put(network, on: 0, key, [1], seq: 10)
            let holders = network.nodes.indices.filter { held(network, $0) != nil }
            let lucky = try #require(holders.first)
            plant(network, lucky, seq: 20, [2])
            let reader = try #require(network.nodes.indices.first { !holders.contains($0) })
            let got = try getQuorum(network, on: reader, 3)
            #expect(tests.value(got) == [2] && got.copies == 3)
            #expect(holders.allSatisfy { held(network, $0)?.seq == 20 })
            #expect(network.nodes[reader].node.stats.repairs == UInt64(holders.count - 1))
        }

        @Test("a plain read leaves a copy at the closest node that lacked the record")
        func caching() throws {
            let network = tests.cluster(24)
            let byDistance = network.nodes.indices.sorted {
                network.nodes[$0].node.config.id.distance(to: key)
                    < network.nodes[$1].node.config.id.distance(to: key)
            }
            plant(network, byDistance[4], seq: 1, [7])
            let reader = byDistance[23]
            #expect(tests.value(try getQuorum(network, on: reader, 1)) == [7])
            let copies = network.nodes.indices.filter { held(network, $0) != nil }
            #expect(copies.count == 2)
            let cached = network.nodes[reader].node.stats.cached
            #expect(cached == 1)
        }

        @Test("gets of one key at one time share a walk, and each is answered")
        func shared() throws {
            let network = tests.cluster(16)
            _ = try tests.put(network, on: 0, key, [1])
            let reader = try #require(network.nodes.indices.first { held(network, $0) == nil })
            let box = network.nodes[reader]
            let before = box.node.stats.lookups
            let ids = (0..<5).compactMap { _ in box.node.get(key, nowUs: network.nowUs) }
            network.collect(reader)
            network.run(us: DhtNodeTests.second / 10)
            let lookups = box.node.stats.lookups - before
            #expect(ids.count == 5 && lookups == 1)
            for id in ids {
                guard case .get(let got)? = box.results[id] else { throw DhtNodeTests.Missing() }
                #expect(tests.value(got) == [1])
            }
        }

        @Test("providers of one content from three nodes are merged, and expire")
        func providers() throws {
            let network = tests.cluster(12)
            for (index, name) in ["a://1", "b://2", "c://3"].enumerated() {
                let ended = try result(network, on: index) {
                    $0.provide(key, node: Array(name.utf8), ttlSeconds: 100 + UInt64(index), nowUs: $1)
                }
                guard case .put(let report) = ended else { throw DhtNodeTests.Missing() }
                #expect(report.acks == 3)
            }
            func find(limit: Int) throws -> ProvidersResult {
                let ended = try result(network, on: 9) { $0.findProviders(key, limit: limit, nowUs: $1) }
                guard case .providers(let found) = ended else { throw DhtNodeTests.Missing() }
                return found
            }
            let all = try find(limit: 32)
            #expect(
                all.providers.map { String(decoding: $0.node, as: UTF8.self) }.sorted() == [
                    "a://1", "b://2", "c://3",
                ])
            #expect(all.isComplete)
            #expect(try find(limit: 1).providers.count == 1)
            network.run(us: 200 * DhtNodeTests.second)
            let later = try find(limit: 32)
            #expect(later.providers.isEmpty && later.isComplete)
        }

        @Test("a node is found by its id and answers; one that is gone, or never was, is told apart")
        func ping() throws {
            let network = tests.cluster(8)
            let (target, gone) = (network.nodes[6].node.config.id, network.nodes[7].node.config.id)
            func outcome(_ id: NodeID) throws -> PingResult.Outcome {
                guard case .ping(let got) = try result(network, on: 0, { $0.ping(id, nowUs: $1) }) else {
                    throw DhtNodeTests.Missing()
                }
                return got.outcome
            }
            let rtt = 2 * network.delayUs
            #expect(try outcome(target) == .answered(at: network.nodes[6].home, rttUs: rtt))
            network.nodes[7].isDead = true
            #expect(try outcome(gone) == .timedOut)
            #expect(try outcome(NodeID(4, 4, 4, 4)) == .unknown)
        }

        @Test("an explained get names who was asked, in order, and how each answered")
        func explain() throws {
            let network = tests.cluster(16)
            _ = try tests.put(network, on: 0, key, [1])
            network.nodes[5].isDead = true
            let ended = try result(network, on: 2) { $0.get(key, isExplained: true, nowUs: $1) }
            guard case .get(let got) = ended else { throw DhtNodeTests.Missing() }
            #expect(tests.value(got) == [1] && got.trace.count >= 13)
            #expect(zip(got.trace, got.trace.dropFirst()).allSatisfy { $0.askedUs <= $1.askedUs })
            let dead = network.nodes[5].node.config.id
            #expect(got.trace.first { $0.peer.id == dead }?.answer == .unreachable)
            #expect(got.trace.count { $0.answer == .found } >= 2)
            #expect(got.trace.filter { $0.answer == .nodes }.allSatisfy { $0.rttUs >= 2 * network.delayUs })
        }
    }
}
