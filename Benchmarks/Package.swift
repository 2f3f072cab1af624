// swift-tools-version: 6.2
// RO:WHAT  Micro-benchmarks of the hot path, beside plain C over the same libcbor calls.
// RO:WHY   A package of its own, so that a user's build never pulls it in. Without its trait the benchmark library
//          needs no jemalloc; allocations are counted by scripts/bench/alloc.sh instead.

import PackageDescription

let package = Package(
    name: "svc-dht-benchmarks",
    dependencies: [
        .package(name: "svc-dht", path: ".."),
        .package(url: "https://github.com/ordo-one/benchmark", exact: "1.38.1", traits: []),
    ],
    targets: [
        .target(name: "CBaseline", linkerSettings: [.linkedLibrary("cbor")]),
        .executableTarget(
            name: "HotPath",
            dependencies: [
                "CBaseline", .product(name: "DhtLoop", package: "svc-dht"),
                .product(name: "Benchmark", package: "benchmark"),
            ],
            path: "Benchmarks/HotPath",
            plugins: [.plugin(name: "BenchmarkPlugin", package: "benchmark")]),
    ],
    swiftLanguageModes: [.v6]
)
