// RO:WHAT  IoMemory: buffers go round, and the pool has a bound.
import Testing

@testable import DhtLoop

@Suite("IoMemory")
struct IoMemoryTests {
    @Test("a buffer given back is the next one taken")
    func reuse() {
        let memory = IoMemory()
        let first = memory.take(atLeast: 100)
        memory.recycle(first)
        let second = memory.take(atLeast: 4_096)
        #expect(first.base == second.base && memory.pooledBytes == 0)
        memory.recycle(second)
    }

    @Test("a pooled buffer that is too small grows, and growing keeps the bytes in use")
    func growing() {
        let memory = IoMemory()
        memory.recycle(memory.take(atLeast: 1))
        var buffer = memory.take(atLeast: 10_000)
        #expect(buffer.capacity >= 10_000 && memory.pooledBytes == 0)
        (buffer.base + 5).storeBytes(of: 42, as: UInt8.self)
        buffer = memory.grow(buffer, used: 5..<6, toHold: 50_000)
        #expect(buffer.base.load(as: UInt8.self) == 42)
        memory.recycle(buffer)
    }

    @Test("neither a huge buffer nor more than two megabytes stay in the pool")
    func bounded() {
        let memory = IoMemory()
        memory.recycle(memory.take(atLeast: 1 << 20))
        #expect(memory.pooledBytes == 0)
        let buffers = (0..<100).map { _ in memory.take(atLeast: 100_000) }
        for buffer in buffers { memory.recycle(buffer) }
        #expect(memory.pooledBytes == 2_000_000)
    }
}
