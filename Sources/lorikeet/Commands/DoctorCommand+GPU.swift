import Foundation
import Tensors

extension DoctorCommand {
    /// Says which GPU there is and what it does, or in one line why there is none.
    func describeGPU() {
        let environment = ProcessInfo.processInfo.environment
        do throws(CUDAError) {
            let search = CUDALibraries.search(try CUDALibrarySearch(environment: environment))
            if case .missing(let why) = search.findings[.driver] { throw CUDAError(why) }
            describe(search)
            guard let libraries = search.libraries else {
                throw CUDAError("it cannot be used without the libraries above.")
            }
            let device = try CUDADevice(
                libraries, cacheFolder: KernelCache.standardFolder(environment: environment))
            try device.check()
            describe(device)
        } catch {
            line("GPU", "none: \(error)")
        }
    }

    private func describe(_ search: CUDALibraries.Search) {
        if let version = search.driverVersion {
            line("CUDA", "\(version / 1000).\(version % 1000 / 10) is the newest of the driver")
        }
        for library in CUDALibrary.allCases {
            switch search.findings[library] {
            case .found(let path): line(library.description, path)
            case .missing(let why): line(library.description, why)
            case nil: break
            }
        }
    }

    private func describe(_ device: CUDADevice) {
        let properties = device.properties
        let capability = properties.computeCapability
        line(
            "GPU",
            "\(properties.name), \(gibibytes(properties.memoryBytes)), compute capability "
                + "\(capability / 10).\(capability % 10), \(properties.multiprocessorCount) "
                + "multiprocessors")
        line(
            "compiled with",
            "NVRTC \(device.compilerVersion) for \(device.architecture); cuBLASLt "
                + device.productsVersion)
        do throws(CUDAError) {
            let bandwidth = try device.measuredCopyBandwidth()
            line("GPU copies", "\(giga(bandwidth)) GB/s, read and written")
            let rate = try device.measuredMatrixRate()
            line("GPU bf16 products", "\(giga(rate / 1e3)) TFLOP/s")
        } catch {
            line("GPU speed", "not measured: \(error)")
        }
    }
}
