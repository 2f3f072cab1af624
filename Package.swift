// swift-tools-version: 6.2
// RO:WHAT  The svc-dht package: one library (DhtLoop), two daemons, system-library module maps.
// RO:WHY   One library module, so that the optimiser sees through every layer of the hot path.

import PackageDescription

let strict: [SwiftSetting] = [.treatAllWarnings(as: .error)]

/// The hot rooms run on one thread and hold no inout access across a call-back; debug builds, which the tests
/// use, check that dynamically. In release the check alone was a third of the switch's CPU per frame.
let hot: [SwiftSetting] =
    strict + [.unsafeFlags(["-enforce-exclusivity=unchecked"], .when(configuration: .release))]

/// What the Makefile knows of the checkout, for /version and *_build_info.
func buildMacro(_ name: String) -> CSetting {
    .define(name, to: "\"\(Context.environment[name] ?? "unknown")\"")
}

let package = Package(
    name: "svc-dht",
    products: [
        .library(name: "DhtLoop", targets: ["DhtLoop"]),
        .executable(name: "svc-dht", targets: ["svc-dht"]),
        .executable(name: "svc-overlay", targets: ["svc-overlay"]),
        .executable(name: "dht-sim", targets: ["dht-sim"]),
    ],
    traits: [
        .trait(name: "pq", description: "Placeholder for a post-quantum handshake; gates one example only."),
        .trait(name: "quic", description: "Placeholder for QUIC sessions; gates one example only."),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", exact: "1.8.2"),
        .package(url: "https://github.com/apple/swift-log", exact: "1.16.2"),
        .package(url: "https://github.com/HdrHistogram/hdrhistogram-swift", exact: "0.2.0"),
    ],
    targets: [
        .systemLibrary(name: "CEpoll"),
        .systemLibrary(
            name: "CCbor", pkgConfig: "libcbor", providers: [.apt(["libcbor-dev"])]),
        .systemLibrary(
            name: "CMicrohttpd", pkgConfig: "libmicrohttpd",
            providers: [.apt(["libmicrohttpd-dev"])]),
        .systemLibrary(name: "CNettle", pkgConfig: "nettle", providers: [.apt(["nettle-dev"])]),
        .target(name: "CAres", linkerSettings: [.linkedLibrary("cares")]),
        .target(
            name: "CBuildInfo", cSettings: [buildMacro("SVC_BUILD_GIT"), buildMacro("SVC_BUILD_DATE")]),
        .target(
            name: "DhtLoop",
            dependencies: [
                "CEpoll", "CCbor", "CMicrohttpd", "CAres", "CNettle", "CBuildInfo",
                .product(name: "Logging", package: "swift-log"),
            ],
            swiftSettings: hot),
        .target(
            name: "SettingOptions",
            dependencies: [
                "DhtLoop", .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            swiftSettings: strict),
        .executableTarget(
            name: "svc-dht",
            dependencies: [
                "CEpoll", "DhtLoop", "SettingOptions",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Histogram", package: "hdrhistogram-swift"),
            ],
            swiftSettings: strict),
        .executableTarget(
            name: "svc-overlay",
            dependencies: [
                "DhtLoop", "SettingOptions",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            swiftSettings: strict),
        .executableTarget(
            name: "embed", dependencies: ["DhtLoop"], path: "Examples/embed", swiftSettings: strict),
        .executableTarget(name: "placeholders", path: "Examples/placeholders", swiftSettings: strict),
        .target(name: "DhtSim", dependencies: ["DhtLoop"], swiftSettings: hot),
        .executableTarget(
            name: "dht-sim",
            dependencies: [
                "DhtSim", .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            swiftSettings: strict),
        .testTarget(
            name: "DhtLoopTests", dependencies: ["DhtLoop", "svc-dht", "svc-overlay"],
            exclude: ["Proto/vectors.json"],
            swiftSettings: strict),
        .testTarget(
            name: "DhtSimTests", dependencies: ["DhtSim", "DhtLoop", "dht-sim"], exclude: ["hashes.json"],
            swiftSettings: strict),
    ],
    swiftLanguageModes: [.v6]
)
