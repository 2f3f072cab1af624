// RO:WHAT  PeerBuckets: one bucket for each peer that asks much, in a table that never grows.
// RO:WHY   A bucket that owes nothing says no more than no bucket, so its place is free for the next peer: only
//          those who are ahead of their pace at this moment need one.
// RO:INVARIANTS  a peer has at most one bucket; four share a cache line, and a peer's hash names its line.
// RO:SECURITY  the hash is keyed: nobody can choose whose line to crowd. Where a line is full of debtors, who
//              comes next shares the bucket that owes least.
// RO:TEST  Tests/DhtLoopTests/Kademlia/AdmissionControlTests.swift

/// What is known of one who asks. 16 bytes.
struct Bucket {
    /// When it owes nothing any more, in ticks of `Pace`.
    var emptyAt: UInt64 = 0
    /// The half of its hash that does not name the line.
    var tag: UInt32 = 0
    /// As `emptyAt`, of the Busy answers it was given: in units of `toldShift`, modulo 2^32.
    var toldUntil: UInt32 = 0

    /// Ticks shifted by this are units of 1024 us.
    static let toldShift: UInt64 = 22

    /// Ticks of debt.
    @inline(__always)
    func owed(_ now: UInt64) -> UInt64 { emptyAt > now ? emptyAt - now : 0 }

    @inline(__always)
    mutating func charge(_ ticks: UInt64, _ now: UInt64) { emptyAt = max(emptyAt, now) &+ ticks }

    @inline(__always)
    static func toldNow(_ now: UInt64) -> UInt32 { UInt32(truncatingIfNeeded: now >> toldShift) }
}

/// A table of buckets, found by a peer's hash.
struct PeerBuckets: ~Copyable {
    private static let bucketsPerLine = 4

    private let memory: UnsafeMutablePointer<Bucket>
    private let lineCount: UInt64

    /// `lineCount` is 1 or more; a line is 64 bytes.
    init(lineCount: Int) {
        self.lineCount = UInt64(max(1, lineCount))
        let count = Int(self.lineCount) * Self.bucketsPerLine
        memory =
            UnsafeMutableRawPointer
            .allocate(byteCount: count * MemoryLayout<Bucket>.stride, alignment: 64)
            .initializeMemory(as: Bucket.self, repeating: Bucket(), count: count)
    }

    deinit { memory.deallocate() }

    /// The bucket of the peer with that hash: its own, an unused one that is now its own, or one to share.
    /// Valid as long as the table.
    @inline(__always)
    func bucket(_ hash: UInt64, _ now: UInt64) -> UnsafeMutablePointer<Bucket> {
        let tag = UInt32(truncatingIfNeeded: hash)
        let first = Int(hash.multipliedFullWidth(by: lineCount).high) * Self.bucketsPerLine
        let line = memory + first
        assert(first + Self.bucketsPerLine <= Int(lineCount) * Self.bucketsPerLine, "a line past the table")
        var least = line
        for index in 0..<Self.bucketsPerLine {
            if line[index].tag == tag { return line + index }
            if line[index].emptyAt < least.pointee.emptyAt { least = line + index }
        }
        if least.pointee.emptyAt <= now { least.pointee = Bucket(tag: tag, toldUntil: Bucket.toldNow(now)) }
        return least
    }
}
