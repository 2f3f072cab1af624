// RO:WHAT  Workload: the records, and what callers are to do next.
// RO:WHY   Operations come at random times at random nodes, at a rate that fills the time given.

import DhtLoop

/// A record of the workload.
struct WorkRecord {
    var key: Key
    /// A replica said that it has it.
    var isAcked = false
}

/// The plan of operations, in two parts: seeding records, then gets and puts that are measured.
struct Workload {
    /// A step that a caller takes.
    enum Step { case seed, get, put }

    /// Version of all records.
    static let seq: UInt64 = 1_000_000

    private(set) var records: [WorkRecord] = []
    private let valueBytes: Int
    private let seed: UInt64
    private var generator: SeededGenerator
    /// Indices of records that a get may ask for.
    private(set) var readable: [Int] = []
    var isMeasuring = false
    /// Operations left, by kind.
    private(set) var seedsLeft = 0
    private(set) var getsLeft = 0
    private(set) var putsLeft = 0
    /// Mean seconds between operations.
    private(set) var gapSeconds = 0.0
    private var nextRecord = 0
    private var seededCount = 0
    private let readLimit: Int

    /// Keys that Sybils sit next to: the first ones.
    static let victims = 4

    init(config: SimConfig) {
        readLimit = config.faults.adversary == .sybil ? Self.victims : .max
        (valueBytes, seed) = (config.workload.valueBytes, config.seed)
        generator = SeededGenerator(seed: Chance.mix(config.seed, 0x5EED))
        for _ in 0..<max(1, config.workload.records) { addRecord() }
    }

    @discardableResult
    private mutating func addRecord() -> Int {
        records.append(WorkRecord(key: .random(using: &generator)))
        return records.count - 1
    }

    /// Records that were put before the measured part, and taken by a replica.
    var seeded: [Int] { (0..<seededCount).filter { records[$0].isAcked } }

    /// Plans one put for each record, within `seconds`.
    mutating func beginSeeding(seconds: Double) {
        seedsLeft = records.count
        seededCount = records.count
        gapSeconds = seconds / Double(max(1, seedsLeft))
    }

    /// Plans the measured operations.
    mutating func beginMeasuring(gets: Int, puts: Int, seconds: Double) {
        isMeasuring = true
        (seedsLeft, getsLeft, putsLeft) = (0, gets, puts)
        gapSeconds = seconds / Double(max(1, gets + puts))
    }

    /// The next step and its record; nil when all is done. Gets and puts are mixed evenly.
    mutating func next(_ chance: inout Chance) -> (step: Step, record: Int)? {
        if seedsLeft > 0 {
            seedsLeft -= 1
            nextRecord += 1
            return (.seed, nextRecord - 1)
        }
        guard getsLeft + putsLeft > 0 else { return nil }
        if chance.below(getsLeft + putsLeft) < putsLeft {
            putsLeft -= 1
            return (.put, addRecord())
        }
        getsLeft -= 1
        guard !readable.isEmpty else { return (.get, 0) }
        return (.get, readable[chance.below(readable.count)])
    }

    /// A replica took the record. Gets may ask for it if it was put to be read; where there are victims, they
    /// ask for those alone.
    mutating func acked(_ record: Int, isMeasured: Bool) {
        records[record].isAcked = true
        if !isMeasured, record < readLimit { readable.append(record) }
    }

    /// The value of a record: its number, then bytes that only this seed gives.
    func value(of record: Int) -> [UInt8] {
        var generator = SeededGenerator(seed: Chance.mix(seed, UInt64(record)))
        var value = [UInt8](repeating: 0, count: valueBytes)
        value.withUnsafeMutableBytes { bytes in
            for offset in stride(from: 0, to: valueBytes - 7, by: 8) {
                bytes.storeBytes(of: generator.next(), toByteOffset: offset, as: UInt64.self)
            }
        }
        return value
    }
}
