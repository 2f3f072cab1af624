// RO:WHAT  EvictedContacts: contacts that were given up, to be asked now and then whether they are back.
// RO:WHY   After a partition no node knows any on the other side. One that answers again leads to the rest.
// RO:INVARIANTS  bounded; the oldest gives way; no id twice.
// RO:TEST  Tests/DhtLoopTests/Kademlia/EvictedContactsTests.swift

/// Contacts given up.
struct EvictedContacts {
    private static let capacity = 32
    /// After so long none comes back.
    private static let rememberedUs: UInt64 = 3600 * 1_000_000

    private var entries: [(contact: Contact, sinceUs: UInt64)] = []

    var isEmpty: Bool { entries.isEmpty }

    mutating func note(_ contact: Contact, nowUs: UInt64) {
        remove(contact.id)
        assert(entries.last.map { $0.sinceUs <= nowUs } ?? true, "the oldest is not the first")
        if entries.count >= Self.capacity { entries.removeFirst() }
        entries.append((contact, nowUs))
        assert(entries.count <= Self.capacity)
    }

    /// Whether it was there.
    @discardableResult
    mutating func remove(_ id: NodeID) -> Bool {
        guard let index = entries.firstIndex(where: { $0.contact.id == id }) else { return false }
        entries.remove(at: index)
        return true
    }

    /// One of those that are not forgotten yet, drawn by `random`.
    mutating func draw(_ random: UInt64, nowUs: UInt64) -> Contact? {
        entries.removeAll { nowUs - $0.sinceUs > Self.rememberedUs }
        return entries.isEmpty ? nil : entries[Int(random % UInt64(entries.count))].contact
    }

    /// Adds the endpoints of those remembered.
    func addEndpoints(to used: inout Set<EndpointID>) {
        for entry in entries { used.insert(entry.contact.endpoint) }
    }
}
