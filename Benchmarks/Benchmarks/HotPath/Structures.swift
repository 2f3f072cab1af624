// RO:WHAT  The structures behind the requests: routing table, timer wheel, frame decoder, record store, lookups,
//          limits.
// RO:WHY   Each with a small and a large population: growth that is not asked for shows here first.

import Benchmark
import DhtLoop

func structureBenchmarks() {
    closestBenchmark(contacts: 100)
    closestBenchmark(contacts: 5000)
    timerBenchmark(armed: 10)
    timerBenchmark(armed: 1_000_000)
    for frames in [1, 16, 1000] { frameBenchmark(frames: frames) }
    storeBenchmarks()
    lookupBenchmark()
    for peers in [1, 500] { admissionBenchmark(peers: peers) }
}

private let k = 20

/// A whole walk of the own side: 20 known contacts, every one that is asked names 20 more.
private func lookupBenchmark() {
    Benchmark("a lookup, each answer naming 20") { benchmark in
        var generator = SeededGenerator(seed: 1)
        func contacts() -> [Contact] {
            (0..<k).map { _ in Contact(id: .random(using: &generator), endpoint: EndpointID(rawValue: 1)) }
        }
        let known = contacts()
        let answers = (0..<64).map { _ in contacts() }
        let own = NodeID.random(using: &generator)
        var lookup = Lookup()
        benchmark.startMeasurement()
        for _ in benchmark.scaledIterations {
            lookup.start(
                target: .random(using: &generator), ownID: own, plan: Lookup.Plan(width: k, k: k, alpha: 3))
            for contact in known { lookup.add(contact) }
            var asked = 0
            while let peer = lookup.next() {
                guard lookup.answered(peer.contact.id) != nil else { break }
                for contact in answers[asked & 63] { lookup.add(contact, from: peer.contact.id) }
                asked += 1
            }
            blackHole(lookup.isFinished)
        }
    }
}

/// Both limits on, requests of so many peers in turn, none over its rate.
private func admissionBenchmark(peers: Int) {
    Benchmark("a request admitted, \(peers) peers") { benchmark in
        var control = AdmissionControl(perPeer: 1_000_000, common: 10_000_000, secret: 1)
        let links = (0..<peers).map { Link(endpoint: EndpointID(rawValue: 1), token: UInt64($0)) }
        var (nowUs, peer) = (UInt64(1), 0)
        benchmark.startMeasurement()
        for _ in benchmark.scaledIterations {
            peer = peer + 1 == peers ? 0 : peer + 1
            nowUs += 1
            blackHole(control.admit(links[peer], src: .zero, nowUs: nowUs))
        }
    }
}

private func closestBenchmark(contacts: Int) {
    Benchmark("closest 20 of \(contacts)") { benchmark in
        var generator = SeededGenerator(seed: 1)
        let own = NodeID.random(using: &generator)
        var table = RoutingTable(ownID: own, k: k)
        while table.count < contacts {
            let id = own.random(sharingPrefix: table.count / k, using: &generator)
            _ = table.insert(Contact(id: id, endpoint: EndpointID(rawValue: 1)), nowUs: 0)
        }
        var list = ContactList()
        benchmark.startMeasurement()
        for _ in benchmark.scaledIterations {
            table.closest(to: .random(using: &generator), k, into: &list)
            blackHole(list.count)
        }
    }
}

private func timerBenchmark(armed: Int) {
    Benchmark("timer scheduled and cancelled, \(armed) armed") { benchmark in
        let hourUs: UInt64 = 3_600_000_000
        var generator = SeededGenerator(seed: 1)
        var wheel = TimerWheel(nowUs: 0, capacity: armed + 1)
        for _ in 0..<armed { _ = wheel.schedule(atUs: generator.next() % hourUs, token: 0) }
        benchmark.startMeasurement()
        for _ in benchmark.scaledIterations {
            blackHole(wheel.cancel(wheel.schedule(atUs: generator.next() % hourUs, token: 0)))
        }
    }
}

private func frameBenchmark(frames: Int) {
    Benchmark("frames of 128 B decoded, \(frames) a read") { benchmark in
        var bytes = [UInt8](repeating: 0, count: frames * 128)
        bytes.withUnsafeMutableBytes { memory in
            for frame in 0..<frames {
                FrameHead(kind: .data, payloadCount: 123).store(to: memory.baseAddress! + frame * 128)
            }
        }
        var decoder = FrameDecoder()
        let hello = UnsafeMutableRawPointer.allocate(byteCount: Hello.byteCount, alignment: 1)
        defer { hello.deallocate() }
        Hello.ours.store(to: hello)
        var greeting = UnsafeRawBufferPointer(start: hello, count: Hello.byteCount)
        _ = try? decoder.next(&greeting)
        bytes.withUnsafeBytes { read in
            benchmark.startMeasurement()
            for _ in benchmark.scaledIterations {
                var input = read
                while let event = try? decoder.next(&input) { blackHole(event) }
            }
        }
    }
}

private func storeBenchmarks() {
    let (records, value) = (100_000, [UInt8](repeating: 7, count: 100))
    func key(_ number: Int) -> Key {
        var generator = SeededGenerator(seed: UInt64(number))
        return .random(using: &generator)
    }
    func filled(_ count: Int, lifeUs: UInt64) -> RecordStore {
        var store = RecordStore(budgetBytes: 1 << 30, secret: 1, nowUs: 0)
        for number in 0..<count {
            _ = value.withUnsafeBytes {
                store.put(key(number), seq: 1, expiresAtUs: lifeUs, value: $0, nowUs: 0)
            }
        }
        return store
    }
    Benchmark("record of 100 B got, \(records) stored") { benchmark in
        let store = filled(records, lifeUs: .max / 2)
        var number = 0
        benchmark.startMeasurement()
        for _ in benchmark.scaledIterations {
            number = (number + 7919) % records
            blackHole(store.find(key(number), nowUs: 1)?.seq)
        }
    }
    Benchmark("record of 100 B put anew, \(records) stored") { benchmark in
        var store = filled(records, lifeUs: .max / 2)
        var (number, seq) = (0, UInt64(1))
        benchmark.startMeasurement()
        for _ in benchmark.scaledIterations {
            number = (number + 7919) % records
            seq += 1
            let outcome = value.withUnsafeBytes {
                store.put(key(number), seq: seq, expiresAtUs: .max / 2, value: $0, nowUs: 1)
            }
            blackHole(outcome)
        }
    }
    Benchmark("1000 records expire", configuration: .init(scalingFactor: .one)) { benchmark in
        var store = filled(1000, lifeUs: 1_000_000)
        benchmark.startMeasurement()
        store.sweep(nowUs: 60_000_000)
        blackHole(store.count)
    }
}
