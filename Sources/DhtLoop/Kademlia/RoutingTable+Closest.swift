// RO:WHAT  The closest-K walk over the buckets.
// RO:WHY   The hottest read there is: half of all requests are answered by it. Nothing is sorted but within a bucket.
// RO:TEST  Tests/DhtLoopTests/Kademlia/RoutingTableTests.swift

extension RoutingTable {
    /// Fills `list` with the `wanted` contacts closest to `target`, nearest first; of those seen since then, in
    /// microseconds.
    ///
    /// With d the distance from the own id to the target, the contacts of bucket i differ from the target
    /// first at bit i exactly when bit i of d is 0. So buckets at the one-bits of d come first, in ascending
    /// order, and those at the zero-bits follow in descending order; only within a bucket is anything sorted.
    public func closest(
        to target: NodeID, _ wanted: Int, seenSinceUs: UInt64 = 0, into list: inout ContactList
    ) {
        list.clear()
        let distance = ownID.distance(to: target)
        var nearer = occupied & distance
        while !nearer.isZero {
            let bucket = nearer.leadingZeroBitCount
            nearer = nearer.flippingBit(bucket)
            appendSorted(bucket, by: target, wanted, seenSinceUs, to: &list)
            if list.count >= wanted { return }
        }
        var farther = occupied & ~distance
        while !farther.isZero {
            let bucket = 255 - farther.trailingZeroBitCount
            farther = farther.flippingBit(bucket)
            appendSorted(bucket, by: target, wanted, seenSinceUs, to: &list)
            if list.count >= wanted { return }
        }
    }

    /// Appends the bucket's contacts nearest to `target` first, until `list` holds `wanted`.
    ///
    /// Contacts of one bucket agree in all bits up to the bucket's, so the 58 bits after it order them: a sort
    /// of plain words with the contact's index in the low 6 (K is at most 64).
    private func appendSorted(
        _ bucket: Int, by target: NodeID, _ wanted: Int, _ seenSinceUs: UInt64, to list: inout ContactList
    ) {
        buckets.withUnsafeBufferPointer { buckets in
            buckets[bucket].ids.withUnsafeBufferPointer { ids in
                buckets[bucket].states.withUnsafeBufferPointer { states in
                    Self.append(ids, states, fromBit: bucket + 1, by: target, wanted, seenSinceUs, to: &list)
                }
            }
        }
    }

    @inline(__always)
    private static func append(
        _ ids: UnsafeBufferPointer<NodeID>, _ states: UnsafeBufferPointer<PeerState>, fromBit bit: Int,
        by target: NodeID, _ wanted: Int, _ seenSinceUs: UInt64, to list: inout ContactList
    ) {
        withUnsafeTemporaryAllocation(of: UInt64.self, capacity: Limits.contactsPerMessage) { order in
            var filled = 0
            assert(ids.count <= Limits.contactsPerMessage, "a bucket larger than the memory for its order")
            for index in ids.indices where states[index].isTold(seenSinceUs) {
                let key = ids[index].distance(to: target).word(fromBit: bit) & ~63 | UInt64(index)
                var place = filled
                while place > 0, order[place - 1] > key {
                    order[place] = order[place - 1]
                    place -= 1
                }
                order[place] = key
                filled += 1
            }
            for key in order[..<min(filled, wanted - list.count)] {
                let index = Int(key & 63)
                list.append(Contact(id: ids[index], endpoint: states[index].endpoint))
            }
        }
    }
}
