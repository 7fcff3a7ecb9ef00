internal import CDrivers

extension CUDADevice {
    /// Seconds that the device takes for what `body` launches; waits for it.
    package func seconds(_ body: () throws -> Void) rethrows -> Double {
        let (start, end) = unsafe orEnd { () throws(CUDAError) in
            unsafe (try mark(), try newEvent())
        }
        defer {
            _ = unsafe driver.functions.cuEventDestroy(start)
            _ = unsafe driver.functions.cuEventDestroy(end)
        }
        try body()
        return orEnd { () throws(CUDAError) in
            unsafe try record(end)
            try checkWait(unsafe driver.functions.cuEventSynchronize(end), "cuEventSynchronize")
            var milliseconds: Float = 0
            try driver.check(
                unsafe driver.functions.cuEventElapsedTime(&milliseconds, start, end),
                "cuEventElapsedTime")
            return Double(milliseconds) / 1000
        }
    }

    /// An event that the device comes to after all that was launched before.
    private func mark() throws(CUDAError) -> cd_event {
        let event = unsafe try newEvent()
        unsafe try record(event)
        return unsafe event
    }

    private func newEvent() throws(CUDAError) -> cd_event {
        try driver.enter()
        var event: cd_event?
        try driver.check(
            unsafe driver.functions.cuEventCreate(&event, UInt32(CD_EVENT_DEFAULT)),
            "cuEventCreate")
        guard let event = unsafe event else { throw CUDAError("cuEventCreate gave nothing.") }
        return unsafe event
    }

    private func record(_ event: cd_event) throws(CUDAError) {
        try driver.enter()
        try driver.check(unsafe driver.functions.cuEventRecord(event, stream), "cuEventRecord")
    }
}
