import EmulatedGPU
import Tensors
import Testing

/// Runs `body` with a GPU that the CPU plays as the current device, and checks that nothing was
/// done wrong with it and that nothing is left on it.
///
/// - Parameter memory: the device's, in bytes.
func onEmulatedDevice(
    memory: Int = 4 << 30, _ body: (CUDADevice) async throws -> Void
) async throws {
    let gpu = EmulatedGPU()
    gpu.setMemory(byteCount: memory)
    let libraries = CUDALibraries(
        driver: gpu.driver, compiler: gpu.compiler, products: gpu.products)
    do {
        let device = try CUDADevice(libraries, cacheFolder: nil)
        try await Device.$current.withValue(.cuda(device)) { try await body(device) }
    }
    #expect(gpu.wrong == "")
    #expect(gpu.left == "")
}
