// RO:WHAT  Traffic: frames and bytes, by what they were for.
// RO:WHY   Success bought with traffic is no success; sessions cost bytes that a datagram network does not pay.

import DhtLoop

/// What a frame was for: the request's operation, for its replies too.
enum Purpose: UInt8, CaseIterable {
    case ping, findNode, get, put, other
}

/// Counted since the measured part began.
struct Traffic {
    /// IP and TCP heads of a packet.
    static let headBytes = 40
    /// Payload of a full packet.
    static let segmentBytes = 1460
    /// Length and kind of an OAP frame.
    static let frameHeadBytes = 5
    /// SYN, SYN-ACK, ACK; HELLO each way, the dialler's in one packet with its first frame, the other's in one
    /// of its own, and the ACK of that.
    static let openBytes = 5 * headBytes + 2 * 9
    /// FIN, FIN-ACK, ACK.
    static let closeBytes = 3 * headBytes
    static let synBytes = headBytes
    /// TCP keep-alive on a session that has been quiet for so long: a probe and its ACK.
    static let keepAliveUs: UInt64 = 60_000_000
    static let keepAliveBytes = 2 * headBytes

    private(set) var requests = [UInt64](repeating: 0, count: Purpose.allCases.count)
    private(set) var replies = [UInt64](repeating: 0, count: Purpose.allCases.count)
    /// Payloads alone.
    private(set) var payloadBytes: UInt64 = 0
    /// All bytes that frames put on links, with every head and the ACK of each reply.
    private(set) var frameBytes: UInt64 = 0
    /// Bytes to open, keep alive and close sessions, and to fail to open them.
    var sessionBytes: UInt64 = 0
    var sessionsOpened: UInt64 = 0
    var sessionsFailed: UInt64 = 0
    var sessionsEvicted: UInt64 = 0
    /// Frames that found a TX queue full.
    var queueDrops: UInt64 = 0
    /// Frames that the network lost, and those that a cut or a dead site swallowed.
    var lost: UInt64 = 0
    var swallowed: UInt64 = 0
    /// Frames that reached a switch without their node.
    var unreachable: UInt64 = 0
    var floodRequests: UInt64 = 0
    /// Answers that flooders got, and how many of them were Busy; and Busy to anybody else.
    var floodAnswers: UInt64 = 0
    var busyToFlooders: UInt64 = 0
    var busyToOthers: UInt64 = 0

    var totalBytes: UInt64 { frameBytes + sessionBytes }
    var messages: UInt64 { requests.reduce(0, +) + replies.reduce(0, +) }

    func messages(_ purpose: Purpose) -> UInt64 {
        requests[Int(purpose.rawValue)] + replies[Int(purpose.rawValue)]
    }

    /// Counts the keep-alives of a session that was quiet for `quietUs`.
    mutating func countQuiet(_ quietUs: UInt64) {
        sessionBytes += quietUs / Self.keepAliveUs * UInt64(Self.keepAliveBytes)
    }

    mutating func countRequest(_ purpose: Purpose) { requests[Int(purpose.rawValue)] += 1 }

    mutating func countReply(_ purpose: Purpose) { replies[Int(purpose.rawValue)] += 1 }

    mutating func countAnswer(isBusy: Bool, toFlooder: Bool) {
        if toFlooder { floodAnswers += 1 }
        guard isBusy else { return }
        if toFlooder { busyToFlooders += 1 } else { busyToOthers += 1 }
    }

    /// Counts a frame of `payload` bytes on one link. A request is acknowledged by its reply, a reply by an ACK.
    mutating func countFrame(payload: Int, isReply: Bool) {
        let bytes = payload + Self.frameHeadBytes
        let packets = (bytes + Self.segmentBytes - 1) / Self.segmentBytes
        payloadBytes += UInt64(payload)
        frameBytes += UInt64(bytes + (packets + (isReply ? 1 : 0)) * Self.headBytes)
    }
}
