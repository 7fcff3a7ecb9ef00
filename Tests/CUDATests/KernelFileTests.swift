import EmulatedGPU
import Foundation
import Testing

struct KernelFileTests {
    private static let folder = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        .appendingPathComponent("Sources/CKernels/cuda")

    @Test("Every kernel file is run by the emulator")
    func known() throws {
        let files = try FileManager.default.contentsOfDirectory(atPath: Self.folder.path)
        let stems = files.filter { $0.hasSuffix(".cu") }.map { $0.dropLast(3) }
        #expect(!stems.isEmpty)
        for stem in stems {
            let kernels = EmulatedGPU.kernels(of: String(stem)) ?? ""
            #expect(
                !kernels.isEmpty,
                "Tests/CUDAEmulator/kernels/\(stem).cpp names the kernels of \(stem).cu")
        }
    }
}
