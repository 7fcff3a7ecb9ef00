import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// Keeps freed buffers for the next op of the same size: a fresh large allocation costs a page
/// fault for every 4 KiB, which is more than many ops take. Together with what is in use they are
/// hardly more than was ever in use at once: those kept longest go first.
@safe
package final class MemoryPool: Sendable {
    /// The pool that all tensors of this process come from.
    package static let shared = MemoryPool()

    private struct State: ~Copyable {
        /// Freed buffers by size, each size in the order of their release.
        var free: [Int: [FreeBuffer]] = [:]
        var ledger = MemoryLedger()
        var mostInUse = 0
        var releases = 0
    }

    private struct FreeBuffer {
        let address: UInt
        /// The number of the release that it came by.
        let release: Int
    }

    private let state = Mutex(State())

    /// What may be kept beyond the most that was in use at once: sizes change from op to op.
    private static let slack = 64 << 20

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
            state.mostInUse = max(state.mostInUse, state.ledger.bytesInUse)
            guard let buffer = state.free[size]?.popLast() else {
                Self.releaseOldest(&state)
                return nil
            }
            state.ledger.bytesKept -= size
            return buffer.address
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
            state.releases += 1
            state.free[size, default: []].append(
                FreeBuffer(address: address, release: state.releases))
        }
    }

    private static func releaseUnused(_ state: inout State) {
        for buffer in state.free.values.joined() {
            unsafe free(UnsafeMutableRawPointer(bitPattern: buffer.address))
        }
        state.free.removeAll(keepingCapacity: true)
        state.ledger.bytesKept = 0
    }

    /// Gives back the buffers kept longest until all bytes are hardly more than were once in use.
    private static func releaseOldest(_ state: inout State) {
        while state.ledger.bytesInUse + state.ledger.bytesKept > state.mostInUse + slack {
            let oldest = state.free.filter { !$0.value.isEmpty }.min {
                ($0.value.first?.release ?? 0) < ($1.value.first?.release ?? 0)
            }
            guard let size = oldest?.key, let buffer = state.free[size]?.removeFirst() else {
                return
            }
            unsafe free(UnsafeMutableRawPointer(bitPattern: buffer.address))
            state.ledger.bytesKept -= size
        }
    }

    /// Rounds up to eight steps an octave, so that nearly equal sizes share their buffers and at
    /// most an eighth is wasted.
    static func sizeClass(_ byteCount: Int) -> Int {
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
