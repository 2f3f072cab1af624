// RO:WHAT  PoolRecorder: notes what a pool tells its owner.
import Testing

@testable import DhtLoop

/// Notes what it is told; `onDialFailed` runs inside the callback.
final class PoolRecorder: PoolOwner {
    var opened: [EndpointID] = []
    var payloads: [(EndpointID, [UInt8])] = []
    var closed: [(EndpointID, CloseReason)] = []
    var failed: [(EndpointID, CloseReason)] = []
    var onDialFailed: (EndpointID) -> Void = { _ in }

    override func poolOpened(_ endpoint: EndpointID, nowUs: UInt64) { opened.append(endpoint) }

    override func poolReceived(_ endpoint: EndpointID, payload: UnsafeRawBufferPointer, nowUs: UInt64) {
        payloads.append((endpoint, Array(payload)))
    }

    override func poolClosed(_ endpoint: EndpointID, reason: CloseReason, nowUs: UInt64) {
        closed.append((endpoint, reason))
    }

    override func poolDialFailed(_ endpoint: EndpointID, reason: CloseReason, nowUs: UInt64) {
        failed.append((endpoint, reason))
        onDialFailed(endpoint)
    }
}
