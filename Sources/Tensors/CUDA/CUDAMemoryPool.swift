internal import CDrivers
internal import Synchronization

/// What device memory is for.
package enum MemoryPurpose: String, CaseIterable, Sendable {
    case weights
    case adapter
    case optimizer
    case activations
    case keyValueCache = "KV cache"
    case workspace

    /// What new memory of a device is for.
    @TaskLocal package static var current: MemoryPurpose = .activations
}

/// Keeps freed device memory for the next buffer of the same size, and counts what it is for.
///
/// All that uses a buffer is launched on one stream: a buffer that was released may be handed out
/// again at once, since what is launched then runs after all that used it before. Where the device
/// has no room, all that is kept is given back before a buffer is refused.
@safe
package final class CUDAMemoryPool: @unchecked Sendable {
    private struct Buffer {
        let byteCount: Int
        let purpose: MemoryPurpose
        /// The graph whose buffers these are.
        let owner: ObjectIdentifier?
    }

    private struct State {
        /// Buffers in use by address.
        var used: [UInt64: Buffer] = [:]
        /// Kept buffers by size: those that anybody may have, and those of graphs.
        var free: [ObjectIdentifier?: [Int: [UInt64]]] = [:]
        var ledger = CUDAMemoryLedger()
        /// Whose graph is being captured.
        var capturing: ObjectIdentifier?

        /// A kept buffer of this size; a graph may take anybody's, which then is its own.
        mutating func takeKept(_ size: Int) -> UInt64? {
            guard let address = free[capturing]?[size]?.popLast() ?? free[nil]?[size]?.popLast()
            else { return nil }
            ledger.bytesKept -= size
            return address
        }
    }

    private let driver: CUDADriver
    private let stream: cd_stream
    private let state = Mutex(State())

    init(_ driver: CUDADriver, _ stream: cd_stream) {
        self.driver = driver
        unsafe self.stream = stream
    }

    /// What the pool holds now and held at most.
    package var ledger: CUDAMemoryLedger { state.withLock { $0.ledger } }

    /// Forgets the peak: from now on it counts from what is in use.
    package func resetPeak() {
        state.withLock { $0.ledger.peakBytes = $0.ledger.bytesInUse }
    }

    /// What the device has free beside the pool's memory, and in all.
    package func deviceMemory() throws(CUDAError) -> (freeBytes: Int, totalBytes: Int) {
        try driver.enter()
        var (free, total) = (0, 0)
        try driver.check(unsafe driver.functions.cuMemGetInfo(&free, &total), "cuMemGetInfo")
        return (free, total)
    }

    /// A buffer of at least `byteCount` bytes, 256-byte aligned, its content undefined; ends the
    /// process where the device has no room.
    package func allocate(
        byteCount: Int, for purpose: MemoryPurpose = .current
    ) -> UInt64 {
        do throws(CUDAError) {
            return try tryAllocate(byteCount: byteCount, for: purpose)
        } catch {
            CUDADevice.end(error)
        }
    }

    /// - Throws: `CUDAError` that says what the device's memory is used for.
    package func tryAllocate(
        byteCount: Int, for purpose: MemoryPurpose = .current
    ) throws(CUDAError) -> UInt64 {
        let size = MemoryPool.sizeClass(max(byteCount, 256))
        return try state.withLock { (state) throws(CUDAError) in
            let owner = state.capturing
            let address: UInt64
            if let kept = state.takeKept(size) {
                address = kept
            } else {
                address = try newBuffer(size, for: purpose, &state)
            }
            state.used[address] = Buffer(byteCount: size, purpose: purpose, owner: owner)
            state.ledger.add(size, purpose)
            return address
        }
    }

    /// Takes back a buffer; what was launched already may still use it.
    package func release(_ address: UInt64) {
        state.withLock { state in
            guard let buffer = state.used.removeValue(forKey: address) else {
                preconditionFailure("The pool gave no buffer at \(address).")
            }
            state.ledger.add(-buffer.byteCount, buffer.purpose)
            state.ledger.bytesKept += buffer.byteCount
            state.free[buffer.owner, default: [:]][buffer.byteCount, default: []].append(address)
        }
    }

    /// Gives every kept buffer back to the device, but those of graphs.
    package func releaseUnused() { state.withLock { releaseUnused(&$0, of: nil) } }

    private func newBuffer(
        _ size: Int, for purpose: MemoryPurpose, _ state: inout State
    ) throws(CUDAError) -> UInt64 {
        try driver.enter()
        var address: cd_address = 0
        var result = unsafe driver.functions.cuMemAlloc(&address, size)
        if result == CD_ERROR_OUT_OF_MEMORY, state.capturing == nil {
            releaseUnused(&state, of: nil)
            result = unsafe driver.functions.cuMemAlloc(&address, size)
        }
        if result == CD_ERROR_OUT_OF_MEMORY {
            let memory = try deviceMemory()
            throw CUDAError(
                "The GPU has no room for \(size.asMemorySize) of \(purpose.rawValue): "
                    + "\(memory.freeBytes.asMemorySize) of \(memory.totalBytes.asMemorySize) are free, "
                    + "in use are \(state.ledger.description).",
                isOutOfMemory: true)
        }
        try driver.check(result, "cuMemAlloc", "of \(size) bytes for \(purpose.rawValue)")
        return address
    }

    private func releaseUnused(_ state: inout State, of owner: ObjectIdentifier?) {
        guard state.free[owner] != nil else { return }
        // What was launched may still use them; an error of it is told by the next call that waits.
        try? driver.enter()
        _ = unsafe driver.functions.cuStreamSynchronize(stream)
        for (size, addresses) in state.free[owner] ?? [:] {
            for address in addresses { _ = driver.functions.cuMemFree(address) }
            state.ledger.bytesKept -= size * addresses.count
        }
        state.free[owner] = nil
    }

    /// Frees what is kept; no buffer may be used again.
    func close() {
        state.withLock { state in
            for owner in Array(state.free.keys) { releaseUnused(&state, of: owner) }
        }
    }

    // MARK: Graphs

    /// From now on buffers are `owner`'s: a graph's launches write them again whenever it is
    /// launched, so that nobody else may have them.
    func beginCapture(for owner: ObjectIdentifier) {
        state.withLock { state in
            precondition(state.capturing == nil, "A graph is being captured already.")
            state.capturing = owner
        }
    }

    func endCapture() { state.withLock { $0.capturing = nil } }

    /// `owner` is gone: what was kept for it is anybody's.
    func disown(_ owner: ObjectIdentifier) {
        state.withLock { state in
            for (size, addresses) in state.free.removeValue(forKey: owner) ?? [:] {
                state.free[nil, default: [:]][size, default: []] += addresses
            }
            for (address, buffer) in state.used where buffer.owner == owner {
                state.used[address] = Buffer(
                    byteCount: buffer.byteCount, purpose: buffer.purpose, owner: nil)
            }
        }
    }
}

/// Bytes of a device that a `CUDAMemoryPool` accounts for.
package struct CUDAMemoryLedger: Sendable, Equatable {
    /// Bytes in live tensors, by what they are for.
    package private(set) var bytesByPurpose: [MemoryPurpose: Int] = [:]
    /// Bytes of freed buffers kept for reuse.
    package internal(set) var bytesKept = 0
    /// The most that was ever in live tensors at once.
    package internal(set) var peakBytes = 0

    /// Bytes in live tensors.
    package var bytesInUse: Int { bytesByPurpose.values.reduce(0, +) }

    fileprivate mutating func add(_ bytes: Int, _ purpose: MemoryPurpose) {
        bytesByPurpose[purpose, default: 0] += bytes
        peakBytes = max(peakBytes, bytesInUse)
    }

    /// As in "weights 954.0 MiB, activations 12.5 MiB".
    package var description: String {
        let used = MemoryPurpose.allCases.compactMap { purpose -> String? in
            guard let bytes = bytesByPurpose[purpose], bytes > 0 else { return nil }
            return "\(purpose.rawValue) \(bytes.asMemorySize)"
        }
        return used.isEmpty ? "0 MiB" : used.joined(separator: ", ")
    }
}
