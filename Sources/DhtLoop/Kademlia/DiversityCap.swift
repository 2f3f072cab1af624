// RO:WHAT  DiversityCap: how many contacts of one network a bucket and the table take, and who gives way.
// RO:WHY   Eclipse: whoever rents one /24 can make a thousand ids, and must not become all that a node knows.
// RO:INVARIANTS  in force against a network only while contacts of others, who answered, could fill a bucket in
//                its place: one hub with a thousand nodes behind it fills its table.
// RO:SECURITY  a claim does not count: only contacts and spares that answered bring the cap into force.
// RO:TEST  Tests/DhtLoopTests/Kademlia/DiversityTests.swift

/// The bounds that follow from a share.
struct DiversityCap: Sendable {
    /// Contacts of one network in a bucket.
    let perBucket: Int
    /// Whether there is any bound.
    let isOn: Bool
    private let share: Double
    private let k: Int

    /// `share` is 0...1 of the places; 1 is no cap. A bucket always takes one of each network.
    init(share: Double, k: Int) {
        (self.share, self.k) = (share, k)
        isOn = share < 1
        perBucket = max(1, Int(share * Double(k)))
        assert(perBucket <= max(1, k), "a network may hold more than a bucket")
    }

    /// Contacts of one network in a table whose first so many buckets are places for anyone.
    func perTable(buckets: Int) -> Int { max(perBucket, Int(share * Double(k * buckets))) }
}

extension RoutingTable {
    /// The network of an endpoint; none where no cap applies.
    @inline(__always)
    func network(of endpoint: EndpointID) -> NetworkPrefix {
        guard cap.isOn, let endpoints else { return .none }
        return endpoints.network(of: endpoint)
    }

    /// Whether one more contact at `endpoint` leaves its network within its share of the bucket and the table, or
    /// the cap is not in force. `leaving` names the endpoint of a contact that makes room for it.
    func admits(_ endpoint: EndpointID, to bucket: Int, insteadOf leaving: EndpointID = .none) -> Bool {
        let network = network(of: endpoint)
        let isSwap = self.network(of: leaving) == network
        return network == .none || !isOver(network, in: bucket, adding: isSwap ? 0 : 1)
    }

    /// `admits` to the bucket that the contact belongs to.
    func admits(_ contact: Contact) -> Bool {
        bucketIndex(of: contact.id).map { admits(contact.endpoint, to: $0) } ?? false
    }

    /// The place in the bucket of the contact that should give way to one of another network than `network`: the
    /// newest of the network that holds most of the bucket, if that is over its share.
    func overdrawn(in bucket: Int, besides network: NetworkPrefix) -> Int? {
        let held = buckets[bucket].states
        guard cap.isOn, held.count > 1 else { return nil }
        let most = mostFrequent(held.count) { held[$0].endpoint }
        guard most.count > 1, most.network != network, isOver(most.network, in: bucket, adding: 0) else {
            return nil
        }
        return held.lastIndex { self.network(of: $0.endpoint) == most.network }
    }

    /// The spare that gives way to another when there are too many: the oldest, but first of a network that takes
    /// more than its share of them.
    func dispensableSpare(in bucket: Int) -> Int {
        let spares = buckets[bucket].spares
        guard cap.isOn else { return 0 }
        let most = mostFrequent(spares.count) { spares[$0].endpoint }
        guard most.count > cap.perBucket else { return 0 }
        return spares.firstIndex { network(of: $0.endpoint) == most.network } ?? 0
    }

    /// The newest spare that could have a place in the bucket, free or an overdrawn one.
    func promisingSpare(in bucket: Int) -> Int? {
        let spares = buckets[bucket].spares
        guard buckets[bucket].count < k || overdrawn(in: bucket, besides: .none) != nil else { return nil }
        return spares.lastIndex { admits($0.endpoint, to: bucket) }
    }

    private func isOver(_ network: NetworkPrefix, in bucket: Int, adding added: Int) -> Bool {
        let here = buckets[bucket].states.count { self.network(of: $0.endpoint) == network } + added
        if here > cap.perBucket { return knowsEnough(besides: network) }
        var (total, depth) = (added, 0)
        for index in buckets.indices where buckets[index].count > 0 {
            let own = buckets[index].states.count { self.network(of: $0.endpoint) == network }
            total += own
            if own < buckets[index].count { depth = index + 1 }
        }
        return total > cap.perTable(buckets: depth) && knowsEnough(besides: network)
    }

    /// Whether other networks, none with more than its share, could fill a bucket.
    private func knowsEnough(besides network: NetworkPrefix) -> Bool {
        withUnsafeTemporaryAllocation(of: (network: NetworkPrefix, count: Int).self, capacity: k) { known in
            var (filled, sum) = (0, 0)
            func note(_ endpoint: EndpointID) {
                let other = self.network(of: endpoint)
                guard other != network, other != .none, sum < k else { return }
                let place = known[..<filled].firstIndex { $0.network == other } ?? filled
                if place == filled {
                    known.initializeElement(at: filled, to: (other, 0))
                    filled += 1
                }
                guard known[place].count < cap.perBucket else { return }
                known[place].count += 1
                assert(known[place].count <= cap.perBucket, "a network fills more than its share")
                sum += 1
            }
            for bucket in buckets where sum < k {
                for state in bucket.states { note(state.endpoint) }
                for spare in bucket.spares[bucket.heard...] { note(spare.endpoint) }
            }
            return sum >= k
        }
    }

    /// The network that most of so many endpoints lie in, and how many that are.
    private func mostFrequent(
        _ count: Int, _ endpoint: (Int) -> EndpointID
    ) -> (network: NetworkPrefix, count: Int) {
        withUnsafeTemporaryAllocation(of: NetworkPrefix.self, capacity: max(1, count)) { networks in
            for index in 0..<count {
                networks.initializeElement(at: index, to: network(of: endpoint(index)))
            }
            var most = (network: NetworkPrefix.none, count: 0)
            for index in 0..<count where networks[index] != .none && networks[index] != most.network {
                let times = networks[index..<count].count { $0 == networks[index] }
                if times > most.count { most = (networks[index], times) }
            }
            return most
        }
    }
}
