// RO:WHAT  SimConfig: everything that, with the code, decides the outcome of a run.
// RO:WHY   The report repeats it, so that a line of output can be run again.

import DhtLoop

/// How an adversary misbehaves. It joins honestly, and turns when the measured part of a run begins.
public enum AdversaryKind: String, CaseIterable, Sendable {
    case none
    /// Its overlay takes sessions and frames, and nothing ever comes back.
    case silent
    /// Answers with made-up contacts near the target and real ones far from it; says it stores, and does not.
    case liar
    /// Sits next to a few keys, knows nothing of their records, and names only its own kind.
    case sybil
    /// Answers each get with a value of its own making and the highest version.
    case forger
    /// Sends requests as fast as it may to everyone it knows of, and is honest otherwise.
    case flooder
}

/// Whether a first frame may leave with the SYN.
public enum FastOpen: String, CaseIterable, Sendable {
    case off
    /// Towards a site that this one has had a session with before.
    case cookie
    /// Always: both kernels are told to do without cookies.
    case always
}

/// The population and the parameters of its nodes, which begin with the daemon's defaults.
public struct NodeOptions: Sendable {
    /// Nodes at a time.
    public var count = 1000
    /// Bucket size.
    public var k = NodeSettings.all.k.initial
    /// Requests a lookup keeps in flight.
    public var alpha = NodeSettings.all.alpha.initial
    /// Extra requests a lookup may send when a peer is late.
    public var beta = NodeSettings.all.beta.initial
    /// Disjoint paths of a lookup.
    public var paths = 1
    /// Contacts of each bucket to which sessions are kept open.
    public var warmPerBucket = NodeConfig.initialWarmPerBucket
    /// Steps that a lookup's first requests may be passed on.
    public var recursion = NodeSettings.all.recursion.initial
    /// Replicas of a record.
    public var replica = NodeSettings.all.replica.initial
    /// Seconds in which a node refreshes each record that was put there.
    public var republishSeconds = NodeSettings.all.republishSeconds.initial
    /// Upper bound of one request, in milliseconds.
    public var timeoutMs = NodeSettings.all.timeoutMs.initial
    /// Upper bound of one put or get, in milliseconds.
    public var deadlineMs = NodeSettings.all.deadlineMs.initial
    /// Requests a second that a node answers: of one peer, and of all together; 0: no limit.
    public var peerRps = 0
    public var globalRps = 0
    /// Shared overlays with nodes behind them; 0: each node has an embedded one.
    public var hubs = 0

    public init() {}
}

/// What callers do. The parts of a run follow each other: join, settle, seed, measure.
public struct WorkloadOptions: Sendable {
    /// Gets in the measured part.
    public var lookups = 1000
    /// Puts in the measured part.
    public var puts = 100
    /// Records put, and expected to be found later, before the measured part.
    public var records = 100
    /// Bytes of a value; at least 8.
    public var valueBytes = 100
    /// Seconds in which all nodes join, evenly spread; 0: a hundred a second.
    public var joinSeconds = 0.0
    public var settleSeconds = 120.0
    public var seedSeconds = 60.0
    public var measureSeconds = 600.0
    /// Records that one node puts when the measured part begins, as fast as it may.
    public var publish = 0
    /// Points of the time series.
    public var samples = 20

    public init() {}
}

/// The network without faults.
public struct NetworkOptions: Sendable {
    /// One-way latency, in milliseconds: nothing is faster than the floor, a tenth of all pairs is faster than
    /// p10, a tenth slower than p90.
    public var floorMs = 10.0
    public var p10Ms = 20.0
    public var p90Ms = 60.0
    /// A packet takes up to this share longer than its pair's base.
    public var jitter = 0.1
    /// Bits a second of one session, each way, in thousands; 0: no limit.
    public var sessionKbps = 0

    public init() {}
}

/// Sessions, as the daemon's pool keeps them, and what could be done better.
public struct SessionOptions: Sendable {
    /// Seconds without a frame after which a session is closed.
    public var idleSeconds = 120.0
    /// Sessions that one node may have dialled at a time.
    public var cap = 256
    /// Seconds after which a connection to a silent host is given up.
    public var connectSeconds = 2.0
    /// Seconds after which an open session to a silent host is given up.
    public var userTimeoutSeconds = 30.0
    public var fastOpen = FastOpen.off
    /// A session that the other side opened is used as well.
    public var isBidirectional = false
    /// Contacts of a reply, the nearest to its target first, to which a session is opened at once.
    public var dialAhead = 0

    public init() {}
}

/// What goes wrong.
public struct FaultOptions: Sendable {
    /// Shares of frames that vanish, come twice, or are overtaken.
    public var loss = 0.0
    public var duplication = 0.0
    public var reordering = 0.0
    /// Share of nodes that are ten times slower.
    public var stragglers = 0.0
    /// Share of nodes that die silently when the measured part begins.
    public var deadFraction = 0.0
    /// Whether nodes that crash by churn leave without a word; else their host refuses connections.
    public var isDeadSilent = false
    /// Median length of a node's life in seconds; 0: it stays.
    public var churnMedianSeconds = 0.0
    /// Weibull shape of it; 1 is exponential.
    public var churnShape = 1.0
    /// Mean seconds until a crashed node is back with its id; 0: a new node takes its place at once.
    public var returnSeconds = 0.0
    /// Seconds for which the network is in two halves, from a minute into the measured part.
    public var partitionSeconds = 0.0
    /// Whether only frames from one half to the other are lost.
    public var isPartitionOneWay = false
    /// Seconds for which the first hub is down, from a minute into the measured part.
    public var hubDownSeconds = 0.0
    public var adversary = AdversaryKind.none
    public var adversaryFraction = 0.0
    /// Requests a second of each flooder.
    public var floodRate = 20.0
    /// Nodes that each flooder asks, always the same; 0: all.
    public var floodVictims = 0

    public init() {}
}

/// A run.
public struct SimConfig: Sendable {
    public var seed: UInt64 = 1
    public var nodes = NodeOptions()
    public var workload = WorkloadOptions()
    public var network = NetworkOptions()
    public var sessions = SessionOptions()
    public var faults = FaultOptions()
    /// Events between two checks of the invariants; 1 checks the touched node after each; 0: only at samples.
    public var checkEvery = 0
    /// Which measured get to write down, step by step; nil: none.
    public var traceGet: Int?

    public init() {}

    /// Ten minutes, or five more than it takes until the planned faults are over.
    public var longEnoughSeconds: Double {
        let faultsEnd = Simulation.faultDelaySeconds + max(faults.partitionSeconds, faults.hubDownSeconds)
        return max(600, faultsEnd + 300)
    }

    /// When all nodes have joined, in seconds from the start.
    var joinSeconds: Double {
        workload.joinSeconds > 0 ? workload.joinSeconds : max(1, Double(nodes.count) / 100)
    }
}

/// A run that cannot be.
public struct ConfigProblem: Error, Equatable, CustomStringConvertible {
    public let description: String
}

extension SimConfig {
    /// Throws the first thing that is wrong.
    public func validate() throws(ConfigProblem) {
        func demand(_ condition: Bool, _ text: String) throws(ConfigProblem) {
            if !condition { throw ConfigProblem(description: text) }
        }
        let shares = [
            faults.loss, faults.duplication, faults.reordering, faults.stragglers, faults.deadFraction,
            faults.adversaryFraction, network.jitter,
        ]
        try demand((2...2_000_000).contains(nodes.count), "nodes must be 2 to 2000000")
        try demand(
            (1...Limits.contactsPerMessage).contains(nodes.k), "k must be 1 to \(Limits.contactsPerMessage)")
        try demand((1...nodes.k).contains(nodes.alpha), "alpha must be 1 to k")
        try demand((1...nodes.k).contains(nodes.replica), "replica must be 1 to k")
        try demand((0...nodes.k).contains(nodes.warmPerBucket), "warm-per-bucket must be 0 to k")
        try demand(
            (0...Int(Limits.recursion)).contains(nodes.recursion),
            "recursion must be 0 to \(Limits.recursion)")
        try demand((0...nodes.alpha).contains(nodes.beta), "beta must be 0 to alpha")
        try demand(
            (1...NodeConfig.maxPaths).contains(nodes.paths), "paths must be 1 to \(NodeConfig.maxPaths)")
        try demand(nodes.peerRps >= 0 && nodes.globalRps >= 0, "rates must be 0 or more")
        try demand(faults.floodRate > 0, "a flooder asks something")
        try demand((0...nodes.count).contains(nodes.hubs), "hubs must be 0 to nodes")
        try demand(shares.allSatisfy { (0...1).contains($0) }, "shares must be 0 to 1")
        try demand(faults.churnShape > 0, "the churn's shape must be above 0")
        try demand((8...Limits.valueBytes).contains(workload.valueBytes), "a value has at least 8 bytes")
        try demand(
            network.floorMs > 0 && network.floorMs < network.p10Ms && network.p10Ms < network.p90Ms
                && network.p90Ms <= 10_000,
            "latencies must ascend: 0, floor, p10, p90, 10000")
        try demand(workload.samples >= 1, "there is at least one sample")
        try demand(sessions.cap >= 1, "a node has at least one session")
        try demand(
            faults.hubDownSeconds == 0 || nodes.hubs > 0, "a hub can fail only where there are hubs")
        try demand(
            times.allSatisfy { (0...Self.longestSeconds).contains($0) },
            "times must be 0 to \(Int(Self.longestSeconds)) seconds")
        try demand(
            counts.allSatisfy { (0...Self.mostOperations).contains($0) },
            "counts must be 0 to \(Self.mostOperations)")
    }

    /// Ten years.
    private static let longestSeconds = 315_360_000.0
    private static let mostOperations = 1_000_000_000

    /// All that is a time, in seconds.
    private var times: [Double] {
        [
            workload.joinSeconds, workload.settleSeconds, workload.seedSeconds, workload.measureSeconds,
            sessions.idleSeconds, faults.churnMedianSeconds, faults.returnSeconds, faults.partitionSeconds,
            faults.hubDownSeconds, Double(nodes.republishSeconds), Double(nodes.timeoutMs) / 1000,
            Double(nodes.deadlineMs) / 1000,
        ]
    }

    /// All that is a number of something and has no bound of its own.
    private var counts: [Int] {
        [
            workload.lookups, workload.puts, workload.records, workload.publish, sessions.dialAhead,
            network.sessionKbps, faults.floodVictims,
        ]
    }

    /// The limits of a node's sessions, as the daemon would pass them.
    var poolPolicy: PoolPolicy {
        var policy = PoolPolicy()
        policy.maxSessions = sessions.cap
        policy.idleTimeoutUs = UInt64(sessions.idleSeconds * 1_000_000)
        return policy
    }

    /// The parameters of the node `id`, as the daemon would pass them.
    func nodeConfig(id: NodeID) -> NodeConfig {
        var config = NodeConfig(id: id)
        config.k = nodes.k
        config.alpha = nodes.alpha
        (config.beta, config.paths) = (nodes.beta, nodes.paths)
        config.warmPerBucket = nodes.warmPerBucket
        config.recursion = UInt8(nodes.recursion)
        config.republishUs = UInt64(nodes.republishSeconds) * 1_000_000
        config.replica = nodes.replica
        config.timeoutUs = UInt64(nodes.timeoutMs) * 1000
        config.deadlineUs = UInt64(nodes.deadlineMs) * 1000
        config.peerRequestsPerSecond = nodes.peerRps
        config.requestsPerSecond = nodes.globalRps
        return config
    }
}
