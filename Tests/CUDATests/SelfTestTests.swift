import CDrivers
import EmulatedGPU
import SelfTest
import Tensors
import Testing

@Suite("The self-test")
struct SelfTestTests {
    /// Groups of checks, each a test of its own.
    static let groups = [
        "elementwise", "norms", "rotary", "swiglu", "embedding", "linear", "quantised", "adapters",
        "attention", "paged attention", "head", "sampling", "adamw", "models", "rollouts", "step",
        "memory",
    ]

    @Test("misses nothing on a device that the CPU plays", arguments: groups)
    func passes(group: String) throws {
        try withEmulatedDevice { device in
            let report = SelfTest(device, sizes: .brief).run(only: "\(group): ") { _ in }
            #expect(!report.outcomes.isEmpty)
            #expect(report.misses.isEmpty, "\(report.table)")
        }
    }

    @Test("is made of these groups alone")
    func names() {
        let names = SelfTest(.cpu, sizes: .brief).checkNames
        let groups = Set(names.map { String($0.prefix { $0 != ":" }) })
        #expect(groups == Set(Self.groups))
    }

    @Test("says which product gives nothing, and where")
    func brokenProduct() throws {
        let gpu = EmulatedGPU()
        var products = gpu.products
        unsafe products.cublasLtMatmul = { _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _ in 0 }
        let libraries = CUDALibraries(
            driver: gpu.driver, compiler: gpu.compiler, products: products)
        let device = try Device.cuda(CUDADevice(libraries, cacheFolder: nil))
        var text = ""
        let report = SelfTest(device, sizes: .brief).run(only: "linear: f32 trained: 17") {
            text += $0
        }
        #expect(report.misses.count == report.outcomes.count && !report.outcomes.isEmpty)
        #expect(report.table.contains("MISS linear: f32 trained: 17 x [72, 130], y: error"))
        #expect(text.contains("linear: f32 trained: 17 x [72, 130] ... MISS"))
        #expect(text.contains("elements of [17, 72], the first at [0, 0]"))
    }

    @Test("says which kernels do nothing")
    func brokenKernels() throws {
        let gpu = EmulatedGPU()
        var driver = gpu.driver
        unsafe driver.cuLaunchKernel = { _, _, _, _, _, _, _, _, _, _, _ in 0 }
        let libraries = CUDALibraries(
            driver: driver, compiler: gpu.compiler, products: gpu.products)
        let device = try Device.cuda(CUDADevice(libraries, cacheFolder: nil))
        for group in ["norms", "rotary", "attention", "sampling", "adamw"] {
            let report = SelfTest(device, sizes: .brief).run(only: "\(group): f32") { _ in }
            #expect(report.misses.count == report.outcomes.count, "\(group)")
        }
    }

    @Test("names a check before it runs it")
    func order() {
        var pieces: [String] = []
        let report = SelfTest(.cpu, sizes: .brief).run(only: "SWIGLU: f32 [17] within 4") {
            pieces.append($0)
        }
        #expect(pieces.first == "swiglu: f32 [17] within 4.0, at 0 ... ")
        #expect(pieces.count == 2 && report.misses.isEmpty)
        #expect(report.summary.hasSuffix("0 missed"))
    }
}
