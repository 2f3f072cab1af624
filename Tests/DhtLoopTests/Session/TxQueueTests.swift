// RO:WHAT  TxQueue: bounds, order, partial sends, memory.
import CEpoll
import Glibc
import Testing

@testable import DhtLoop

@Suite("TxQueue")
struct TxQueueTests {
    private let memory = IoMemory()
    private let near: TestPeer
    private let far: TestPeer

    init() {
        var pair: [Int32] = [0, 0]
        socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue), 0, &pair)
        near = TestPeer(FileDescriptor(owning: pair[0]))
        far = TestPeer(FileDescriptor(owning: pair[1]))
    }

    private func append(_ payload: [UInt8], to queue: inout TxQueue) -> Bool {
        payload.withUnsafeBytes { queue.append(.data, $0) }
    }

    @Test("HELLO and frames leave in one flush, in order, and the buffer goes back to the pool")
    func order() {
        var queue = TxQueue(memory: memory)
        queue.appendHello(.ours)
        let taken = (append([1, 2], to: &queue), append([], to: &queue), append([3], to: &queue))
        #expect(taken == (true, true, true) && queue.depth == 3 && memory.pooledBytes == 0)
        let flush = queue.flush(to: near.fd.raw)
        #expect(flush == .drained && queue.depth == 0 && queue.waiting == 0)
        #expect(memory.pooledBytes == 4096)
        #expect(far.payloads == [[1, 2], [], [3]])
    }

    @Test("the 129th frame is refused, and taken again after a flush")
    func frameBound() {
        var queue = TxQueue(memory: memory)
        for _ in 0..<TxQueue.maxFrames {
            let taken = append([7], to: &queue)
            #expect(taken)
        }
        let refused = !append([7], to: &queue)
        #expect(refused && queue.depth == 128)
        _ = queue.flush(to: near.fd.raw)
        let taken = append([7], to: &queue)
        #expect(taken)
    }

    @Test("a frame that would pass four megabytes is refused, a smaller one is taken")
    func byteBound() {
        var queue = TxQueue(memory: memory)
        let long = [UInt8](repeating: 1, count: FrameHead.maxPayload)
        for _ in 0..<3 {
            let taken = append(long, to: &queue)
            #expect(taken)
        }
        let fourth = append(long, to: &queue)
        #expect(!fourth && queue.depth == 3)
        let small = append([1], to: &queue)
        #expect(small && queue.waiting <= TxQueue.maxBytes)
    }

    @Test("a large buffer is given back to the system when it is drained")
    func largeBuffer() {
        var queue = TxQueue(memory: memory)
        _ = append([UInt8](repeating: 1, count: 1 << 19), to: &queue)
        queue.clear()
        #expect(memory.pooledBytes == 0 && queue.depth == 0)
    }

    @Test("a broken connection is told apart from a blocked one")
    func broken() {
        var queue = TxQueue(memory: memory)
        shutdown(near.fd.raw, Int32(SHUT_WR))
        _ = append([1], to: &queue)
        let flush = queue.flush(to: near.fd.raw)
        #expect(flush == .failed(EPIPE))
    }

    @Test("through partial sends no byte is lost and the depth is right", arguments: 0..<30 as Range<UInt64>)
    func partialSends(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        var size: Int32 = 4096
        setsockopt(near.fd.raw, SOL_SOCKET, SO_SNDBUF, &size, 4)
        var queue = TxQueue(memory: memory)
        queue.appendHello(.ours)
        var (expected, ends): ([UInt8], [Int]) = (TestPeer.hello, [])
        var sent = 0
        for step in 0..<400 {
            let payload = [UInt8](
                repeating: UInt8(truncatingIfNeeded: step), count: .random(in: 0...3000, using: &generator))
            if Bool.random(using: &generator), append(payload, to: &queue) {
                expected += TestPeer.frame(payload)
                ends.append(expected.count)
            }
            if Int.random(in: 0..<3, using: &generator) == 0 {
                let before = queue.waiting
                _ = queue.flush(to: near.fd.raw)
                sent += before - queue.waiting
            }
            if Int.random(in: 0..<4, using: &generator) == 0 { far.poll() }
            #expect(queue.depth == ends.count { $0 > sent }, "seed \(seed), step \(step)")
        }
        while queue.flush(to: near.fd.raw) != .drained { far.poll() }
        far.poll()
        #expect(far.received == expected, "seed \(seed)")
    }
}
