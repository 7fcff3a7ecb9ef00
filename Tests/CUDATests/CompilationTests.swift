import CDrivers
import EmulatedGPU
import Foundation
import Tensors
import Testing

/// The machine code that NVRTC makes of every kernel, where NVRTC is on this machine.
struct CompilationTests {
    /// A kernel whose registers do not suffice may keep this much in memory, and no more.
    private static let mostSpilledBytes = 64

    @Test(
        "Every kernel file compiles, and no kernel spills much",
        .enabled(if: NVRTC.isFound, "NVRTC is not on this machine: pip install nvidia-cuda-nvrtc"),
        arguments: KernelSources.carried.kernels.keys.sorted(), ["sm_80", "sm_90a"])
    func compiles(file: String, architecture: String) throws {
        let made = try NVRTC.compiler().compile(
            file, for: architecture, remarks: ["--ptxas-options=-v"])
        #expect(made.code.starts(with: [0x7f] + Array("ELF".utf8)))
        let kernels = KernelUsage.read(made.words)
        #expect(!kernels.isEmpty)
        for kernel in kernels {
            #expect(kernel.registers > 0, "\(kernel.name)")
            #expect(
                kernel.spilledBytes <= Self.mostSpilledBytes,
                "\(kernel.name) spills \(kernel.spilledBytes) bytes for \(architecture)")
        }
        let stem = String(file.dropLast(3))
        let emulated = EmulatedGPU.kernels(of: stem) ?? ""
        let names = emulated.split(separator: ",").map { $0.trimmingCharacters(in: .whitespaces) }
        #expect(Set(kernels.map(\.name)) == Set(names), "The emulator runs the same kernels.")
    }

    @Test("What ptxas says of two kernels is read")
    func words() {
        let words = """
            ptxas info    : 0 bytes gmem
            ptxas info    : Compiling entry function 'first' for 'sm_80'
            ptxas info    : Function properties for first
            ptxas         .     8 bytes stack frame, 12 bytes spill stores, 24 bytes spill loads
            ptxas info    : Used 22 registers, used 1 barriers, 128 bytes smem, 360 bytes cmem[0]
            ptxas info    : Compiling entry function 'second' for 'sm_80'
            ptxas info    : Function properties for second
            ptxas         .     0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads
            ptxas info    : Used 255 registers, 360 bytes cmem[0]
            """
        #expect(
            KernelUsage.read(words) == [
                KernelUsage(name: "first", registers: 22, spilledBytes: 24),
                KernelUsage(name: "second", registers: 255, spilledBytes: 0),
            ])
    }
}

/// What the assembler says of one kernel.
private struct KernelUsage: Equatable {
    let name: String
    var registers = 0
    /// The larger of what is written to memory and read again for want of registers.
    var spilledBytes = 0

    /// The kernels of which the compiler's words tell.
    static func read(_ words: String) -> [KernelUsage] {
        var kernels: [KernelUsage] = []
        for line in words.split(separator: "\n") {
            if line.contains("Compiling entry function"),
                let name = line.split(separator: "'").dropFirst().first
            {
                kernels.append(KernelUsage(name: String(name)))
            }
            guard let last = kernels.indices.last else { continue }
            let parts = line.split(separator: " ")
            for (index, part) in parts.enumerated() where index > 0 {
                if part == "spill", index > 1, let bytes = Int(parts[index - 2]) {
                    kernels[last].spilledBytes = max(kernels[last].spilledBytes, bytes)
                }
                if part.hasPrefix("registers"), let count = Int(parts[index - 1]) {
                    kernels[last].registers = count
                }
            }
        }
        return kernels
    }
}

/// NVRTC of this machine, where there is one.
private enum NVRTC {
    /// Its functions; nil where none is found.
    private static let functions: cd_nvrtc? = open()

    static var isFound: Bool { functions != nil }

    /// The program's own compiler with it; the device that it is not asked about is emulated.
    static func compiler() throws -> KernelCompiler {
        let gpu = EmulatedGPU()
        let functions = try #require(functions)
        return KernelCompiler(
            CUDALibraries(driver: gpu.driver, compiler: functions, products: gpu.products))
    }

    private static func open() -> cd_nvrtc? {
        let environment = ProcessInfo.processInfo.environment
        guard let search = try? CUDALibrarySearch(environment: environment) else { return nil }
        let table = UnsafeMutablePointer<cd_nvrtc>.allocate(capacity: 1)
        defer { unsafe table.deallocate() }
        var report = [CChar](repeating: 0, count: 16 << 10)
        for candidate in search.candidates(.compiler) {
            let isOpen = unsafe candidate.withCString { path in
                unsafe withUnsafePointer(to: path) {
                    unsafe cd_open_nvrtc(table, $0, 1, &report, report.count)
                }
            }
            if isOpen { return unsafe table.pointee }
        }
        return nil
    }
}
