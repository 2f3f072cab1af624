// RO:WHAT  Tests of the simulator's parts: maps, payloads, latencies, draws, numbers as text.
// RO:WHY   A simulator that is wrong proves nothing about the node.

import DhtLoop
import Testing

@testable import DhtSim

@Suite("The parts of the simulator")
struct MachineryTests {
    @Test("a flat map does what a dictionary does", arguments: 0..<10 as Range<UInt64>)
    func flatMap(seed: UInt64) {
        var chance = Chance(seed: seed)
        var map = FlatMap()
        var model: [UInt64: UInt32] = [:]
        for _ in 0..<5000 {
            let key = UInt64(chance.below(400))
            if chance.below(3) == 0 {
                map.remove(key)
                model[key] = nil
            } else {
                let value = UInt32(chance.below(1000))
                map.set(key, value)
                model[key] = value
            }
            #expect(map.count == model.count, "seed \(seed)")
        }
        for key in 0..<400 as Range<UInt64> { #expect(map[key] == model[key], "seed \(seed), key \(key)") }
    }

    @Test("payloads of every size come back whole, and their memory is used again")
    func payloads() {
        var pool = PayloadPool()
        for count in [0, 1, 247, 248, 249, 1500, 4344, 4345, 70_000] {
            let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0) }
            let first = bytes.withUnsafeBytes { pool.store($0, route: 7) }
            #expect(Array(PayloadPool.bytes(first)) == bytes)
            #expect(PayloadPool.route(first) == 7)
            pool.release(first)
            let second = bytes.withUnsafeBytes { pool.store($0, route: 8) }
            if count < 4000 { #expect(second == first) }
            pool.release(second)
        }
        #expect(pool.inUse == 0)
    }

    @Test("a tenth of all pairs is faster than 20 ms, a tenth slower than 60, and none below the floor")
    func latencies() {
        let model = LatencyModel(floorMs: 10, p10Ms: 20, p90Ms: 60, secret: 5)
        var samples = Samples()
        for a in 0..<200 {
            for b in 0..<a { samples.add(Int(model.baseUs(a, b))) }
        }
        #expect(abs(samples.percentile(0.1) - 20_000) < 600)
        #expect(abs(samples.percentile(0.9) - 60_000) < 2000)
        #expect(samples.percentile(0) >= 10_000)
        #expect(model.baseUs(3, 9) == model.baseUs(9, 3))
        #expect(LatencyModel(floorMs: 10, p10Ms: 20, p90Ms: 60, secret: 6).baseUs(3, 9) != model.baseUs(3, 9))
    }

    @Test("lives have the median asked for", arguments: [0.5, 1, 2])
    func lives(shape: Double) {
        var chance = Chance(seed: 3)
        let short = (0..<20_000).count { _ in chance.weibull(median: 84, shape: shape) < 84 }
        #expect(abs(short - 10_000) < 300)
    }

    @Test("a percentile is the value at its nearest rank")
    func percentiles() {
        var samples = Samples()
        #expect(samples.percentile(0.5) == 0)
        for value in (1...100).reversed() { samples.add(value) }
        #expect(samples.percentile(0.5) == 50)
        #expect(samples.percentile(0.99) == 99)
        #expect(samples.percentile(1) == 100)
        #expect(samples.mean == 50.5)
    }

    @Test(
        "a number becomes text with fixed decimals",
        arguments: [
            (0.0, 2, "0.00"), (1.005, 1, "1.0"), (-2.5, 0, "-3"), (-0.001, 2, "0.00"), (12.0625, 3, "12.063"),
            (.infinity, 1, "null"),
        ])
    func numbers(value: Double, decimals: Int, text: String) {
        #expect(JsonObject.fixed(value, decimals: decimals) == text)
    }

    @Test("an object is written in the order of its fields, with quotes escaped")
    func objects() {
        var inner = JsonObject()
        inner.add("text", "a \"b\" \\ \n")
        var object = JsonObject()
        object.add("z", 1)
        object.add("a", [inner, JsonObject()])
        #expect(object.text == #"{"z":1,"a":[{"text":"a \"b\" \\  "},{}]}"#)
    }

    @Test(
        "a glance tells each request from the others, whatever the endpoint's length", arguments: [0, 9, 40])
    func glances(endpointCount: Int) {
        let at = [UInt8](repeating: UInt8(ascii: "a"), count: endpointCount)
        let id = NodeID(1, 2, 3, 4)
        func purpose(_ append: (inout ByteBuffer) -> Void) -> Purpose {
            var buffer = ByteBuffer()
            at.withUnsafeBytes {
                EnvelopeEncoder(src: id, at: $0, net: 300).begin(&buffer, dst: id, rpc: UInt64.max)
            }
            append(&buffer)
            return Glance.purpose(buffer.bytes)
        }
        #expect(purpose { $0.appendPing() } == .ping)
        #expect(purpose { $0.appendFindNode(target: id) } == .findNode)
        #expect(purpose { $0.appendGet(key: id) } == .get)
        #expect(
            purpose {
                $0.appendPut(
                    key: id, seq: 1, ttlSeconds: 1, value: UnsafeRawBufferPointer(start: nil, count: 0))
            } == .put)
        #expect(purpose { $0.beginPutMany(count: 1) } == .put)
        #expect(
            purpose {
                $0.appendProvide(
                    cid: id, node: UnsafeRawBufferPointer(start: nil, count: 0), ttlSeconds: 1)
            } == .other)
        #expect(purpose { $0.beginNodes(count: 0) } == .other)
        #expect(Glance.purpose(UnsafeRawBufferPointer(start: nil, count: 0)) == .other)
    }
}

@Suite("The session table")
struct SessionTableTests {
    @Test("keeps the sessions to each site, the newest first, and those to nobody beside")
    func inbound() {
        var table = SessionTable()
        for _ in 0..<5 { table.addSite() }
        let places = (0...3).map { table.add($0, 4, slot: 7) }
        let lost = table.add(0, nil, slot: 8)
        #expect(table.inbound(to: 4) == places.reversed() && table.count == 5)
        for place in [places[1], lost, places[3]] { table.remove(place) }
        #expect(table.inbound(to: 4) == [places[2], places[0]] && table.count == 2)
        table.remove(places[0])
        #expect(table.inbound(to: 4) == [places[2]] && table.inbound(to: 0).isEmpty)
        #expect(table[places[2]].dialler == 2 && table[places[2]].slot == 7)
    }

    @Test("a name of an ended session does not fit its successor")
    func generations() {
        var table = SessionTable()
        for _ in 0..<2 { table.addSite() }
        let place = table.add(0, 1, slot: 0)
        let generation = table[place].generation
        #expect(table.holds(place, generation: generation))
        table.remove(place)
        #expect(table.add(0, 1, slot: 0) == place)
        #expect(!table.holds(place, generation: generation))
    }
}

@Suite("The simulator's configuration")
struct SimConfigTests {
    @Test("what would end the process is refused before the run")
    func refused() throws {
        let changes: [(inout SimConfig) -> Void] = [
            { $0.nodes.timeoutMs = -1 }, { $0.nodes.republishSeconds = -1 }, { $0.workload.lookups = -1 },
            { $0.workload.puts = .max }, { $0.workload.measureSeconds = .infinity },
            { $0.workload.settleSeconds = .nan }, { $0.sessions.idleSeconds = -1 },
            { $0.sessions.dialAhead = -1 }, { $0.network.jitter = .nan }, { $0.network.p90Ms = 1e9 },
            { $0.faults.returnSeconds = 1e300 }, { $0.faults.floodVictims = -1 },
        ]
        for (number, change) in changes.enumerated() {
            var config = SimConfig()
            try config.validate()
            change(&config)
            #expect(throws: ConfigProblem.self, "change \(number)") { try config.validate() }
        }
    }

    @Test("a distribution wider than any network has an end")
    func wide() {
        let model = LatencyModel(floorMs: 10, p10Ms: 10.0001, p90Ms: 10_000, secret: 1)
        #expect((0..<1000).allSatisfy { model.baseUs($0, $0 + 1) <= 3_600_000_000 })
    }
}
