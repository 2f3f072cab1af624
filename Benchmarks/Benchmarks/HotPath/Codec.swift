// RO:WHAT  Envelopes: written and read by the codec, and by plain C over the same libcbor calls.
// RO:WHY   The ratio of a pair is target T6; both run in one process, so the machine's mood cancels out.

import Benchmark
import CBaseline
import DhtLoop

/// What the messages carry.
private enum Sample {
    static let key = NodeID(1, 2, 3, 4)
    static let rpc: UInt64 = 1 << 63 | 12345
    static let value = [UInt8](repeating: 7, count: 100)
    static let contacts = 20
    static let room = 4096

    static var keyBytes: [UInt8] {
        var bytes = [UInt8](repeating: 0, count: NodeID.byteCount)
        bytes.withUnsafeMutableBytes { key.store(to: $0.baseAddress!) }
        return bytes
    }
}

/// One message: how each side writes it.
private struct Case: Sendable {
    let name: String
    let swift: @Sendable (inout ByteBuffer, EndpointTable, EndpointID) -> Void
    let c: @Sendable (UnsafeMutablePointer<UInt8>) -> Int

    static var all: [Case] {
        let key = Sample.keyBytes
        let ids = [UInt8](repeating: 9, count: Sample.contacts * NodeID.byteCount)
        return [
            Case(
                name: "Ping", swift: { buffer, _, _ in buffer.appendPing() },
                c: { baseline_ping($0, Sample.room, Sample.rpc) }),
            Case(
                name: "FindNode", swift: { buffer, _, _ in buffer.appendFindNode(target: Sample.key) },
                c: { baseline_find_node($0, Sample.room, Sample.rpc, key) }),
            Case(
                name: "Get", swift: { buffer, _, _ in buffer.appendGet(key: Sample.key) },
                c: { baseline_get($0, Sample.room, Sample.rpc, key) }),
            Case(
                name: "Put 100 B", swift: { buffer, _, _ in appendPut(&buffer) },
                c: { baseline_put($0, Sample.room, Sample.rpc, key, Sample.value, Sample.value.count) }),
            Case(
                name: "Nodes of 20", swift: appendNodes,
                c: { baseline_nodes($0, Sample.room, Sample.rpc, ids, Sample.contacts) }),
            Case(
                name: "Found 100 B", swift: { buffer, _, _ in appendFound(&buffer) },
                c: { baseline_found($0, Sample.room, Sample.rpc, key, Sample.value, Sample.value.count) }),
        ]
    }

    private static func appendPut(_ buffer: inout ByteBuffer) {
        Sample.value.withUnsafeBytes {
            buffer.appendPut(key: Sample.key, seq: 1_000_000, ttlSeconds: 3600, value: $0)
        }
    }

    private static func appendFound(_ buffer: inout ByteBuffer) {
        Sample.value.withUnsafeBytes {
            buffer.beginFound(key: Sample.key, seq: 1_000_000, ttlSeconds: 3600, value: $0, contacts: 0)
        }
    }

    private static func appendNodes(
        _ buffer: inout ByteBuffer, _ endpoints: EndpointTable, _ at: EndpointID
    ) {
        buffer.beginNodes(count: Sample.contacts)
        for _ in 0..<Sample.contacts { buffer.appendContact(Sample.key, at: endpoints.encoded(at)) }
    }
}

func codecBenchmarks() {
    for message in Case.all {
        encodeBenchmarks(message)
        decodeBenchmarks(message)
    }
}

private func encodeBenchmarks(_ message: Case) {
    Benchmark("encode \(message.name), Swift") { benchmark in
        let endpoints = EndpointTable()
        let at = endpoints.intern("127.0.0.1:12345") ?? .none
        let encoder = EnvelopeEncoder(src: Sample.key, at: endpoints.bytes(at), net: 0)
        var buffer = ByteBuffer(capacity: Sample.room)
        benchmark.startMeasurement()
        for _ in benchmark.scaledIterations {
            buffer.clear()
            encoder.begin(&buffer, dst: Sample.key, rpc: Sample.rpc)
            message.swift(&buffer, endpoints, at)
            blackHole(buffer.count)
        }
    }
    Benchmark("encode \(message.name), C") { benchmark in
        let memory = UnsafeMutablePointer<UInt8>.allocate(capacity: Sample.room)
        defer { memory.deallocate() }
        benchmark.startMeasurement()
        for _ in benchmark.scaledIterations { blackHole(message.c(memory)) }
    }
}

private func decodeBenchmarks(_ message: Case) {
    // Both read what C wrote; the conformance tests hold the two writers against each other.
    let bytes = [UInt8](unsafeUninitializedCapacity: Sample.room) { memory, count in
        count = message.c(memory.baseAddress!)
    }
    Benchmark("decode \(message.name), Swift") { benchmark in
        var lists = MessageLists()
        bytes.withUnsafeBytes { payload in
            benchmark.startMeasurement()
            for _ in benchmark.scaledIterations {
                blackHole(try? EnvelopeDecoder.decode(payload, into: &lists))
            }
        }
    }
    Benchmark("decode \(message.name), C") { benchmark in
        var found = baseline_message()
        benchmark.startMeasurement()
        for _ in benchmark.scaledIterations { blackHole(baseline_decode(bytes, bytes.count, &found)) }
    }
}
