// RO:WHAT  What a node tells its admin port besides puts and gets: providers, traces, table, numbers, records.
// RO:WHY   The port turns these values into JSON; where they come from is the node's business.

/// A provider of some content to be made known.
public struct ProvideRequest: Equatable, Sendable {
    /// The content's id.
    public let key: Key
    /// `<scheme>://<id>`, 1...`NodeUri.maxBytes` bytes.
    public let node: String
    /// The life that was asked for; nil for the configured one.
    public let ttlSeconds: UInt64?
}

/// What became of a provide.
public struct ProvideReport: Sendable {
    public var acks: Int
    public var wanted: Int
    public var ttlSeconds: UInt64
    public var failures: [PutReport.Failure]

    public init(acks: Int, wanted: Int, ttlSeconds: UInt64, failures: [PutReport.Failure]) {
        (self.acks, self.wanted, self.ttlSeconds, self.failures) = (acks, wanted, ttlSeconds, failures)
    }
}

/// The providers that were found.
public struct ProvidersReport: Sendable {
    /// Node URIs, no two the same, at most as many as were asked for.
    public var providers: [String]
    /// The closest nodes all answered; false when the deadline cut the search.
    public var isComplete: Bool
    public var search: SearchReport

    public init(providers: [String], isComplete: Bool, search: SearchReport) {
        (self.providers, self.isComplete, self.search) = (providers, isComplete, search)
    }
}

/// How a ping ended.
public enum PingOutcome: Sendable {
    case answered(endpoint: String, rttUs: UInt64)
    /// Nobody could say where that node is.
    case unknown
    case timedOut
}

/// A lookup step by step.
public struct ExplainReport: Sendable {
    /// One request that was sent.
    public struct Step: Sendable {
        public var peer: NodeID
        /// The overlay endpoint that it was asked at.
        public var endpoint: String
        /// Referrals it took to hear of the peer; 0 for one of the own table.
        public var hop: Int
        /// Since the lookup began.
        public var askedAtUs: UInt64
        /// Nil when it never answered.
        public var rttUs: UInt64?
        /// What it said: `value`, `nodes`, `timeout` or another word of a fixed set.
        public var answer: String
        /// Contacts that it named.
        public var contacts: Int

        public init(
            peer: NodeID, endpoint: String, hop: Int, askedAtUs: UInt64, rttUs: UInt64?, answer: String,
            contacts: Int
        ) {
            (self.peer, self.endpoint, self.hop, self.askedAtUs) = (peer, endpoint, hop, askedAtUs)
            (self.rttUs, self.answer, self.contacts) = (rttUs, answer, contacts)
        }
    }

    /// `found`, `not_found` or `timed_out`.
    public var outcome: String
    /// In the order they were asked.
    public var steps: [Step]
    public var search: SearchReport

    public init(outcome: String, steps: [Step], search: SearchReport) {
        (self.outcome, self.steps, self.search) = (outcome, steps, search)
    }
}

/// The routing table.
public struct RoutingReport: Sendable {
    public struct Peer: Sendable {
        public var id: NodeID
        public var endpoint: String
        /// Smoothed; nil when it was never measured.
        public var rttUs: UInt32?
        public var lastSeenAgoUs: UInt64
        /// Unanswered requests since then.
        public var failures: Int
    }

    public var id: NodeID
    public var k: Int
    public var health: TableHealth
    /// The contacts of each of its buckets.
    public var peers: [[Peer]] = []
    /// Nodes that the network seems to have.
    public var networkSizeEstimate = 0.0
    /// How evenly the contacts are spread over networks.
    public var networkEntropyBits = 0.0
}

/// What a node is, has and does, for people.
public struct StatsReport: Sendable {
    public struct Session: Sendable {
        /// The overlay endpoint.
        public var peer: String
        public var isOpen: Bool
        public var isKept: Bool
        /// Frames that wait.
        public var txDepth: Int
    }

    /// A call that ended lately.
    public struct RecentCall: Sendable {
        /// A word such as `put`, `get` or `find`.
        public var op: String
        public var key: Key
        /// A word such as `stored`, `partial`, `found`, `not_found` or `timed_out`.
        public var outcome: String
        public var hops: Int
        public var elapsedUs: UInt64
        public var endedAgoUs: UInt64
    }

    public var id: NodeID
    /// The overlay that it is attached to; empty for none.
    public var home: String
    public var uptimeUs: UInt64
    public var metrics: DhtMetrics
    public var sessions: [Session]
    /// Sessions that others opened to the embedded switch.
    public var switchSessions: Int
    /// Newest first.
    public var recent: [RecentCall]
}

/// A stored record, for debugging.
public struct RecordSummary: Sendable {
    /// A provider of the content that the key names.
    public struct Entry: Sendable {
        public var node: String
        public var leftUs: UInt64
    }

    public var key: Key
    public var byteCount: Int
    public var seq: UInt64
    public var leftUs: UInt64
    public var entries: [Entry] = []
}
