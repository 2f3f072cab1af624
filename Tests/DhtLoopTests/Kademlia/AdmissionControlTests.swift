// RO:WHAT  AdmissionControl against what it promises: rates, shares, and rationed Busy answers.
import Testing

@testable import DhtLoop

@Suite("AdmissionControl")
struct AdmissionControlTests {
    static let second: UInt64 = 1_000_000

    func session(_ number: UInt64) -> Link { Link(endpoint: EndpointID(rawValue: 1), token: number) }

    func isAdmitted(_ admission: Admission) -> Bool { admission == .admitted }

    @Test("no rate is no limit")
    func off() {
        var control = AdmissionControl(perPeer: 0, common: 0, secret: 1)
        let isOn = control.isOn
        #expect(!isOn)
        for _ in 0..<100_000 {
            let admission = control.admit(session(1), src: .zero, nowUs: 5)
            #expect(admission == .admitted)
        }
    }

    @Test(
        "a burst is a quarter of a second's worth, and at least 32",
        arguments: [(1, 32), (200, 50), (20_000, 5000)])
    func burst(rate: Int, expected: Int) {
        var control = AdmissionControl(perPeer: rate, common: 0, secret: 1)
        var admitted = 0
        for _ in 0..<expected * 3 {
            if control.admit(session(1), src: .zero, nowUs: 77) == .admitted { admitted += 1 }
        }
        #expect(admitted == expected)
    }

    /// Times of requests, in microseconds: now and then a batch or a pause, on average `load` times the rate.
    func arrivals(rate: Double, load: Double, _ generator: inout SeededGenerator) -> [UInt64] {
        var times: [UInt64] = []
        var nowUs = Double(UInt64.random(in: 1...(1 << 50), using: &generator))
        for _ in 0..<500 {
            let batch = Int.random(in: 1...200, using: &generator)
            nowUs += Double.random(in: 0...2, using: &generator) * Double(batch) * 1e6 / (rate * load)
            times += [UInt64](repeating: UInt64(nowUs), count: batch)
        }
        return times
    }

    /// The most that any window holds beyond what the rate allows in its length.
    func excess(of times: [UInt64], rate: Double) -> Double {
        var (most, least) = (0.0, Double.infinity)
        for (index, time) in times.enumerated() {
            let allowed = Double(time - times[0]) * rate / 1e6
            least = min(least, Double(index) - allowed)
            most = max(most, Double(index) + 1 - allowed - least)
        }
        return most
    }

    @Test("no window holds more than the rate allows and a burst", arguments: 1...40)
    func rateHolds(seed: Int) throws {
        var generator = SeededGenerator(seed: UInt64(seed))
        let rate = Int(Double(10_000_000) * pow(Double.random(in: 0...1, using: &generator), 8)) + 1
        let isCommon = seed % 2 == 0
        var control = AdmissionControl(
            perPeer: isCommon ? 0 : rate, common: isCommon ? rate : 0, secret: generator.next())
        let times = arrivals(
            rate: Double(rate), load: .random(in: 0.5...20, using: &generator), &generator)
        var admitted: [UInt64] = []
        for (index, time) in times.enumerated() {
            let src = NodeID.random(using: &generator)
            let link = isCommon ? session(UInt64(index)) : session(7)
            if control.admit(link, src: src, nowUs: time) == .admitted { admitted.append(time) }
        }
        let burst = Double(try #require(Pace(perSecond: rate)).burst)
        let most = excess(of: admitted, rate: Double(rate))
        #expect(most <= burst + 0.001, "seed \(seed), rate \(rate): \(most) of \(burst)")
    }

    /// x to a small whole power.
    func pow(_ x: Double, _ n: Int) -> Double { (0..<n).reduce(1) { product, _ in product * x } }

    @Test("who always asks gets the whole rate", arguments: [1, 10, 333, 20_000, 1_000_000])
    func wholeRate(rate: Int) {
        var control = AdmissionControl(perPeer: rate, common: 0, secret: 3)
        var admitted = 0
        let seconds = rate < 1000 ? 100 : 2
        let stepUs = max(1, 500_000 / UInt64(rate))
        for time in stride(from: 0, to: UInt64(seconds) * Self.second, by: Int(stepUs)) {
            for _ in 0..<3 where control.admit(session(1), src: .zero, nowUs: time) == .admitted {
                admitted += 1
            }
        }
        #expect(Double(admitted) >= Double(rate * seconds) * 0.998, "\(admitted) of \(rate * seconds)")
    }

    @Test("a peer's flood costs another peer nothing")
    func others() {
        var control = AdmissionControl(perPeer: 100, common: 0, secret: 3)
        for time in 0..<UInt64(50_000) {
            _ = control.admit(session(1), src: .zero, nowUs: time * 100)
            guard time % 200 == 0 else { continue }
            let admission = control.admit(session(2), src: .zero, nowUs: time * 100)
            #expect(admission == .admitted)
        }
    }

    @Test("a session is one peer whatever ids it claims; over a session of ours ids are peers")
    func whoIsWho() {
        var generator = SeededGenerator(seed: 5)
        var control = AdmissionControl(perPeer: 1, common: 0, secret: 3)
        var admitted = 0
        for _ in 0..<100
        where control.admit(session(1), src: .random(using: &generator), nowUs: 9) == .admitted {
            admitted += 1
        }
        #expect(admitted == 32)
        let dialled = Link(endpoint: EndpointID(rawValue: 1))
        for _ in 0..<100 {
            let admission = control.admit(dialled, src: .random(using: &generator), nowUs: 9)
            #expect(admission == .admitted)
        }
        let own = NodeID(1, 2, 3, 4)
        admitted = 0
        for _ in 0..<100 where control.admit(dialled, src: own, nowUs: 9) == .admitted { admitted += 1 }
        #expect(admitted == 32)
    }

    @Test("any number of ids fits, and who comes again after a while has its whole burst")
    func bounded() {
        var generator = SeededGenerator(seed: 6)
        var control = AdmissionControl(perPeer: 1000, common: 0, secret: 3)
        let dialled = Link(endpoint: EndpointID(rawValue: 1))
        for _ in 0..<100_000 { _ = control.admit(dialled, src: .random(using: &generator), nowUs: 9) }
        var admitted = 0
        for _ in 0..<1000
        where control.admit(dialled, src: NodeID(1, 2, 3, 4), nowUs: 2 * Self.second) == .admitted {
            admitted += 1
        }
        #expect(admitted == 250)
    }

    /// What each may have of `total` when nobody who wants more gets less than another.
    func fairShare(of demands: [Double], total: Double) -> Double {
        var (left, share) = (total, 0.0)
        for (index, demand) in demands.sorted().enumerated() {
            share = left / Double(demands.count - index)
            if demand >= share { return share }
            left -= demand
        }
        return .infinity
    }

    @Test("where all together ask too much, those who ask little are not refused", arguments: 1...20)
    func shares(seed: Int) {
        var generator = SeededGenerator(seed: UInt64(seed))
        let common = Double(Int.random(in: 200...2000, using: &generator))
        let demands = (0..<Int.random(in: 2...12, using: &generator)).map { _ in
            common * pow(Double.random(in: 0.05...1.2, using: &generator), 3)
        }
        var control = AdmissionControl(
            perPeer: Int(common) / 2, common: Int(common), secret: generator.next())
        var next = demands.map { Double.random(in: 0...1e6 / $0, using: &generator) }
        var (admitted, refused) = (demands.map { _ in 0 }, demands.map { _ in 0 })
        let seconds = 10.0
        while let peer = next.indices.min(by: { next[$0] < next[$1] }), next[peer] < seconds * 1e6 {
            let admission = control.admit(session(UInt64(peer)), src: .zero, nowUs: UInt64(next[peer]))
            // In its first second a flood still lives on its bursts.
            if admission == .admitted { admitted[peer] += 1 } else if next[peer] > 1e6 { refused[peer] += 1 }
            next[peer] += Double.random(in: 0...2, using: &generator) * 1e6 / demands[peer]
        }
        let share = fairShare(of: demands, total: common)
        for peer in demands.indices where demands[peer] < share / 3 {
            #expect(refused[peer] == 0, "seed \(seed): \(demands[peer]) a second of a share of \(share)")
        }
        let all = Double(admitted.reduce(0, +))
        let burst = common / 4 + 32
        #expect(all <= common * seconds + burst, "seed \(seed)")
        let wanted = demands.reduce(0) { $0 + min($1, common / 2) }
        #expect(all >= min(common, wanted) * seconds * 0.95 - burst, "seed \(seed): \(all)")
    }

    @Test("what was on its way when a peer was told Busy is told so too, then one a retry time")
    func busyIsRationed() {
        var control = AdmissionControl(perPeer: 10, common: 0, secret: 3)
        var (admitted, busy, dropped) = (0, 0, 0)
        func count(_ admission: Admission) {
            switch admission {
            case .admitted: admitted += 1
            case .busy(let retryMs):
                #expect((1...100).contains(retryMs))
                busy += 1
            case .dropped: dropped += 1
            }
        }
        for _ in 0..<1000 { count(control.admit(session(1), src: .zero, nowUs: 0)) }
        #expect(admitted == 32 && busy == 64 && dropped == 904)
        (admitted, busy, dropped) = (0, 0, 0)
        for time in 1...UInt64(100_000) { count(control.admit(session(1), src: .zero, nowUs: time * 100)) }
        #expect(admitted == 100)
        #expect((1...150).contains(busy), "\(busy) in ten seconds at a retry time of up to 100 ms")
    }

    @Test("a batch counts as what is in it")
    func batches() {
        var control = AdmissionControl(perPeer: 1000, common: 0, secret: 3)
        var admitted = 0
        for time in 0..<UInt64(100_000)
        where control.admit(session(1), src: .zero, cost: 64, nowUs: time * 100) == .admitted {
            admitted += 64
        }
        #expect((10_000...10_400).contains(admitted))
    }

    @Test("a retry time is when there is room again", arguments: [1, 7, 100, 3000, 50_000])
    func retry(rate: Int) throws {
        var control = AdmissionControl(perPeer: rate, common: 0, secret: 3)
        var nowUs: UInt64 = 12_345
        for _ in 0..<20 {
            var admission = Admission.admitted
            while admission == .admitted { admission = control.admit(session(1), src: .zero, nowUs: nowUs) }
            guard case .busy(let retryMs) = admission else { throw NotBusy() }
            if rate <= 100 {
                let early = control.admit(session(1), src: .zero, nowUs: nowUs + (retryMs - 1) * 1000)
                #expect(early != .admitted)
            }
            nowUs += retryMs * 1000
            let admission2 = control.admit(session(1), src: .zero, nowUs: nowUs)
            #expect(admission2 == .admitted)
        }
    }

    struct NotBusy: Error {}

    @Test("Busy is heard after weeks of uptime as on the first day", arguments: [0, 20, 30, 49, 50, 75, 400])
    func uptime(days: UInt64) {
        var control = AdmissionControl(perPeer: 1, common: 0, secret: 3)
        let nowUs = days * 86_400 * Self.second
        for _ in 0..<32 { _ = control.admit(session(1), src: .zero, nowUs: nowUs) }
        let admission = control.admit(session(1), src: .zero, nowUs: nowUs)
        #expect(admission == .busy(retryMs: 1000))
    }
}
