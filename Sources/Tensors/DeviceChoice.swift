/// Where a user wants to compute.
package enum DeviceChoice: String, Sendable, CaseIterable {
    /// On a GPU where one works, else on the host.
    case auto
    case cpu
    case cuda

    /// Opens the device, and lets it compute something small.
    ///
    /// - Throws: `CUDAError` where a GPU is asked for and none works.
    package func open(environment: [String: String]) throws(CUDAError) -> ChosenDevice {
        if self == .cpu { return ChosenDevice(.cpu) }
        do throws(CUDAError) {
            let device = try CUDADevice.open(environment: environment)
            try device.check()
            return ChosenDevice(.cuda(device))
        } catch {
            guard self == .auto else { throw error }
            return ChosenDevice(.cpu, insteadOfGPU: error)
        }
    }
}

/// The device that a choice led to.
package struct ChosenDevice: Sendable {
    package let device: Device
    /// Why it is not a GPU; nil where it is one, or none was asked for.
    package let gpuError: CUDAError?

    /// A device that somebody has opened.
    ///
    /// - Parameter error: why it is not a GPU.
    package init(_ device: Device, insteadOfGPU error: CUDAError? = nil) {
        self.device = device
        gpuError = error
    }

    /// As in "cuda: NVIDIA H200, 139.8 GiB", or "cpu, 16 threads; no GPU: libcuda.so.1 was not
    /// found".
    package var description: String {
        switch device {
        case .cuda(let cuda):
            return "cuda: \(cuda.properties.name), \(cuda.properties.memoryBytes.asMemorySize)"
        case .cpu:
            let threads = "cpu, \(Threads.count) thread\(Threads.count == 1 ? "" : "s")"
            guard let gpuError else { return threads }
            // A sentence ends where the line does.
            return "\(threads); no GPU: \(gpuError.description.trimmingFinalStop)"
        }
    }
}

extension String {
    fileprivate var trimmingFinalStop: Substring { hasSuffix(".") ? dropLast() : self[...] }
}
