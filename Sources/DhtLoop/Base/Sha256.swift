// RO:WHAT  SHA-256 of some bytes.
// RO:WHY   Text keys are hashed into the key space; nettle is in the process already.
// RO:TEST  Tests/DhtLoopTests/Proto/KeyTextTests.swift

import CNettle

enum Sha256 {
    /// Bytes of a digest.
    static let byteCount = 32

    /// The digest of `bytes` (FIPS 180-4).
    static func digest(_ bytes: UnsafeRawBufferPointer) -> [UInt8] {
        var state = sha256_ctx()
        nettle_sha256_init(&state)
        nettle_sha256_update(&state, bytes.count, bytes.bindMemory(to: UInt8.self).baseAddress)
        return [UInt8](unsafeUninitializedCapacity: byteCount) { digest, count in
            nettle_sha256_digest(&state, byteCount, digest.baseAddress)
            count = byteCount
        }
    }
}
