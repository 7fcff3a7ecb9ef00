import EmulatedGPU
import Testing

@testable import Tensors

@Suite("CUDA device")
struct CUDADeviceTests {
    @Test("a device is opened, and what it is can be asked")
    func opens() throws {
        let gpu = EmulatedGPU()
        gpu.setCapability(89)
        let device = try gpu.open()
        #expect(device.properties.computeCapability == 89)
        #expect(device.properties.memoryBytes == 4 << 30)
        #expect(device.architecture == "sm_89")
        #expect(device.compilerVersion == "13.0")
    }

    @Test("Hopper's own instructions are compiled for")
    func hopper() throws {
        #expect(try EmulatedGPU().open().architecture == "sm_90a")
    }

    @Test("code of the nearest lower minor version serves a device that the compiler does not know")
    func nearestArchitecture() throws {
        let gpu = EmulatedGPU()
        gpu.setCapability(88)
        #expect(try gpu.open().architecture == "sm_86")
    }

    @Test("a device that is too old is refused by name")
    func tooOld() {
        let gpu = EmulatedGPU()
        gpu.setCapability(75)
        #expect {
            try gpu.open()
        } throws: {
            "\($0)".hasSuffix("has compute capability 7.5; 8.0 (Ampere) or higher is needed.")
        }
    }

    @Test("a compiler that is too old for the device is told")
    func compilerTooOld() {
        let gpu = EmulatedGPU()
        gpu.setCapability(120)
        #expect {
            try gpu.open()
        } throws: {
            "\($0)".hasPrefix("NVRTC 13.0 cannot compile for a GPU of compute capability 12.0;")
        }
    }

    @Test("a driver without a device is told")
    func noDevice() {
        let gpu = EmulatedGPU()
        gpu.setDeviceCount(0)
        #expect {
            try gpu.open()
        } throws: { "\($0)".contains("GPU") || "\($0)".contains("CUDA_ERROR_NO_DEVICE") }
    }

    @Test("a closed device has given everything back")
    func closes() throws {
        let gpu = EmulatedGPU()
        do {
            let device = try gpu.open()
            let address = device.upload([1, 2, 3])
            try device.fill(address, count: 3, with: 4)
            #expect(device.floats(address, count: 3) == [4, 4, 4])
            let graph = try CUDAGraph.capture(on: device) {
                try device.fill(address, count: 3, with: 5)
            }.graph
            graph.launch()
            device.pool.release(address)
        }
        #expect(gpu.left == "")
        #expect(gpu.wrong == "")
    }

    @Test("bytes that are sent and fetched are the same, however many pieces they take")
    func copies() throws {
        let gpu = EmulatedGPU()
        let device = try gpu.open(stagingBytes: 1024)
        for count in [1, 255, 256, 257, 1024, 3000] {
            let values = (0..<count).map { Float($0) }
            let address = device.upload(values)
            let copy = device.pool.allocate(byteCount: count * 4)
            device.copy(from: address, to: copy, byteCount: count * 4)
            device.zero(address, byteCount: count * 4)
            #expect(device.floats(copy, count: count) == values)
            #expect(device.floats(address, count: count) == values.map { _ in 0 })
            device.pool.release(address)
            device.pool.release(copy)
        }
        #expect(gpu.wrong == "")
    }

    @Test("a launch that fails names kernel, file, arguments and CUDA's error")
    func launchError() throws {
        let gpu = EmulatedGPU()
        let device = try gpu.open()
        let address = device.pool.allocate(byteCount: 12)
        gpu.failLaunch(1, error: 719)
        #expect {
            try device.fill(address, count: 3, with: 0.5)
            try device.trySynchronize()
        } throws: { error in
            let words = [
                "fill_f32", "elementwise.cu", "1 x 1 x 1 blocks of 256 threads", "3, 0.5, 0x",
                "CUDA_ERROR_LAUNCH_FAILED",
            ]
            return words.allSatisfy { "\(error)".contains($0) }
        }
    }

    @Test("a kernel that its file does not have is told")
    func missingKernel() throws {
        let device = try EmulatedGPU().open()
        #expect {
            try device.tryLaunch(
                "fill_f64", of: "elementwise.cu", grid: (1, 1, 1), block: 32, sharedBytes: 0, [])
        } throws: { "\($0)".contains("cuModuleGetFunction of fill_f64 in elementwise.cu failed") }
    }

    @Test("a kernel file that does not compile is told with the compiler's words")
    func compilerError() throws {
        let sources = KernelSources(files: ["elementwise.cu": "#error no such thing\n"])
        let device = try EmulatedGPU().open(sources: sources)
        #expect {
            try device.fill(1, count: 3, with: 0.5)
        } throws: { error in
            "\(error)".contains("elementwise.cu does not compile for sm_90a with NVRTC 13.0")
                && "\(error)".contains("no such thing")
        }
    }

    @Test("what was measured of a device is a positive number")
    func measurements() throws {
        let device = try EmulatedGPU().open()
        #expect(try device.measuredCopyBandwidth(byteCount: 1 << 10) > 0)
        #expect(try device.measuredMatrixRate(size: 8) > 0)
        #expect(device.pool.ledger.bytesByPurpose[.activations] == nil)
    }

    @Test("a device that others have filled is told, not measured")
    func measurementsWithoutRoom() throws {
        let gpu = EmulatedGPU()
        gpu.setMemory(byteCount: 64 << 20)
        let device = try gpu.open()
        let before = device.pool.ledger.bytesInUse
        #expect {
            _ = try device.measuredCopyBandwidth(byteCount: 20 << 20)
        } throws: { "\($0)".hasPrefix("The GPU has no room for 20.0 MiB of workspace: ") }
        #expect(device.pool.ledger.bytesInUse == before)
    }
}
