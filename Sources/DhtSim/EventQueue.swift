// RO:WHAT  EventQueue: everything that will happen, by time; equal times in the order they were pushed.
// RO:WHY   Time never goes back, so a radix heap does: an event moves a few times between rows of plain
//          structs, sequentially, where a binary heap would jump through memory at each pop.
// RO:INVARIANTS  row 0 holds what is due at `lastUs`; row r > 0 what differs from `lastUs` first at bit r - 1.
//          So equal times share a row at all times, and rows are filled in order: the queue is stable.
// RO:TEST  Tests/DhtSimTests/EventQueueTests.swift

/// Something that will happen: 32 bytes, copied freely.
struct Event: BitwiseCopyable {
    enum Kind: UInt8 {
        /// A payload reaches the overlay of site `to`, sent by site `from`.
        case frameUp
        /// A payload that site `from` wrote reaches site `to` over the session it dialled to site `via`.
        case frameDown
        /// A frame that waited in the TX queue of a slow session leaves. `from` is the session's place, `via` its
        /// generation; so they are in the next two.
        case departed
        /// HELLO has come: the session is open.
        case opened
        /// The dialler learns that the session is gone, or did not come about.
        case lost
        /// Site `from` hears that it has no session to an endpoint, whose number is `to`. `flag`: nobody needed it.
        case closed
        case join
        case crash
        /// A step of the workload.
        case operate
        /// The publisher's next put.
        case publish
        /// The publisher's records have all been refreshed.
        case refreshed
        /// A flooder's next request.
        case flood
        /// A planned fault; `from` says which.
        case fault
    }

    var dueUs: UInt64
    var payload: UnsafeMutableRawPointer?
    var from: UInt32
    var to: UInt32
    var via: UInt32
    var kind: Kind
    /// Meaning depends on the kind.
    var flag = false

    init(
        _ kind: Kind, atUs: UInt64, from: Int = 0, to: Int = 0, via: Int = 0, flag: Bool = false,
        payload: UnsafeMutableRawPointer? = nil
    ) {
        dueUs = atUs
        (self.from, self.to, self.via) = (UInt32(from), UInt32(to), UInt32(via))
        (self.kind, self.flag, self.payload) = (kind, flag, payload)
    }
}

/// A monotone priority queue (radix heap: Ahuja, Mehlhorn, Orlin and Tarjan, 1990).
struct EventQueue {
    private var rows = [[Event]](repeating: [], count: 65)
    /// The earliest time in each row.
    private var earliest = [UInt64](repeating: .max, count: 65)
    /// Bit r: row r + 1 is not empty.
    private var occupied: UInt64 = 0
    /// How much of row 0 is done.
    private var head = 0
    private var moving: [Event] = []
    /// No event is before this.
    private var lastUs: UInt64 = 0
    private(set) var count = 0

    /// When the next event is due; nil when there is none.
    var nextDueUs: UInt64? {
        if head < rows[0].count { return lastUs }
        return occupied == 0 ? nil : earliest[occupied.trailingZeroBitCount + 1]
    }

    /// Adds an event. One that is due before the last popped one is due now.
    mutating func push(_ event: Event) {
        var event = event
        if event.dueUs < lastUs { event.dueUs = lastUs }
        place(event)
        count += 1
    }

    /// Takes out the next event if it is due by `limitUs`.
    mutating func pop(dueBy limitUs: UInt64) -> Event? {
        if head == rows[0].count {
            rows[0].removeAll(keepingCapacity: true)
            head = 0
            guard let next = nextDueUs, next <= limitUs else { return nil }
            refill()
        }
        guard lastUs <= limitUs else { return nil }
        head += 1
        count -= 1
        return rows[0][head - 1]
    }

    private mutating func place(_ event: Event) {
        let row = 64 - (event.dueUs ^ lastUs).leadingZeroBitCount
        rows[row].append(event)
        guard row > 0 else { return }
        earliest[row] = min(earliest[row], event.dueUs)
        occupied |= 1 << UInt64(row - 1)
    }

    /// Moves the lowest row's events down, the earliest into row 0.
    private mutating func refill() {
        let row = occupied.trailingZeroBitCount + 1
        lastUs = earliest[row]
        earliest[row] = .max
        occupied &= occupied - 1
        swap(&moving, &rows[row])
        for event in moving { place(event) }
        moving.removeAll(keepingCapacity: true)
    }
}
