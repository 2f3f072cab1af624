// RO:WHAT  PayloadPool: the bytes of frames in the air.
// RO:WHY   A frame lives for one hop; taking its memory off a free list costs two loads.
// RO:INVARIANTS  every payload stored is released exactly once; `inUse` is the difference.

/// Payload memory in classes of 256 bytes. A payload is named by the pointer to its block.
struct PayloadPool: ~Copyable {
    private static let grain = 256
    private static let classes = 17
    private static let slabBytes = 1 << 20
    /// Count of bytes, then the site it must go to, if that is known.
    private static let headBytes = 8

    private var free = [UnsafeMutableRawPointer?](repeating: nil, count: classes)
    private var slabs: [UnsafeMutableRawPointer] = []
    private var slabUsed = slabBytes
    /// Payloads stored and not released.
    private(set) var inUse = 0

    deinit { for slab in slabs { slab.deallocate() } }

    /// Copies `bytes`. `route` is carried along for the transport.
    mutating func store(_ bytes: UnsafeRawBufferPointer, route: UInt32) -> UnsafeMutableRawPointer {
        let block = take(bytes.count + Self.headBytes)
        block.storeBytes(of: UInt32(bytes.count), as: UInt32.self)
        block.storeBytes(of: route, toByteOffset: 4, as: UInt32.self)
        if let source = bytes.baseAddress {
            (block + Self.headBytes).copyMemory(from: source, byteCount: bytes.count)
        }
        inUse += 1
        return block
    }

    /// The bytes of a payload, valid until its release.
    static func bytes(_ block: UnsafeMutableRawPointer) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(start: block + headBytes, count: Int(block.load(as: UInt32.self)))
    }

    static func route(_ block: UnsafeMutableRawPointer) -> UInt32 {
        block.load(fromByteOffset: 4, as: UInt32.self)
    }

    mutating func release(_ block: UnsafeMutableRawPointer) {
        inUse -= 1
        let size = Self.sizeClass(Int(block.load(as: UInt32.self)) + Self.headBytes)
        guard size < Self.classes else { return block.deallocate() }
        block.storeBytes(of: free[size], as: UnsafeMutableRawPointer?.self)
        free[size] = block
    }

    private static func sizeClass(_ count: Int) -> Int { (count + grain - 1) / grain }

    private mutating func take(_ count: Int) -> UnsafeMutableRawPointer {
        let size = Self.sizeClass(count)
        guard size < Self.classes else { return .allocate(byteCount: count, alignment: 8) }
        if let block = free[size] {
            free[size] = block.load(as: UnsafeMutableRawPointer?.self)
            return block
        }
        let bytes = size * Self.grain
        if slabUsed + bytes > Self.slabBytes {
            slabs.append(.allocate(byteCount: Self.slabBytes, alignment: 64))
            slabUsed = 0
        }
        slabUsed += bytes
        return slabs[slabs.count - 1] + (slabUsed - bytes)
    }
}
