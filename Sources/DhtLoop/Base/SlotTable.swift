// RO:WHAT  SlotTable: rows by slot, a bounded number of them; a slot that is given back is used again.
// RO:WHY   Requests, operations and forwarded requests are all named by small numbers that travel through timers and
//          over the wire. A name must find its row with one load, and a stale one must find nothing.
// RO:INVARIANTS  count is the number of rows; a slot is free or holds a row, never both; generations only grow.
// RO:TEST  Tests/DhtLoopTests/Base/SlotTableTests.swift

/// Names a row: its slot, and how often that slot was given back before. A stale name finds nothing.
public struct SlotID: Hashable, Sendable {
    public let slot: UInt32
    public let generation: UInt32

    public init(slot: UInt32, generation: UInt32) { (self.slot, self.generation) = (slot, generation) }
}

/// Rows by slot, at most `limit` of them.
struct SlotTable<Row> {
    private var rows: [Row?] = []
    private var generations: [UInt32] = []
    private var free: [UInt32] = []
    let limit: Int

    /// `limit` is 1 or more.
    init(limit: Int) {
        assert(limit > 0 && limit <= Int(UInt32.max))
        self.limit = limit
    }

    /// Rows it holds.
    var count: Int { rows.count - free.count }
    var isFull: Bool { count >= limit }

    /// Takes in the row that `make` builds for its name; nil when the table is full.
    mutating func insert(_ make: (SlotID) -> Row) -> SlotID? {
        if let slot = free.popLast() {
            assert(rows[Int(slot)] == nil, "a free slot holds a row")
            let id = SlotID(slot: slot, generation: generations[Int(slot)])
            rows[Int(slot)] = make(id)
            return id
        }
        guard rows.count < limit else { return nil }
        let id = SlotID(slot: UInt32(rows.count), generation: 1)
        rows.append(make(id))
        generations.append(1)
        return id
    }

    /// The row in a slot, for a name that holds no more than that. Nil when the slot is free; writing there is
    /// an error.
    subscript(slot: Int) -> Row? {
        get { slot >= 0 && slot < rows.count ? rows[slot] : nil }
        _modify {
            assert(rows[slot] != nil, "a free slot is written to")
            yield &rows[slot]
            assert(rows[slot] != nil, "a slot is freed without being given back")
        }
    }

    /// Whether that row is still here.
    func holds(_ id: SlotID) -> Bool {
        id.slot < rows.count && rows[Int(id.slot)] != nil && generations[Int(id.slot)] == id.generation
    }

    /// Whether the slot holds a row.
    func holds(slot: Int) -> Bool { slot >= 0 && slot < rows.count && rows[slot] != nil }

    /// Gives a slot back; its row, if there was one.
    @discardableResult
    mutating func remove(slot: Int) -> Row? {
        guard slot >= 0, slot < rows.count, let row = rows[slot] else { return nil }
        rows[slot] = nil
        generations[slot] &+= 1
        free.append(UInt32(slot))
        assert(free.count <= rows.count, "a slot was given back twice")
        return row
    }

    /// Calls `body` with each row, in the order of slots.
    func visit(_ body: (Row) -> Void) {
        for case let row? in rows { body(row) }
    }
}
