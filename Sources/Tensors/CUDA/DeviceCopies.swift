internal import CDrivers
internal import Synchronization

extension CUDADevice {
    /// Sends the host's bytes to the device; returns when they are no longer needed, which is
    /// before they have arrived. Large ones go in pieces.
    func upload(_ source: UnsafeRawBufferPointer, to address: UInt64) {
        checkNotCapturing()
        orEnd { () throws(CUDAError) in unsafe try staging.upload(source, to: address) }
    }

    /// Fetches a device's bytes, and waits for them and all that was launched before.
    func download(_ address: UInt64, into target: UnsafeMutableRawBufferPointer) {
        checkNotCapturing()
        orEnd { () throws(CUDAError) in
            unsafe try staging.download(address, into: target) { (event) throws(CUDAError) in
                try checkWait(
                    unsafe driver.functions.cuEventSynchronize(event), "cuEventSynchronize")
            }
        }
    }

    /// Copies bytes on the device.
    func copy(from source: UInt64, to target: UInt64, byteCount: Int) {
        guard byteCount > 0 else { return }
        orEnd { () throws(CUDAError) in
            try driver.enter()
            try driver.check(
                unsafe driver.functions.cuMemcpyDtoDAsync(target, source, byteCount, stream),
                "cuMemcpyDtoDAsync", "of \(byteCount) bytes")
        }
    }

    /// Sets bytes of the device to zero.
    func zero(_ address: UInt64, byteCount: Int) {
        guard byteCount > 0 else { return }
        orEnd { () throws(CUDAError) in
            try driver.enter()
            try driver.check(
                unsafe driver.functions.cuMemsetD8Async(address, 0, byteCount, stream),
                "cuMemsetD8Async", "of \(byteCount) bytes")
        }
    }

    /// A graph's launches would read and write the same host memory again.
    private func checkNotCapturing() {
        precondition(
            !isCapturing.load(ordering: .relaxed),
            "While a graph is captured nothing goes to the host or comes from it.")
    }
}
