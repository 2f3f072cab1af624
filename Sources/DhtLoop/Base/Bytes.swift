// RO:WHAT  Byte comparison, the one libc call the pure rooms need.
// RO:WHY   Proto and Kademlia import no system module; this keeps the import in one place.

import Glibc

/// Whether the `count` bytes at `a` and at `b` are the same.
@inline(__always)
func sameBytes(_ a: UnsafeRawPointer, _ b: UnsafeRawPointer, count: Int) -> Bool {
    memcmp(a, b, count) == 0
}
