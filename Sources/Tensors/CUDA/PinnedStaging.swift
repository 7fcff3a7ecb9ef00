internal import CDrivers
internal import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// Host memory that the device reads and writes by itself. What is sent is copied here, piece by
/// piece, while the device fetches the pieces before it; sending waits only when all pieces are on
/// their way.
@safe
final class PinnedStaging: @unchecked Sendable {
    /// A piece of pinned memory, and the event after its last copy.
    @safe
    private struct Piece: @unchecked Sendable {
        let start: UnsafeMutableRawPointer
        let event: cd_event
        /// Bytes that copies have been launched of.
        var filled = 0
    }

    @safe
    private struct State: @unchecked Sendable {
        /// Made at the first copy.
        var pieces: [Piece] = []
        /// The piece that is being filled.
        var current = 0
    }

    private static let pieceCount = 4
    /// Where copies start in a piece.
    private static let alignment = 256

    private let driver: CUDADriver
    private let stream: cd_stream
    private let pieceBytes: Int
    private let state = Mutex(State())

    init(_ driver: CUDADriver, _ stream: cd_stream, pieceBytes: Int) {
        self.driver = driver
        unsafe self.stream = stream
        self.pieceBytes = max(pieceBytes, Self.alignment)
    }

    /// Sends bytes; returns when they are no longer needed.
    func upload(
        _ source: UnsafeRawBufferPointer, to address: UInt64
    ) throws(CUDAError) {
        try driver.enter()
        try state.withLock { (state) throws(CUDAError) in
            try open(&state)
            var sent = 0
            while sent < source.count {
                if state.pieces[state.current].filled == pieceBytes {
                    try moveOn(&state)
                }
                let filled = state.pieces[state.current].filled
                let count = min(source.count - sent, pieceBytes - filled)
                let place = unsafe state.pieces[state.current].start + filled
                guard let start = source.baseAddress else { return }
                unsafe place.copyMemory(from: start + sent, byteCount: count)
                try driver.check(
                    unsafe driver.functions.cuMemcpyHtoDAsync(
                        address + UInt64(sent), place, count, stream),
                    "cuMemcpyHtoDAsync", "of \(count) bytes")
                sent += count
                let end = (filled + count + Self.alignment - 1) / Self.alignment * Self.alignment
                state.pieces[state.current].filled = min(end, pieceBytes)
            }
        }
    }

    /// Fetches bytes and waits for them.
    ///
    /// - Parameter wait: waits for the stream, with the message that fits.
    func download(
        _ address: UInt64, into target: UnsafeMutableRawBufferPointer,
        wait: (cd_event) throws(CUDAError) -> Void
    ) throws(CUDAError) {
        try driver.enter()
        try state.withLock { (state) throws(CUDAError) in
            try open(&state)
            /// Where what is under way will go.
            var pending: (piece: Int, offset: Int, count: Int)?
            var fetched = 0
            while fetched < target.count || pending != nil {
                var next: (piece: Int, offset: Int, count: Int)?
                if fetched < target.count {
                    try moveOn(&state)
                    let count = min(target.count - fetched, pieceBytes)
                    let piece = state.pieces[state.current]
                    try driver.check(
                        unsafe driver.functions.cuMemcpyDtoHAsync(
                            piece.start, address + UInt64(fetched), count, stream),
                        "cuMemcpyDtoHAsync", "of \(count) bytes")
                    unsafe try record(piece.event)
                    state.pieces[state.current].filled = pieceBytes
                    next = (state.current, fetched, count)
                    fetched += count
                }
                if let (index, offset, count) = pending {
                    let piece = state.pieces[index]
                    unsafe try wait(piece.event)
                    unsafe target.baseAddress.map { start in
                        unsafe (start + offset).copyMemory(from: piece.start, byteCount: count)
                    }
                }
                pending = next
            }
        }
    }

    /// Gives the pinned memory back; nothing may be on its way.
    func close() {
        state.withLock { state in
            for piece in state.pieces {
                _ = unsafe driver.functions.cuMemFreeHost(piece.start)
                _ = unsafe driver.functions.cuEventDestroy(piece.event)
            }
            state = State()
        }
    }

    private func open(_ state: inout State) throws(CUDAError) {
        while state.pieces.count < Self.pieceCount {
            var start: UnsafeMutableRawPointer?
            var event: cd_event?
            try driver.check(
                unsafe driver.functions.cuMemHostAlloc(&start, pieceBytes, 0), "cuMemHostAlloc",
                "of \(pieceBytes) bytes")
            try driver.check(
                unsafe driver.functions.cuEventCreate(&event, UInt32(CD_EVENT_DISABLE_TIMING)),
                "cuEventCreate")
            guard let start = unsafe start, let event = unsafe event else {
                throw CUDAError("The driver gave no pinned memory.")
            }
            unsafe state.pieces.append(Piece(start: start, event: event))
        }
    }

    /// Goes to the next piece when the device has done with that.
    private func moveOn(_ state: inout State) throws(CUDAError) {
        if state.pieces[state.current].filled > 0 {
            unsafe try record(state.pieces[state.current].event)
        }
        state.current = (state.current + 1) % Self.pieceCount
        if state.pieces[state.current].filled > 0 {
            try driver.check(
                unsafe driver.functions.cuEventSynchronize(state.pieces[state.current].event),
                "cuEventSynchronize")
            state.pieces[state.current].filled = 0
        }
    }

    private func record(_ event: cd_event) throws(CUDAError) {
        try driver.check(unsafe driver.functions.cuEventRecord(event, stream), "cuEventRecord")
    }
}
