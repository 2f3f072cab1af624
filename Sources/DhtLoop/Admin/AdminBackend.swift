// RO:WHAT  What the admin port needs from a service, and what the service says back.
// RO:WHY   The port knows HTTP and JSON, the service knows the network; they meet in these values.

/// A service as its admin port sees it. It outlives the port.
public protocol AdminBackend: AnyObject {
    /// The gates of readiness, as they are now.
    var readiness: ReadinessReport { get }

    /// Writes every family of the service's metrics, process metrics included.
    func renderMetrics(into page: inout PrometheusText)
}

/// A node as its admin port sees it. Each start is followed by one `AdminServer.complete` for its ticket, from within
/// the call or later; the backend's own deadline bounds how much later.
public protocol NodeBackend: AdminBackend {
    func startPut(_ request: PutRequest, ticket: AdminTicket, nowUs: UInt64)
    /// `paths` is how many disjoint paths to walk on, nil for the node's own number; so it is below.
    func startGet(_ key: Key, paths: Int?, ticket: AdminTicket, nowUs: UInt64)
    /// Puts a tombstone; completed as a put is.
    func startDelete(_ key: Key, ifMatch: UInt64?, ticket: AdminTicket, nowUs: UInt64)
    func startProvide(_ request: ProvideRequest, ticket: AdminTicket, nowUs: UInt64)
    /// Looks for at most `limit` providers of `key`.
    func startFindProviders(_ key: Key, limit: Int, paths: Int?, ticket: AdminTicket, nowUs: UInt64)
    /// Asks the node `id` for a sign of life, wherever the routing table or a lookup finds it.
    func startPing(_ id: NodeID, ticket: AdminTicket, nowUs: UInt64)
    /// Gets `key` and keeps book of the lookup.
    func startExplain(_ key: Key, paths: Int?, ticket: AdminTicket, nowUs: UInt64)

    func stats(nowUs: UInt64) -> StatsReport
    func routing(nowUs: UInt64) -> RoutingReport
    /// At most `limit` of the stored records.
    func records(limit: Int, nowUs: UInt64) -> [RecordSummary]
}

/// A value to be stored.
public struct PutRequest {
    public let key: Key
    /// Borrowed: valid until `startPut` returns.
    public let value: UnsafeRawBufferPointer
    /// The life that was asked for; nil for the configured one.
    public let ttlSeconds: UInt64?
    /// Disjoint paths to find the closest nodes on; nil for the node's own number.
    public let paths: Int?
    /// The version that must be there; nil for any, or none.
    public let ifMatch: UInt64?
}

/// Whether a service is ready, and why not.
public struct ReadinessReport: Sendable {
    /// One condition, with the numbers it is made from.
    public struct Gate: Sendable {
        public let name: String
        public let isOpen: Bool
        public let numbers: [(name: String, value: Int)]

        public init(_ name: String, isOpen: Bool, numbers: [(name: String, value: Int)] = []) {
            (self.name, self.isOpen, self.numbers) = (name, isOpen, numbers)
        }
    }

    public let gates: [Gate]
    /// When it is worth asking again.
    public let retryAfterSeconds: Int

    public init(gates: [Gate], retryAfterSeconds: Int = 1) {
        (self.gates, self.retryAfterSeconds) = (gates, retryAfterSeconds)
    }

    /// Every gate is open.
    public var isReady: Bool { gates.allSatisfy(\.isOpen) }
}

/// Why a call was not even tried.
public enum CallRefusal: Equatable, Sendable {
    case notReady(retryAfterSeconds: Int)
    /// Too many calls are running.
    case busy(retryAfterSeconds: Int)
    /// The service ends.
    case stopping
    /// This build cannot do it.
    case unsupported
}

/// How a call that was started for a ticket has ended.
public enum CallOutcome {
    /// The closest nodes were asked to store the value, or the tombstone; under `wanted` acks it is a partial success.
    case stored(PutReport)
    /// `If-Match` named another version than the one that is there.
    case conflict(currentSeq: UInt64?)
    case found(FoundValue, SearchReport)
    /// The closest nodes all answered, and none has it.
    case notFound(SearchReport)
    /// The deadline cut the search: it may exist.
    case timedOut(SearchReport)
    case provided(ProvideReport)
    /// The providers that were found, if any.
    case providers(ProvidersReport)
    case pinged(PingOutcome)
    case explained(ExplainReport)
    /// It was not even tried.
    case refused(CallRefusal)
}

/// What became of a put.
public struct PutReport: Sendable {
    /// A node that did not store the value.
    public struct Failure: Sendable {
        public let peer: NodeID
        /// A word such as `timeout` or `no_space`.
        public let cause: String

        public init(peer: NodeID, cause: String) { (self.peer, self.cause) = (peer, cause) }
    }

    public var acks: Int
    public var wanted: Int
    public var ttlSeconds: UInt64
    /// Seconds since 1970.
    public var expiresAtSeconds: UInt64
    public var hops: Int
    public var elapsedUs: UInt64
    public var failures: [Failure]

    public init(
        acks: Int, wanted: Int, ttlSeconds: UInt64, expiresAtSeconds: UInt64, hops: Int, elapsedUs: UInt64,
        failures: [Failure]
    ) {
        (self.acks, self.wanted, self.ttlSeconds) = (acks, wanted, ttlSeconds)
        (self.expiresAtSeconds, self.hops, self.elapsedUs) = (expiresAtSeconds, hops, elapsedUs)
        self.failures = failures
    }
}

/// A value as it was found.
public struct FoundValue {
    /// Borrowed: valid until `AdminServer.complete` returns.
    public let bytes: UnsafeRawBufferPointer
    public let seq: UInt64
    /// Seconds the record has left.
    public let ttlSeconds: UInt64

    public init(bytes: UnsafeRawBufferPointer, seq: UInt64, ttlSeconds: UInt64) {
        (self.bytes, self.seq, self.ttlSeconds) = (bytes, seq, ttlSeconds)
    }
}

/// How far a search went.
public struct SearchReport: Equatable, Sendable {
    public let hops: Int
    public let elapsedUs: UInt64

    public init(hops: Int, elapsedUs: UInt64) { (self.hops, self.elapsedUs) = (hops, elapsedUs) }
}
