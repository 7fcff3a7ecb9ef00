import Foundation
import Testing

@testable import Tensors

@Suite("Kernel sources")
struct KernelSourcesTests {
    private static let folder = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        .appendingPathComponent("Sources/CKernels/cuda")

    @Test("the program carries every file of the folder, as it is")
    func carried() throws {
        let carried = KernelSources.carried
        let texts = carried.kernels.merging(carried.headers) { a, _ in a }
        let names = try FileManager.default.contentsOfDirectory(atPath: Self.folder.path)
        #expect(
            Set(names.filter { $0.hasSuffix(".cu") || $0.hasSuffix(".cuh") }) == Set(texts.keys))
        for (name, text) in texts {
            let file = Self.folder.appendingPathComponent(name)
            #expect(try String(contentsOf: file, encoding: .utf8) == text, "\(name)")
        }
    }

    @Test("every kernel file has a name in Swift, and every name a file")
    func named() {
        #expect(Set(KernelSources.carried.kernels.keys) == Set(KernelFile.allCases.map(\.name)))
    }
}
