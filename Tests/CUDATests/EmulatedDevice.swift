import EmulatedGPU
import Tensors
import Testing

/// Runs `body` with a device that the CPU plays, and checks that nothing was done wrong with it and
/// that nothing is left on it.
func withEmulatedDevice(_ body: (Device) throws -> Void) throws {
    let gpu = EmulatedGPU()
    let libraries = CUDALibraries(
        driver: gpu.driver, compiler: gpu.compiler, products: gpu.products)
    try body(.cuda(CUDADevice(libraries, cacheFolder: nil)))
    #expect(gpu.wrong == "")
    #expect(gpu.left == "")
}
