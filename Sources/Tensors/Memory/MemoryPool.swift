import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// Keeps freed buffers for the next op of the same size: a fresh large allocation costs a page
/// fault for every 4 KiB, which is more than many ops take.
@safe
package final class MemoryPool: Sendable {
    /// The pool that all tensors of this process come from.
    package static let shared = MemoryPool()

    private struct State: ~Copyable {
        var free: [Int: [UInt]] = [:]
        var ledger = MemoryLedger()
    }

    private let state = Mutex(State())

    /// Buffers kept for reuse beyond this many bytes are given back to the system.
    private static let cacheLimit = 512 << 20

    /// What the pool holds now and held at most.
    package var ledger: MemoryLedger { state.withLock { $0.ledger } }

    /// Forgets the peak: from now on it counts from what is in use.
    package func resetPeak() {
        state.withLock { $0.ledger.peakBytes = $0.ledger.bytesInUse }
    }

    /// Gives every kept buffer back to the system.
    package func releaseUnused() {
        state.withLock { Self.releaseUnused(&$0) }
    }

    /// A 64-byte aligned buffer of at least `byteCount` bytes, its content undefined.
    func allocate(byteCount: Int) -> UnsafeMutableRawPointer {
        let size = Self.sizeClass(byteCount)
        let reused: UInt? = state.withLock { state in
            state.ledger.bytesInUse += size
            state.ledger.peakBytes = max(state.ledger.peakBytes, state.ledger.bytesInUse)
            guard let address = state.free[size]?.popLast() else {
                if state.ledger.bytesKept > Self.cacheLimit { Self.releaseUnused(&state) }
                return nil
            }
            state.ledger.bytesKept -= size
            return address
        }
        if let reused, let pointer = unsafe UnsafeMutableRawPointer(bitPattern: reused) {
            return unsafe pointer
        }
        var pointer: UnsafeMutableRawPointer?
        guard unsafe posix_memalign(&pointer, 64, size) == 0, let pointer = unsafe pointer else {
            fatalError("Out of memory: the system refused \(size >> 20) MiB for a tensor.")
        }
        return unsafe pointer
    }

    /// Takes back a buffer that `allocate` gave for the same `byteCount`.
    func release(_ pointer: UnsafeMutableRawPointer, byteCount: Int) {
        let size = Self.sizeClass(byteCount)
        let address = UInt(bitPattern: pointer)
        state.withLock { state in
            state.ledger.bytesInUse -= size
            state.ledger.bytesKept += size
            state.free[size, default: []].append(address)
        }
    }

    private static func releaseUnused(_ state: inout State) {
        for address in state.free.values.joined() {
            unsafe free(UnsafeMutableRawPointer(bitPattern: address))
        }
        state.free.removeAll(keepingCapacity: true)
        state.ledger.bytesKept = 0
    }

    /// Rounds up to eight steps an octave, so that nearly equal sizes share their buffers and at
    /// most an eighth is wasted.
    private static func sizeClass(_ byteCount: Int) -> Int {
        let needed = max(byteCount, 64)
        let octave = Int.bitWidth - 1 - needed.leadingZeroBitCount
        let step = max(64, 1 << max(0, octave - 3))
        return (needed + step - 1) / step * step
    }
}

/// Bytes that a `MemoryPool` accounts for.
package struct MemoryLedger: Sendable, Equatable {
    /// Bytes in live tensors.
    package var bytesInUse = 0
    /// Bytes of freed buffers kept for reuse.
    package var bytesKept = 0
    /// The most that was ever in live tensors at once.
    package var peakBytes = 0
}
