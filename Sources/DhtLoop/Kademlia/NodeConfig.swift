// RO:WHAT  NodeConfig: what a DhtNode is told at birth.
// RO:WHY   The node reads no environment; the daemon, the simulator and tests fill this in.

/// Parameters of one node. The daemon clamps them before they get here.
public struct NodeConfig: Sendable {
    public var id: NodeID
    /// Network id; frames of another network are dropped.
    public var net = UInt64(NodeSettings.all.network.initial)
    /// Bucket size, and how many closest nodes a lookup converges on: 1...64.
    public var k = NodeSettings.all.k.initial
    /// Requests a lookup keeps in flight: 1...k.
    public var alpha = NodeSettings.all.alpha.initial
    /// Requests that a call may send beyond alpha, one for each peer that is overdue: 0...alpha.
    public var beta = NodeSettings.all.beta.initial
    /// Disjoint paths of a lookup whose caller names no other number: 1...`maxPaths`.
    public var paths = 1
    /// Most disjoint paths.
    public static let maxPaths = 8
    /// Contacts of each bucket to which sessions are kept open, so that a lookup's first requests meet no cold
    /// one: 0...k; 0: none are.
    public var warmPerBucket = NodeConfig.initialWarmPerBucket
    public static let initialWarmPerBucket = 8
    /// Steps that a lookup's first requests may be passed on by those who have sessions open: 0...`Limits.recursion`.
    public var recursion = UInt8(NodeSettings.all.recursion.initial)
    /// Share of a bucket and of the table that contacts of one network may hold, once others could fill their
    /// places: 0...1; 1: any.
    public var diversityShare = Double(NodeSettings.all.diversity.initial) / 100
    /// Replicas of a record: 1...k.
    public var replica = NodeSettings.all.replica.initial
    /// Upper bound of one RPC, in microseconds.
    public var timeoutUs = UInt64(NodeSettings.all.timeoutMs.initial) * 1000
    /// Upper bound of a whole put or get, in microseconds.
    public var deadlineUs = UInt64(NodeSettings.all.deadlineMs.initial) * 1000
    /// Life of a record whose publisher names none, in seconds.
    public var ttlSeconds = UInt64(NodeSettings.all.ttlSeconds.initial)
    /// Time in which each record that was put here with the default life is refreshed, in microseconds; 0: none is.
    public var republishUs = UInt64(NodeSettings.all.republishSeconds.initial) * 1_000_000
    /// Longest life anyone may ask for, in seconds.
    public var maxTtlSeconds = UInt64(NodeSettings.mostTtlSeconds)
    /// Life of a provider record whose announcer names none, in seconds: what the original served.
    static let providerTtlSeconds: UInt64 = 600
    /// Bytes of one value.
    public var maxValueBytes = NodeSettings.all.maxValueBytes.initial
    /// One part in so many of the memory budget is for provider records.
    static let providerShare = 8

    /// Bytes of memory for stored records and providers.
    public var memoryBudget = NodeSettings.all.memoryBytes.initial
    /// Pending RPCs; beyond it a lookup waits for its running ones.
    public var maxRpcs = 4096
    /// Calls at a time; beyond it a caller is told to come back.
    public var maxCalls = 1024
    /// Time between looks around, in microseconds: a lookup of the own id and of a random one.
    public var refreshUs: UInt64 = 600_000_000

    /// Requests a second that one peer, and all together, may ask; 0 is no limit. `DhtNode.setRates` changes them.
    public var peerRequestsPerSecond = 0
    public var requestsPerSecond = 0

    public init(id: NodeID) { self.id = id }
}
