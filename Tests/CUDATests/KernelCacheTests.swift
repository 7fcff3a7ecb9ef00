import EmulatedGPU
import Foundation
import Synchronization
import Testing

@testable import Tensors

@Suite("Kernel cache")
struct KernelCacheTests {
    /// Runs a kernel on a newly opened device, as a start of the program does; gives how often the
    /// compiler was asked.
    private func compilations(
        folder: String?, capability: Int = 90, sources: KernelSources = .carried,
        note: @escaping @Sendable (String) -> Void = { _ in }
    ) throws -> Int {
        let gpu = EmulatedGPU()
        gpu.setCapability(capability)
        let device = try gpu.open(sources: sources, cacheFolder: folder, note: note)
        let address = device.pool.allocate(byteCount: 12)
        try device.fill(address, count: 3, with: 1)
        try device.fill(address, count: 3, with: 2)
        #expect(device.floats(address, count: 3) == [2, 2, 2])
        return gpu.compilationCount
    }

    private func files(_ folder: String) throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: folder).sorted()
    }

    @Test("a second start does not compile")
    func hit() throws {
        try withTemporaryFolder { folder in
            #expect(try compilations(folder: "\(folder)/kernels") == 1)
            #expect(try compilations(folder: "\(folder)/kernels") == 0)
            let names = try files("\(folder)/kernels")
            #expect(names.count == 1)
            #expect(names.first?.hasPrefix("elementwise-sm_90a-") == true)
        }
    }

    @Test("another source, header or architecture is compiled")
    func miss() throws {
        try withTemporaryFolder { (folder) throws in
            var texts = ["elementwise.cu": "", "prelude.cuh": "a"]
            func compilations(capability: Int = 90) throws -> Int {
                try self.compilations(
                    folder: folder, capability: capability, sources: KernelSources(files: texts))
            }
            #expect(try compilations() == 1)
            texts["prelude.cuh"] = "b"
            #expect(try compilations() == 1)
            texts["elementwise.cu"] = "c"
            #expect(try compilations() == 1)
            #expect(try compilations(capability: 80) == 1)
            #expect(try compilations() == 0)
            #expect(try files(folder).count == 4)
        }
    }

    @Test(
        "a damaged, a cut and an empty entry are made anew", arguments: ["damaged", "cut", "empty"])
    func damaged(_ harm: String) throws {
        try withTemporaryFolder { folder in
            #expect(try compilations(folder: folder) == 1)
            let path = "\(folder)/\(try #require(try files(folder).first))"
            var bytes = [UInt8](try Data(contentsOf: URL(fileURLWithPath: path)))
            switch harm {
            case "damaged": bytes[3] ^= 1
            case "cut": bytes.removeLast(9)
            default: bytes = []
            }
            try Data(bytes).write(to: URL(fileURLWithPath: path))
            #expect(try compilations(folder: folder) == 1)
            #expect(try compilations(folder: folder) == 0)
        }
    }

    @Test("a folder that cannot be made is said once, and kernels run all the same")
    func unwritable() throws {
        try withTemporaryFolder { folder in
            try Data([1]).write(to: URL(fileURLWithPath: "\(folder)/file"))
            let notes = Notes()
            let sources = KernelSources.carried
            let gpu = EmulatedGPU()
            let device = try gpu.open(
                sources: sources, cacheFolder: "\(folder)/file/kernels",
                note: { notes.add($0) })
            let address = device.pool.allocate(byteCount: 12)
            try device.fill(address, count: 3, with: 1)
            try device.kernels.prepare([KernelFile.rmsNorm.name, KernelFile.rotary.name])
            #expect(notes.all.count == 1)
            #expect(
                notes.all.first?.hasPrefix("Compiled kernels are not kept for the next start: ")
                    == true)
        }
    }

    @Test("without a folder nothing is kept and nothing is said")
    func withoutFolder() throws {
        let notes = Notes()
        #expect(try compilations(folder: nil, note: { notes.add($0) }) == 1)
        #expect(notes.all == [])
    }

    private final class Notes: Sendable {
        private let sentences = Mutex<[String]>([])
        var all: [String] { sentences.withLock { $0 } }
        func add(_ sentence: String) { sentences.withLock { $0.append(sentence) } }
    }
}
