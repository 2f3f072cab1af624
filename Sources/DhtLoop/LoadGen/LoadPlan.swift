// RO:WHAT  LoadPlan: which requests a load generator sends, how many at a time or how fast.
// RO:WHY   Closed loop shows what a server can do, open loop what its users see: both are asked for.
// RO:TEST  Tests/DhtLoopTests/LoadGen/LoadRunnerTests.swift

/// What a request asks.
public enum LoadOp: UInt8, CaseIterable, Sendable {
    case ping, findNode, get, put
    /// A frame from one session of the generator to the next one, through the switch: no node takes part.
    case relay

    /// The name on the command line and in reports.
    public var label: String {
        switch self {
        case .ping: "ping"
        case .findNode: "find_node"
        case .get: "get"
        case .put: "put"
        case .relay: "relay"
        }
    }
}

/// Operations with their weights.
public struct LoadMix: Equatable, Sendable {
    /// An operation and how often it is drawn, against the sum of all weights.
    public struct Share: Equatable, Sendable {
        public var op: LoadOp
        public var weight: Int

        /// `weight` is 1 or more.
        public init(_ op: LoadOp, weight: Int = 1) { (self.op, self.weight) = (op, weight) }
    }

    public let shares: [Share]
    private let total: Int

    /// `shares` is not empty.
    public init(_ shares: [Share]) {
        precondition(!shares.isEmpty && shares.allSatisfy { $0.weight > 0 }, "a mix has something to draw")
        self.shares = shares
        total = shares.reduce(0) { $0 + $1.weight }
    }

    /// Draws one operation.
    @inline(__always)
    func draw(using generator: inout SeededGenerator) -> LoadOp {
        if shares.count == 1 { return shares[0].op }
        var ticket = Int.random(in: 0..<total, using: &generator)
        for share in shares {
            ticket -= share.weight
            if ticket < 0 { return share.op }
        }
        return shares[shares.count - 1].op
    }
}

/// When the next request is sent.
public enum LoadPace: Equatable, Sendable {
    /// Closed loop: this many are in flight at all times.
    case inFlight(Int)
    /// Open loop: one every 1/perSecond s, whether earlier ones were answered or not. Latency is measured from
    /// the instant a request was meant to leave, so that a server that stalls cannot hide it.
    case rate(perSecond: Double)
}

/// When a run stops sending.
public enum LoadLimit: Equatable, Sendable {
    case requests(UInt64)
    case seconds(Double)
}

/// One load.
public struct LoadPlan: Sendable {
    /// Requests that may wait for their answer in an open loop; past that the next ones are late.
    public static let maxInFlight = 1 << 16

    /// The switch to talk to.
    public var overlay: SocketAddress
    /// The node to ask; nil to ask whoever answers a Ping to any.
    public var target: NodeID?
    public var net: UInt64 = 0
    /// Connections, between which requests take turns. A relay needs two.
    public var sessions = 1
    public var mix = LoadMix([.init(.findNode)])
    public var pace = LoadPace.inFlight(64)
    /// Distinct keys of get and put.
    public var keys: UInt64 = 1000
    /// Bytes of a value that is put.
    public var valueBytes = 100
    /// Life of a value that is put.
    public var ttlSeconds: UInt64 = 3600
    /// Without an answer for this long a request is lost.
    public var timeoutUs: UInt64 = 2_000_000
    /// Feeds ids, keys and the mix: the same seed asks for the same keys.
    public var seed: UInt64 = 1

    public init(overlay: SocketAddress) { self.overlay = overlay }

    /// Requests in flight at most.
    var window: Int {
        switch pace {
        case .inFlight(let count): count
        case .rate: Self.maxInFlight
        }
    }
}

/// What came of a run's requests. Each request that was sent is answered or lost, once.
public struct LoadTally: Equatable, Sendable {
    public internal(set) var sent: UInt64 = 0
    public internal(set) var answered: UInt64 = 0
    /// Not answered within the time-out.
    public internal(set) var lost: UInt64 = 0
    /// Of those answered: with Busy, Error, Unreachable, or a Stored that says no.
    public internal(set) var refused: UInt64 = 0
    /// Of those refused: with Busy.
    public internal(set) var busy: UInt64 = 0
    /// Of those answered: gets without a value.
    public internal(set) var notFound: UInt64 = 0
    /// Contacts in the answers.
    public internal(set) var contacts: UInt64 = 0
    /// Answers to requests that were lost already, or that nobody asked.
    public internal(set) var stray: UInt64 = 0
    /// Payloads that are no envelope.
    public internal(set) var unreadable: UInt64 = 0
    /// From the first request to the last answer.
    public internal(set) var elapsedNs: UInt64 = 0

    /// Answered requests a second.
    public var perSecond: Double { elapsedNs == 0 ? 0 : Double(answered) * 1e9 / Double(elapsedNs) }
}
