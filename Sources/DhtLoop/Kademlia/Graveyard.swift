// RO:WHAT  Graveyard: contacts that were given up, to be asked now and then whether they are back.
// RO:WHY   After a partition nobody knows anybody on the other side. One that answers again leads to the rest.
// RO:INVARIANTS  bounded; the oldest gives way; no id twice.
// RO:TEST  Tests/DhtLoopTests/Kademlia/LifetimesTests.swift

/// Contacts given up.
struct Graveyard {
    private static let capacity = 32
    /// After so long nobody comes back.
    private static let rememberedUs: UInt64 = 3600 * 1_000_000

    private var graves: [(contact: Contact, sinceUs: UInt64)] = []

    var isEmpty: Bool { graves.isEmpty }

    mutating func bury(_ contact: Contact, nowUs: UInt64) {
        _ = remove(contact.id)
        if graves.count >= Self.capacity { graves.removeFirst() }
        graves.append((contact, nowUs))
    }

    /// Whether it was there.
    mutating func remove(_ id: NodeID) -> Bool {
        guard let index = graves.firstIndex(where: { $0.contact.id == id }) else { return false }
        graves.remove(at: index)
        return true
    }

    /// One of those that are not forgotten yet, drawn by `random`.
    mutating func draw(_ random: UInt64, nowUs: UInt64) -> Contact? {
        graves.removeAll { nowUs - $0.sinceUs > Self.rememberedUs }
        return graves.isEmpty ? nil : graves[Int(random % UInt64(graves.count))].contact
    }

    /// Adds the endpoints of those remembered.
    func addEndpoints(to used: inout Set<EndpointID>) {
        for grave in graves { used.insert(grave.contact.endpoint) }
    }
}
