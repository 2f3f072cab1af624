// RO:WHAT  Operation: what a walk is for, and how far that has come. One case and one phase type for each.
// RO:WHY   What an operation knows besides its walk is in its own type, so that no state of one can be mistaken for
//          another's. A new operation is one file and one case.
// RO:TEST  Tests/DhtLoopTests/Kademlia/OperationTests.swift

/// An operation in progress.
enum Operation {
    case get(GetPhase)
    case put(StorePhase)
    case delete(StorePhase)
    case provide(StorePhase)
    case findProviders(FindPhase)
    case ping
    /// A lookup of the local id, to meet the neighbours.
    case selfLookup
    /// A lookup of an id in a bucket's range, to meet nodes there.
    case bucketRefresh
    /// A walk to the nodes around publications that are to be refreshed.
    case regionWalk
    /// Its result has been told, or is being worked out: no event means anything to it.
    case ended

    /// What its walk asks of each peer.
    var question: WalkQuestion {
        switch self {
        case .get(let phase): .get(wantsNodes: phase.quorum > 1)
        case .findProviders(let phase): .findProviders(limit: phase.limit)
        case .put, .delete, .provide, .ping, .selfLookup, .bucketRefresh, .regionWalk, .ended: .findNode
        }
    }

    /// Whether its walk ends only when all of the K closest have answered, for it must know that there is nothing
    /// else; else when the few closest agree on which nodes are there.
    var isSearch: Bool {
        switch self {
        case .get, .findProviders, .ping, .regionWalk: true
        case .put, .delete, .provide, .selfLookup, .bucketRefresh, .ended: false
        }
    }

    /// Whether a caller waits for its end.
    var hasCaller: Bool {
        switch self {
        case .get, .put, .delete, .provide, .findProviders, .ping: true
        case .selfLookup, .bucketRefresh, .regionWalk, .ended: false
        }
    }

    /// Whether the first requests of its walk may be passed on by the peers that get them.
    var mayRecurse: Bool {
        switch self {
        case .get(let phase): phase.quorum == 1 && !phase.isExplained
        case .put, .delete, .provide, .ping: true
        case .findProviders, .selfLookup, .bucketRefresh, .regionWalk, .ended: false
        }
    }

    /// Which busy peers its walk waits for.
    var patience: Walk.Patience {
        switch self {
        case .get(let phase): phase.best == nil ? .near : .none
        case .findProviders, .ping: .near
        // The record goes to the nodes that are there, busy or not; only a walk that met none has to wait.
        case .put, .delete, .provide: .unlessAnswered
        case .selfLookup, .bucketRefresh, .regionWalk, .ended: .none
        }
    }

    /// Whether its walk is over, and its record is being stored.
    var isStoring: Bool {
        switch self {
        case .put(let phase), .delete(let phase), .provide(let phase): phase.isStoring
        case .get, .findProviders, .ping, .selfLookup, .bucketRefresh, .regionWalk, .ended: false
        }
    }

    /// How its walk goes.
    func plan(paths: Int?, _ config: NodeConfig) -> Lookup.Plan {
        var plan = Lookup.Plan(
            width: isSearch ? config.k : Self.narrowWidth(config), k: config.k, alpha: config.alpha)
        if case .bucketRefresh = self { (plan.width, plan.alpha) = (1, 1) }
        (plan.beta, plan.paths) = (config.beta, min(max(1, paths ?? config.paths), NodeConfig.maxPaths))
        plan.waitsForOverdue = isSearch
        return plan
    }

    /// How many of the closest must have answered where the walk is only to learn which nodes are there: before a
    /// record is stored, or to meet neighbours. They name the K closest they know, so that three that agree leave none
    /// nearer to be found; the others need not be asked as well.
    private static func narrowWidth(_ config: NodeConfig) -> Int {
        min(config.replica, max(config.alpha, 3))
    }
}

/// An operation and its walk.
struct RunningOperation {
    var walk: Walk
    var operation: Operation

    /// Changes the phase of a get; nil for any other operation.
    mutating func withGet<Result>(_ body: (inout GetPhase, inout Walk) -> Result) -> Result? {
        guard case .get(var phase) = operation else { return nil }
        operation = .ended
        defer { operation = .get(phase) }
        return body(&phase, &walk)
    }

    /// Changes the phase of a search for providers; nil for any other operation.
    mutating func withFind<Result>(_ body: (inout FindPhase, inout Walk) -> Result) -> Result? {
        guard case .findProviders(var phase) = operation else { return nil }
        operation = .ended
        defer { operation = .findProviders(phase) }
        return body(&phase, &walk)
    }

    /// Changes the phase of an operation that stores; nil for any other.
    mutating func withStore<Result>(_ body: (inout StorePhase, inout Walk) -> Result) -> Result? {
        switch operation {
        case .put(var phase):
            operation = .ended
            defer { operation = .put(phase) }
            return body(&phase, &walk)
        case .delete(var phase):
            operation = .ended
            defer { operation = .delete(phase) }
            return body(&phase, &walk)
        case .provide(var phase):
            operation = .ended
            defer { operation = .provide(phase) }
            return body(&phase, &walk)
        case .get, .findProviders, .ping, .selfLookup, .bucketRefresh, .regionWalk, .ended: return nil
        }
    }

    /// Asks the next peers of its walk. Returns whether the walk is over.
    mutating func askNext(_ nowUs: UInt64, _ core: inout NodeCore) -> Bool {
        var asked: [Lookup.Peer] = []
        let isExplained = isExplained
        walk.askNext(operation.question, mayRecurse: operation.mayRecurse, nowUs, &core) {
            if isExplained { asked.append($0) }
        }
        for peer in asked { _ = withGet { phase, walk in phase.traceAsked(peer, nowUs - walk.startUs) } }
        return walk.lookup.isFinished && !walk.waits(operation.patience, nowUs, &core)
    }

    /// Whether each of its requests is written down.
    var isExplained: Bool {
        if case .get(let phase) = operation { phase.isExplained } else { false }
    }
}
