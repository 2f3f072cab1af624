// swift-tools-version: 6.2
// RO:WHAT  libFuzzer targets over everything that reads a stranger's bytes.
// RO:WHY   A package of its own: the sanitizer flags of `make fuzz` never reach a normal build.

import PackageDescription

let needs: [Target.Dependency] = ["CFuzzer", .product(name: "DhtLoop", package: "svc-dht")]

let package = Package(
    name: "svc-dht-fuzz",
    dependencies: [.package(name: "svc-dht", path: "..")],
    targets: [
        .systemLibrary(name: "CFuzzer"),
        .executableTarget(name: "fuzz-envelope", dependencies: needs),
        .executableTarget(name: "fuzz-frames", dependencies: needs),
        .executableTarget(name: "fuzz-node", dependencies: needs),
    ],
    swiftLanguageModes: [.v6]
)
