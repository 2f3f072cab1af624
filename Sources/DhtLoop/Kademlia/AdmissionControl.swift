// RO:WHAT  AdmissionControl: which requests are answered, which with Busy, and which not at all.
// RO:WHY   A flood must slow the flooder and nobody else. Each peer has a bucket; and the fuller the bucket of
//          all is, the more a request costs its sender, so that those who ask most are refused first.
// RO:INVARIANTS  a refused request costs nothing; memory is fixed; nothing is allocated after `init`.
// RO:SECURITY  Busy is rationed as well: answering a flood must not become one.
// RO:TEST  Tests/DhtLoopTests/Kademlia/AdmissionControlTests.swift

/// What becomes of a request.
public enum Admission: Equatable, Sendable {
    case admitted
    /// To be answered with Busy; there is room again in `retryMs` milliseconds.
    case busy(retryMs: UInt64)
    /// To be dropped without an answer.
    case dropped
}

/// The buckets of a node.
public struct AdmissionControl: ~Copyable {
    /// Lines of the table of peers: 16 KiB.
    static let lineCount = 256
    /// What a peer may be told to wait, in milliseconds.
    static let retryRangeMs: ClosedRange<UInt64> = 1...60_000
    /// Busy answers that a peer may get at once, for what it had sent before it heard the first; then it gets one
    /// in each retry time.
    static let busyBurst: UInt32 = 64
    /// No bucket is further ahead with its Busy answers.
    private static let mostTold = busyBurst * UInt32(retryRangeMs.upperBound)
    /// The price of a request doubles so often while the second half of the common bucket fills.
    static let priceDoublings: UInt64 = 10

    private let peerPace: Pace?
    private let commonPace: Pace?
    private let peers: PeerBuckets
    private var common = Bucket()
    private let secret0: UInt64
    private let secret1: UInt64

    /// Rates are in requests a second; 0 is no limit. `secret` keys the hash of peers.
    public init(perPeer: Int, common: Int, secret: UInt64) {
        peerPace = Pace(perSecond: perPeer)
        commonPace = Pace(perSecond: common)
        peers = PeerBuckets(lineCount: peerPace == nil ? 1 : Self.lineCount)
        var generator = SeededGenerator(seed: secret)
        (secret0, secret1) = (generator.next() | 1, generator.next() | 1)
    }

    /// Whether there is any limit.
    public var isOn: Bool { peerPace != nil || commonPace != nil }

    /// Judges a request that came over `link` and says that it is from `src`.
    ///
    /// A session of the embedded switch is one peer, whatever ids it claims. Over a session that we opened comes
    /// everybody behind that overlay: there the id has to do, and the common bucket is what no id escapes.
    ///
    /// - Parameter cost: requests that it counts as, 1 or more: a batch counts its records. One that begins within
    ///   the limit is admitted whole.
    @inline(__always)
    public mutating func admit(
        _ link: Link, src: NodeID, cost: UInt64 = 1, nowUs: UInt64
    ) -> Admission {
        assert(cost > 0, "a request that counts as none")
        let now = nowUs &* Pace.ticksPerUs
        guard let pace = peerPace else { return admitToCommon(cost, now) }
        let bucket = peers.bucket(hash(link, src), now)
        let owed = bucket.pointee.owed(now)
        guard owed <= pace.tolerance else {
            return Self.refuse(&bucket.pointee, forTicks: owed - pace.tolerance, now)
        }
        var price = pace.interval * cost
        if let commonPace {
            let owedByAll = common.owed(now)
            guard owedByAll <= commonPace.tolerance else {
                return Self.refuse(&bucket.pointee, forTicks: owedByAll - commonPace.tolerance, now)
            }
            price <<= Self.doublings(owedByAll, of: commonPace.tolerance)
            common.charge(commonPace.interval * cost, now)
        }
        bucket.pointee.charge(price, now)
        return .admitted
    }

    /// There is no limit for a single peer.
    private mutating func admitToCommon(_ cost: UInt64, _ now: UInt64) -> Admission {
        guard let pace = commonPace else { return .admitted }
        let owed = common.owed(now)
        guard owed <= pace.tolerance else {
            return Self.refuse(&common, forTicks: owed - pace.tolerance, now)
        }
        common.charge(pace.interval * cost, now)
        return .admitted
    }

    /// 0 while the common bucket is at most half full, then rising to `priceDoublings`.
    ///
    /// Where all together ask for more than the common rate, the price settles at which those who ask most use up
    /// their own buckets: each gets what it asks for, or an equal share.
    @inline(__always)
    private static func doublings(_ owed: UInt64, of tolerance: UInt64) -> UInt64 {
        assert(owed <= tolerance, "a price where nothing is admitted")
        let half = tolerance / 2
        return owed <= half ? 0 : (owed - half) * priceDoublings / max(1, tolerance - half)
    }

    /// Busy, or nothing when that was said often enough.
    private static func refuse(_ bucket: inout Bucket, forTicks ticks: UInt64, _ now: UInt64) -> Admission {
        let waitMs = (ticks + Pace.ticksPerMs - 1) / Pace.ticksPerMs
        let retryMs = min(max(waitMs, retryRangeMs.lowerBound), retryRangeMs.upperBound)
        assert(ticks > 0 && retryMs > 0, "a request within its limit is refused")
        let (step, toldNow) = (UInt32(retryMs), Bucket.toldNow(now))
        let sinceTold = bucket.toldUntil &- toldNow
        // A number left behind 49 days ago looks like the future.
        let ahead = sinceTold <= mostTold ? sinceTold : 0
        guard ahead <= (busyBurst - 1) * step else { return .dropped }
        bucket.toldUntil = toldNow &+ ahead &+ step
        return .busy(retryMs: retryMs)
    }

    @inline(__always)
    private func hash(_ link: Link, _ src: NodeID) -> UInt64 {
        let isOwnSession = link.token != Link.dialled
        let (a, b) = isOwnSession ? (link.token, 0) : (src.w0 ^ src.w2, src.w1 ^ src.w3)
        let mixed = (a ^ secret0).multipliedFullWidth(by: b ^ secret1)
        let again = (mixed.high ^ mixed.low).multipliedFullWidth(by: secret0)
        return again.high ^ again.low
    }
}
