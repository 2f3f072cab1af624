// RO:WHAT  Tuning: every default and clamp of the configuration, by name.
// RO:WHY   A number that an operator can change is written once, beside the range it may move in.
// RO:INVARIANTS  each default lies in its range; Limits bound what the wire bounds.

/// Defaults and clamps. Units are in the names.
public enum Tuning {
    // The node.
    static let bootstrap = "127.0.0.1:9700"
    static let bootstrapEntries = 64
    static let k = 20
    static let kRange = 1...Limits.contactsPerMessage
    static let alpha = 3
    static let alphaMax = 16
    static let beta = 1
    /// Percent. Five of a bucket of twenty: who rents one network is a minority wherever a lookup goes.
    static let recursion = 2
    static let recursionRange = 0...Int(Limits.recursion)
    static let diversity = 25
    static let diversityRange = 0...100
    static let timeoutMs = 2000
    static let timeoutMsRange = 100...30_000
    static let deadlineMs = 5000
    static let deadlineMsRange = 100...120_000
    static let replica = 3
    static let ttlSeconds = 86_400
    static let republishSeconds = 43_200
    /// A week: records of publishers that went away must not outlive it.
    static let ttlSecondsRange = 1...604_800
    /// Life of a provider record whose announcer names none: what the original served.
    static let providerTtlSeconds: UInt64 = 600
    static let maxValueBytes = 65_536
    static let maxValueBytesRange = 1...Limits.valueBytes
    static let memoryBytes = 256 << 20
    static let memoryBytesRange = 16 << 20...Int.max
    /// A lookup asks one peer a few things; this is a thousand of those a second.
    static let peerRps = 20_000
    /// Ten peers at their full rate: a quarter of a core where frames come in batches.
    static let globalRps = 200_000
    static let ratesRange = 0...Pace.mostPerSecond
    static let readyPeers = 1
    static let readyPeersRange = 0...64
    /// Off.
    static let canarySeconds = 0
    static let canarySecondsRange = 5...3600
    static let adminAddress = "127.0.0.1:5301"
    static let drainMs = 5000
    static let drainMsRange = 0...60_000

    /// Endpoints that a node remembers at once; each is a text of up to 255 bytes.
    static let maxEndpoints = 65_536

    // The switch.
    static let overlayListen = "127.0.0.1:9700"
    static let overlayAdmin = "127.0.0.1:9600"
    static let overlayConnections = 1024
    static let overlayConnectionsRange = 1...65_536
    static let handshakeMs = 2000
    static let handshakeMsRange = 100...30_000

    // Both.
    static let txWatermark = 96
    /// A queue holds 128 frames; a watermark of 128 could never be passed.
    static let txWatermarkRange = 1...127
    static let network = 0
    static let fastOpen = FastOpen.cookie
    static let logLevel = "info"
    static let logFormat = "json"
}
