// RO:WHAT  IoMemory: the loop's one receive buffer, and a pool of transmit buffers.
// RO:WHY   A session needs memory only while bytes are on their way; thousands of idle ones hold none.
// RO:INVARIANTS  pooledBytes is the sum of the pool's capacities and at most `poolBytes`.
// RO:TEST  Tests/DhtLoopTests/Reactor/IoMemoryTests.swift

/// Buffers shared by the sessions of one loop.
public final class IoMemory {
    /// Most that one read takes: bounds what one session does in a turn. Untouched pages cost nothing.
    static let receiveBytes = 256 << 10
    /// A first transmit buffer: three replies of 20 contacts.
    private static let smallestBuffer = 4 << 10
    /// One that has grown past this is given back to the system, not to the pool.
    private static let largestPooled = 256 << 10
    private static let poolBytes = 2 << 20

    /// A read's bytes lie here until the next read.
    let receiveBuffer: UnsafeMutableRawBufferPointer
    private var pool: [RawBuffer] = []
    private(set) var pooledBytes = 0

    init() { receiveBuffer = .allocate(byteCount: Self.receiveBytes, alignment: 64) }

    deinit {
        receiveBuffer.deallocate()
        for buffer in pool { buffer.base.deallocate() }
    }

    /// A buffer of `bytes` or more, to be given back by `recycle`.
    func take(atLeast bytes: Int) -> RawBuffer {
        guard let buffer = pool.popLast() else { return RawBuffer(capacity: max(bytes, Self.smallestBuffer)) }
        pooledBytes -= buffer.capacity
        return buffer.capacity >= bytes ? buffer : grow(buffer, used: 0..<0, toHold: bytes)
    }

    /// A larger buffer with the `used` bytes of `buffer` at its beginning, instead of `buffer`.
    func grow(_ buffer: RawBuffer, used: Range<Int>, toHold bytes: Int) -> RawBuffer {
        let larger = RawBuffer(capacity: max(bytes, buffer.capacity * 2))
        larger.base.copyMemory(from: buffer.base + used.lowerBound, byteCount: used.count)
        buffer.base.deallocate()
        return larger
    }

    /// Takes a buffer back, for the next who needs one, or for the system.
    func recycle(_ buffer: RawBuffer) {
        guard buffer.capacity <= Self.largestPooled, pooledBytes + buffer.capacity <= Self.poolBytes else {
            buffer.base.deallocate()
            return
        }
        pooledBytes += buffer.capacity
        pool.append(buffer)
    }
}

/// Memory on loan from `IoMemory`: whoever took it gives it back.
struct RawBuffer {
    let base: UnsafeMutableRawPointer
    let capacity: Int

    fileprivate init(capacity: Int) {
        base = .allocate(byteCount: capacity, alignment: 16)
        self.capacity = capacity
    }
}
