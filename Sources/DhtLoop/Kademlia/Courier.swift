// RO:WHAT  Courier: records on their way to nodes that should hold them, in batches, one at a time to each node.
// RO:WHY   A newcomer may be owed ten thousand records. One message on its way to each node paces itself by what
//          the node can take, and a batch of 64 costs little more than a record.
// RO:INVARIANTS  a route has keys waiting or a batch under way; none is kept for neither.
// RO:TEST  Tests/DhtLoopTests/Kademlia/CourierTests.swift

/// What is owed to whom.
struct Courier {
    /// What is owed to one node.
    struct Route {
        var contact: Contact
        /// Records that wait, the first one first.
        var waiting: [Key] = []
        /// Records in the batch that is on its way.
        var underWay: [Key] = []
        /// It knows no batches: records go one by one.
        var takesSingles = false
        /// Since when it has taken nothing, for being busy or out of reach, in microseconds; nil while it takes.
        var stalledSinceUs: UInt64?
        /// A batch was lost: nothing is sent before then.
        var resumeUs: UInt64 = 0
    }

    /// Records that may wait before nobody may add more (`isFull`).
    static let mostWaiting = 8192
    /// After so long a node that takes nothing is owed nothing more.
    static let patienceUs: UInt64 = 60_000_000

    private(set) var routes: [Route] = []
    private(set) var waiting = 0
    /// When routes that wait are tried again.
    var timer = TimerID.none

    var isIdle: Bool { routes.isEmpty }
    /// Whether who adds records should wait until some have gone.
    var isFull: Bool { waiting >= Self.mostWaiting }

    subscript(index: Int) -> Route {
        get { routes[index] }
        set {
            waiting += newValue.waiting.count - routes[index].waiting.count
            routes[index] = newValue
        }
    }

    /// Owes `key` to `contact`.
    mutating func add(_ key: Key, to contact: Contact) {
        waiting += 1
        if let index = index(of: contact.id) { return routes[index].waiting.append(key) }
        routes.append(Route(contact: contact, waiting: [key]))
    }

    func index(of id: NodeID) -> Int? { routes.firstIndex { $0.contact.id == id } }

    /// Owes nothing to that node any more.
    mutating func remove(at index: Int) {
        waiting -= routes[index].waiting.count
        routes.remove(at: index)
    }
}
