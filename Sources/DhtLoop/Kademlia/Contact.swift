// RO:WHAT  Contact: a node id with the overlay endpoint that reaches it; ContactList: a reusable row of them.
// RO:WHY   A reply names up to K contacts; filling a list that is kept allocates nothing.
// RO:INVARIANTS  a list never holds more than its capacity.

/// A node as the routing table and lookups name it.
public struct Contact: Hashable, Sendable {
    public var id: NodeID
    /// The overlay endpoint the node is attached to, in the node's `EndpointTable`.
    public var endpoint: EndpointID

    @inlinable
    public init(id: NodeID, endpoint: EndpointID) {
        self.id = id
        self.endpoint = endpoint
    }
}

/// A fixed-capacity list of contacts, filled anew for every use.
public struct ContactList: ~Copyable {
    private let storage: UnsafeMutablePointer<Contact>
    /// Most contacts it can hold.
    public let capacity: Int
    /// Contacts it holds.
    public private(set) var count = 0

    public init(capacity: Int = Limits.contactsPerMessage) {
        self.capacity = max(1, capacity)
        storage = .allocate(capacity: self.capacity)
    }

    deinit { storage.deallocate() }

    /// The contact at `index`, 0..<count.
    @inlinable public subscript(index: Int) -> Contact { at(index) }

    @usableFromInline
    func at(_ index: Int) -> Contact {
        precondition(index >= 0 && index < count, "no contact at that index")
        return storage[index]
    }

    /// Empties the list and keeps the memory.
    public mutating func clear() { count = 0 }

    /// Appends `contact`; a full list stays as it is.
    @inline(__always)
    mutating func append(_ contact: Contact) {
        guard count < capacity else { return }
        (storage + count).initialize(to: contact)
        count += 1
        assert(count <= capacity, "a list over its capacity")
    }
}
