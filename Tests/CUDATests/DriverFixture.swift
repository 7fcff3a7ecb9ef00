import EmulatedGPU
import Foundation

@testable import Tensors

extension EmulatedGPU {
    /// Opens the emulated device as a user's would be; it keeps the emulation alive.
    func open(
        sources: KernelSources = .carried, cacheFolder: String? = nil, stagingBytes: Int = 4096,
        note: @escaping @Sendable (String) -> Void = { _ in }
    ) throws -> CUDADevice {
        try CUDADevice(
            CUDALibraries(driver: driver, compiler: compiler, products: products),
            sources: sources, cacheFolder: cacheFolder, stagingBytes: stagingBytes,
            note: { sentence in withExtendedLifetime(self) { note(sentence) } })
    }
}

extension CUDADevice {
    /// Sends numbers to memory of the pool.
    func upload(_ values: [Float]) -> UInt64 {
        let address = pool.allocate(byteCount: values.count * 4)
        unsafe values.withUnsafeBytes { unsafe upload($0, to: address) }
        return address
    }

    /// Fetches numbers.
    func floats(_ address: UInt64, count: Int) -> [Float] {
        var values = [Float](repeating: -1, count: count)
        unsafe values.withUnsafeMutableBytes { unsafe download(address, into: $0) }
        return values
    }

    /// Sets numbers with a kernel.
    func fill(_ address: UInt64, count: Int, with value: Float) throws(CUDAError) {
        try tryLaunch(
            "fill_f32", of: KernelFile.elementwise.name, grid: (1, 1, 1), block: 256,
            sharedBytes: 0, [.long(count), .float(value), .address(address)])
    }
}

/// Gives a new folder to `body` and removes it.
func withTemporaryFolder(_ body: (String) throws -> Void) throws {
    let folder = FileManager.default.temporaryDirectory
        .appendingPathComponent("lorikeet-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    try body(folder.path)
}
