// RO:WHAT  Operations: how each kind begins, shares, is cut off and ends; and what its walk is like.
import Testing

@testable import DhtLoop

@Suite("Operations")
struct OperationTests {
    private static let key = NodeID.zero

    /// Operations with the core that they work with.
    private final class Stage {
        let base: CoreStage
        var operations: Operations

        init(limit: Int = 8, contacts: UInt64 = 0, _ adjust: (inout NodeConfig) -> Void = { _ in }) {
            base = CoreStage(adjust)
            operations = Operations(limit: limit)
            for number in 0..<contacts { base.meet(base.peer(number + 1)) }
        }

        func get(quorum: Int = 1, paths: Int? = nil) -> OperationID? {
            operations.get(
                OperationTests.key, quorum: quorum, paths: paths, isExplained: false, base.nowUs, &base.core)
        }

        func put(isPublished: Bool = true) -> (id: OperationID?, end: Operations.End?) {
            let item = StorePhase.Item.record(value: [1], isTombstone: false, isPublished: isPublished)
            let phase = StorePhase(item, seq: 5, ttlSeconds: 60)
            return operations.store(.put(phase), OperationTests.key, base.nowUs, &base.core)
        }

        func begin(_ operation: Operation) -> (hasBegun: Bool, end: Operations.End?) {
            operations.beginInternal(operation, target: OperationTests.key, base.nowUs, &base.core)
        }

        /// Every peer that was asked is gone.
        func loseAll() -> [Operations.End] {
            var ends: [Operations.End] = []
            while let rpc = base.core.rpcs.pending.first {
                base.close(rpc)
                guard case .lookup(let id) = rpc.owner else { continue }
                if let end = operations.lookupLost(id, rpc, .unreachable, base.nowUs, &base.core) {
                    ends.append(end)
                }
            }
            return ends
        }

        /// The deadline of the operation in a slot comes.
        func expire(slot: Int) -> Operations.End? {
            base.nowUs += base.core.context.config.deadlineUs
            return operations.timerFired(slot: slot, base.nowUs, &base.core)
        }

        func outcomes() -> [GetResult.Outcome] {
            _ = base.take()
            return base.results.compactMap { if case .get(let result) = $0 { result.outcome } else { nil } }
        }

        var stats: NodeStats { base.core.context.stats }
        /// Timers of requests and operations.
        var timers: Int {
            let timers = base.core.context.timers.count
            return timers - base.core.context.timers.plannedChores
        }
    }

    // MARK: - Ends

    @Test("a get of what is here ends at once and asks no node; one that compares copies does ask")
    func here() {
        let stage = Stage(contacts: 3)
        stage.base.keep(Self.key, seq: 3, ttlSeconds: 60, value: [8])
        #expect(stage.get() != nil && stage.operations.count == 0 && stage.timers == 0)
        #expect(stage.outcomes() == [.found(value: [8], seq: 3, ttlSeconds: 60)])
        #expect(stage.stats.gets == 1 && stage.stats.found == 1 && stage.stats.lookups == 0)
        #expect(stage.get(quorum: 2) != nil && stage.operations.count == 1 && stage.base.take().count == 3)
    }

    @Test("no more run at a time than may; the next is refused and counted as too much, not as a get")
    func limit() {
        let stage = Stage(limit: 1, contacts: 1)
        #expect(stage.get() != nil && stage.get(quorum: 2) == nil && stage.put().id == nil)
        #expect(!stage.begin(.selfLookup).hasBegun)
        #expect(stage.stats.errors[.overload] == 3 && stage.stats.gets == 1 && stage.stats.puts == 0)
        #expect(stage.operations.count == 1)
    }

    @Test("plain gets of one key share a walk and are both told; one with a quorum or paths walks by itself")
    func shared() {
        let stage = Stage(contacts: 1)
        let first = (0..<2).map { _ in stage.get() }
        #expect(Set(first).count == 2 && stage.stats.lookups == 1 && stage.base.core.rpcs.count == 1)
        _ = stage.get(quorum: 2)
        _ = stage.get(paths: 2)
        #expect(stage.stats.lookups == 3 && stage.stats.gets == 4)
        let ends = stage.loseAll()
        #expect(ends.isEmpty && stage.operations.count == 0 && stage.timers == 0)
        #expect(stage.outcomes() == [.timedOut, .timedOut, .timedOut, .timedOut])
    }

    @Test("a get that begins after the one it could have shared with walks anew")
    func notShared() {
        let stage = Stage(contacts: 1)
        _ = stage.get()
        _ = stage.loseAll()
        #expect(stage.get() != nil && stage.stats.lookups == 2 && stage.operations.count == 1)
    }

    @Test(
        "at the deadline a caller gets what there is, and that is counted; a walk of the node itself just ends"
    )
    func deadline() throws {
        let stage = Stage(contacts: 1)
        let id = try #require(stage.get())
        let rpc = try #require(stage.base.core.rpcs.pending.first)
        #expect(stage.expire(slot: Int(id.slot)) == nil && stage.outcomes() == [.timedOut])
        #expect(stage.stats.errors[.deadline] == 1 && stage.operations.count == 0)
        let late = stage.operations.lookupLost(id, rpc, .timeout, stage.base.nowUs, &stage.base.core)
        #expect(late == nil, "a late word finds no operation")
        _ = stage.begin(.bucketRefresh)
        guard case .lookEnded? = stage.expire(slot: 0) else { return #expect(Bool(false), "no end") }
        #expect(stage.stats.errors[.deadline] == 1 && stage.operations.count == 0)
    }

    @Test(
        "a put on a node that is alone ends at once, and says what is to be kept alive",
        arguments: [true, false])
    func put(isPublished: Bool) {
        let stage = Stage()
        let (id, end) = stage.put(isPublished: isPublished)
        #expect(id != nil && stage.stats.puts == 1 && stage.operations.count == 0 && stage.timers == 0)
        if case .published(let key, seq: 5, value: [1])? = end {
            #expect(isPublished && key == Self.key)
        } else {
            #expect(!isPublished && end == nil)
        }
        _ = stage.base.take()
        guard case .put(let result)? = stage.base.results.first else {
            return #expect(Bool(false), "no result")
        }
        #expect(result.acks == 1 && stage.stats.errors[.underReplicated] == 0)
    }

    @Test("a put that reached fewer than it wanted is counted")
    func underReplicated() {
        let stage = Stage(contacts: 3)
        let (id, _) = stage.put()
        #expect(stage.expire(slot: Int(id?.slot ?? 9)) == nil && stage.stats.errors[.underReplicated] == 1)
        #expect(stage.stats.errors[.deadline] == 1)
    }

    @Test("a search for providers is over when enough are known here")
    func providers() {
        let stage = Stage(contacts: 1)
        for node in [UInt8(65), 66] {
            stage.base.change {
                _ = $0.records.keepProvider(
                    Self.key, [node], ttlSeconds: UInt64(node), stage.base.nowUs, &$0.context)
            }
        }
        func find(_ limit: Int) -> OperationID? {
            stage.operations.findProviders(
                Self.key, limit: limit, paths: nil, stage.base.nowUs, &stage.base.core)
        }
        #expect(find(2) != nil && stage.operations.count == 0)
        #expect(find(3) != nil && stage.operations.count == 1)
        _ = stage.base.take()
        guard case .providers(let result)? = stage.base.results.first else {
            return #expect(Bool(false), "no result")
        }
        #expect(result.isComplete && result.providers.map(\.node) == [[66], [65]])
    }

    @Test("a region walk that met fewer than a record needs, while there are contacts, is cut off")
    func region() {
        for contacts in UInt64(0)...1 {
            let stage = Stage(contacts: contacts)
            var end = stage.begin(.regionWalk).end
            if contacts > 0 { end = stage.loseAll().first }
            guard case .regionFound(_, let isCutOff)? = end else { return #expect(Bool(false), "no region") }
            #expect(isCutOff == (contacts > 0))
        }
    }

    // MARK: - Plans

    @Test("a search asks until the K closest have answered, a put fewer, a refresh one")
    func plans() {
        var config = NodeConfig(id: CoreStage.local)
        (config.k, config.alpha, config.beta, config.replica, config.paths) = (20, 4, 2, 6, 3)
        let store = StorePhase(.provider(node: [1]), seq: 0, ttlSeconds: 1)
        let plan = { (operation: Operation) in operation.plan(paths: nil, config) }
        let search = plan(.ping)
        #expect(search.width == 20 && search.alpha == 4 && search.beta == 2 && search.paths == 3)
        #expect(
            search.waitsForOverdue && plan(.regionWalk).width == 20
                && plan(.findProviders(FindPhase(limit: 1))).width == 20)
        #expect(
            plan(.put(store)).width == 4 && plan(.selfLookup).width == 4 && !plan(.put(store)).waitsForOverdue
        )
        #expect(plan(.bucketRefresh).width == 1 && plan(.bucketRefresh).alpha == 1)
        config.replica = 2
        #expect(Operation.put(store).plan(paths: nil, config).width == 2)
        let paths = [0, 5, 99].map { Operation.ping.plan(paths: $0, config).paths }
        #expect(paths == [1, 5, NodeConfig.maxPaths])
    }

    @Test("what each walk asks, and whether others may pass it on")
    func questions() {
        let get = { (quorum: Int, isExplained: Bool) in
            Operation.get(GetPhase(quorum: quorum, isExplained: isExplained, best: nil))
        }
        guard case .get(wantsNodes: false) = get(1, false).question,
            case .get(wantsNodes: true) = get(2, false).question,
            case .findProviders(limit: 7) = Operation.findProviders(FindPhase(limit: 7)).question,
            case .findNode = Operation.ping.question
        else { return #expect(Bool(false), "another question") }
        #expect(get(1, false).mayRecurse && !get(2, false).mayRecurse && !get(1, true).mayRecurse)
        #expect(!Operation.selfLookup.mayRecurse && Operation.ping.mayRecurse)
        #expect(Operation.ping.hasCaller && !Operation.regionWalk.hasCaller)
    }
}
