// RO:WHAT  OverlaySettings: every setting of svc-overlay, declared once; and what both programs share.
// RO:WHY   Variable, option, default, range and meaning stand here and nowhere else.
// RO:TEST  Tests/DhtLoopTests/Config/SettingTests.swift

import Logging

/// The settings of the switch as a process. Units are in the names.
public struct OverlaySettings: SettingList {
    public static let all = OverlaySettings()

    private init() {}

    public let listenAddress = Setting(
        "SVC_OVERLAY_LISTEN_ADDR", "Where overlay sessions are accepted", .listenAddress,
        initial: "127.0.0.1:9700")

    public let adminAddress = Setting(
        "SVC_OVERLAY_HTTP_ADDR", "Where admin HTTP listens", .listenAddress, initial: "127.0.0.1:9600")

    public let maxConnections = Setting(
        "SVC_OVERLAY_MAX_CONNS", "Sessions held at most", .integer(1...65_536), initial: 1024)

    public let txWatermark = Setting.txWatermark("RON_OVERLAY_TX_WATERMARK")

    public let handshakeMs = Setting(
        "RON_OVERLAY_HANDSHAKE_MS", "Time a connection has to say HELLO, in milliseconds",
        .integer(100...30_000), initial: 2000)

    public let fastOpen = Setting.fastOpen("RON_OVERLAY_FAST_OPEN")
    public let logLevel = Setting.logLevel("SVC_OVERLAY_LOG")
    public let logFormat = Setting.logFormat("SVC_OVERLAY_LOG_FORMAT")
}

// What both programs have, each under a name of its own.

extension Setting where Value == Int {
    /// A queue holds 128 frames; a watermark of 128 could never be passed.
    static func txWatermark(_ name: String, isLive: Bool = false) -> Setting {
        Setting(
            name, "Send queue depth, of 128, above which not ready", .integer(1...127), initial: 96,
            isLive: isLive)
    }
}

extension Setting where Value == FastOpen {
    static func fastOpen(_ name: String) -> Setting {
        Setting(
            name, "First frames travel with the SYN; always only where nobody can forge addresses",
            .choice(), initial: .cookie)
    }
}

extension Setting where Value == Logger.Level {
    static func logLevel(_ name: String, isLive: Bool = false) -> Setting {
        Setting(
            name, "Least level that is logged", .choice(aliases: ["warn": "warning"]), initial: .info,
            isLive: isLive)
    }
}

extension Setting where Value == LogFormat {
    static func logFormat(_ name: String) -> Setting {
        Setting(name, "Log lines as json or text", .choice(), initial: .json)
    }
}
