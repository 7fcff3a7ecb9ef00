internal import CDrivers
internal import Synchronization

/// Host memory that the device reads and writes by itself while the host goes on, at an address
/// that stays: a graph may copy from it and to it, each time what is there when it is launched.
@safe
package final class PinnedBuffer: @unchecked Sendable {
    package let byteCount: Int
    private let device: CUDADevice
    private let start: UnsafeMutableRawPointer
    /// After the last copy that was launched outside of a graph.
    private let event: cd_event

    /// Takes memory of the host; its content is undefined. Ends the process where there is none.
    package convenience init(byteCount: Int, for device: CUDADevice) {
        let (start, event) = unsafe device.orEnd { () throws(CUDAError) in
            unsafe try Self.open(byteCount, device)
        }
        unsafe self.init(byteCount, device, start, event)
    }

    private init(
        _ byteCount: Int, _ device: CUDADevice, _ start: UnsafeMutableRawPointer,
        _ event: cd_event
    ) {
        self.byteCount = byteCount
        self.device = device
        unsafe self.start = start
        unsafe self.event = event
    }

    private static func open(
        _ byteCount: Int, _ device: CUDADevice
    ) throws(CUDAError) -> (UnsafeMutableRawPointer, cd_event) {
        let driver = device.driver
        try driver.enter()
        var start: UnsafeMutableRawPointer?
        var event: cd_event?
        try driver.check(
            unsafe driver.functions.cuMemHostAlloc(&start, max(byteCount, 1), 0),
            "cuMemHostAlloc", "of \(byteCount) bytes")
        try driver.check(
            unsafe driver.functions.cuEventCreate(&event, UInt32(CD_EVENT_DISABLE_TIMING)),
            "cuEventCreate")
        guard let start = unsafe start, let event = unsafe event else {
            throw CUDAError("The driver gave no pinned memory.")
        }
        return unsafe (start, event)
    }

    deinit {
        try? device.driver.enter()
        _ = unsafe device.driver.functions.cuStreamSynchronize(device.stream)
        _ = unsafe device.driver.functions.cuEventDestroy(event)
        _ = unsafe device.driver.functions.cuMemFreeHost(start)
    }

    /// Writes 32-bit integers from the place of the `first` one on. What the device copies must not
    /// be under way: see `wait`.
    package func write(_ values: [Int32], at first: Int = 0) {
        let words = unsafe words(first..<first + values.count, of: Int32.self)
        _ = unsafe words.update(fromContentsOf: values)
    }

    /// The 32-bit integers at these places; likewise.
    package func integers(_ places: Range<Int>) -> [Int32] {
        unsafe Array(words(places, of: Int32.self))
    }

    /// The f32 numbers at these places; likewise.
    package func floats(_ places: Range<Int>) -> [Float] {
        unsafe Array(words(places, of: Float.self))
    }

    private func words<Word>(
        _ places: Range<Int>, of _: Word.Type
    ) -> UnsafeMutableBufferPointer<Word> {
        precondition(
            places.lowerBound >= 0 && places.upperBound * 4 <= byteCount,
            "The words \(places) of \(byteCount) bytes.")
        return unsafe UnsafeMutableBufferPointer(
            start: (start + 4 * places.lowerBound).assumingMemoryBound(to: Word.self),
            count: places.count)
    }

    /// Launches a copy of the first `count` bytes to the device.
    package func send(_ count: Int, to address: UInt64) {
        copy(count, "cuMemcpyHtoDAsync") {
            unsafe device.driver.functions.cuMemcpyHtoDAsync(address, start, count, device.stream)
        }
    }

    /// Launches a copy of `count` bytes from the device to the first ones here.
    package func fetch(_ count: Int, from address: UInt64) {
        copy(count, "cuMemcpyDtoHAsync") {
            unsafe device.driver.functions.cuMemcpyDtoHAsync(start, address, count, device.stream)
        }
    }

    /// Waits until the device has come to what was launched when `mark` was called last, or a copy
    /// outside of a graph was launched.
    package func wait() {
        device.orEnd { () throws(CUDAError) in
            try device.driver.enter()
            try device.checkWait(
                unsafe device.driver.functions.cuEventSynchronize(event), "cuEventSynchronize")
        }
    }

    /// From now on `wait` waits for all that was launched until now: to be called after the launch
    /// of a graph that copies.
    package func mark() {
        device.orEnd { () throws(CUDAError) in
            try device.driver.enter()
            try device.driver.check(
                unsafe device.driver.functions.cuEventRecord(event, device.stream),
                "cuEventRecord")
        }
    }

    private func copy(_ count: Int, _ call: String, _ launch: () -> cd_result) {
        precondition(count >= 0 && count <= byteCount, "\(count) bytes of \(byteCount).")
        guard count > 0 else { return }
        device.orEnd { () throws(CUDAError) in
            try device.driver.enter()
            try device.driver.check(launch(), call, "of \(count) bytes")
        }
        if !device.isCapturing.load(ordering: .relaxed) { mark() }
    }
}
