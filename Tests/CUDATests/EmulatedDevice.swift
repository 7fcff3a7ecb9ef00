import EmulatedGPU
import Tensors
import Testing

/// Runs `body` with a device that the CPU plays, and checks that nothing was done wrong with it,
/// that no result depends on the order in which threads run, and that nothing is left on it.
func withEmulatedDevice(_ body: (Device) throws -> Void) throws {
    try withEmulatedDevice { _, device in try body(device) }
}

/// The same for a body that looks at what the device was asked for.
func withEmulatedDevice(_ body: (EmulatedGPU, Device) throws -> Void) throws {
    let gpu = EmulatedGPU()
    gpu.compareOrders()
    let libraries = CUDALibraries(
        driver: gpu.driver, compiler: gpu.compiler, products: gpu.products)
    try body(gpu, .cuda(CUDADevice(libraries, cacheFolder: nil)))
    #expect(gpu.wrong == "")
    #expect(gpu.left == "")
}
