// RO:WHAT  SourceTable: the loop's sources by slot and generation.
// RO:WHY   epoll and the timer wheel hand back a number; one that was meant for a predecessor must match nobody.
// RO:INVARIANTS  a used slot holds one strong reference to its source.

/// Attached sources. Handles pack into epoll's user word and into a timer's token.
struct SourceTable: ~Copyable {
    /// Bits of a slot in a timer's token: a million sources, more than there are descriptors.
    private static let slotBits: UInt64 = 20
    private static let tagBits: UInt64 = 32
    /// What is left for the generation; enough, for a source cancels its timers before it goes.
    private static let timerGenerationMask: UInt32 = 0xFFF

    private struct Entry {
        var source: Unmanaged<EventSource>?
        var generation: UInt32 = 0
    }

    private var entries: [Entry] = []
    private var free: [UInt32] = []

    deinit { for entry in entries { entry.source?.release() } }

    mutating func insert(_ source: EventSource) -> SourceHandle {
        let slot: UInt32
        if let reused = free.popLast() {
            slot = reused
        } else {
            slot = UInt32(entries.count)
            precondition(slot < 1 << UInt32(Self.slotBits), "more sources than a timer's token can name")
            entries.append(Entry())
        }
        entries[Int(slot)].source = .passRetained(source)
        return SourceHandle(slot: slot, generation: entries[Int(slot)].generation)
    }

    /// Forgets a source and hands its reference over.
    mutating func remove(_ handle: SourceHandle) -> EventSource? {
        guard let source = find(slot: handle.slot, generation: handle.generation) else { return nil }
        entries[Int(handle.slot)].source = nil
        entries[Int(handle.slot)].generation &+= 1
        free.append(handle.slot)
        return source.takeRetainedValue()
    }

    @inline(__always)
    private func find(slot: UInt32, generation: UInt32) -> Unmanaged<EventSource>? {
        guard Int(slot) < entries.count, entries[Int(slot)].generation == generation else { return nil }
        return entries[Int(slot)].source
    }

    // MARK: - epoll's user word: generation, slot

    static func userWord(_ handle: SourceHandle) -> UInt64 {
        UInt64(handle.generation) << 32 | UInt64(handle.slot)
    }

    @inline(__always)
    func find(userWord: UInt64) -> Unmanaged<EventSource>? {
        find(
            slot: UInt32(truncatingIfNeeded: userWord), generation: UInt32(truncatingIfNeeded: userWord >> 32)
        )
    }

    // MARK: - A timer's token: part of the generation, slot, tag

    @inline(__always)
    static func timerToken(_ handle: SourceHandle, tag: UInt32) -> UInt64 {
        let generation = UInt64(handle.generation & timerGenerationMask)
        return generation << (slotBits + tagBits) | UInt64(handle.slot) << tagBits | UInt64(tag)
    }

    @inline(__always)
    func find(timerToken: UInt64) -> Unmanaged<EventSource>? {
        let slot = Int(timerToken >> Self.tagBits & (1 << Self.slotBits - 1))
        guard slot < entries.count else { return nil }
        let generation = UInt32(truncatingIfNeeded: timerToken >> (Self.slotBits + Self.tagBits))
        guard entries[slot].generation & Self.timerGenerationMask == generation else { return nil }
        return entries[slot].source
    }
}
