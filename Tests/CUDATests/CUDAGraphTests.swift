import EmulatedGPU
import Testing

@testable import Tensors

@Suite("CUDA graph")
struct CUDAGraphTests {
    @Test("what is captured runs when the graph is launched, each time")
    func replays() throws {
        let gpu = EmulatedGPU()
        let device = try gpu.open()
        let (a, b) = (device.upload([1, 1]), device.upload([2, 2]))
        let graph = try CUDAGraph.capture(on: device) {
            device.copy(from: a, to: b, byteCount: 8)
            try device.fill(a, count: 2, with: 7)
        }.graph
        #expect(device.floats(b, count: 2) == [2, 2])
        graph.launch()
        #expect(device.floats(a, count: 2) == [7, 7])
        #expect(device.floats(b, count: 2) == [1, 1])
        graph.launch()
        #expect(device.floats(b, count: 2) == [7, 7])
        #expect(gpu.graphLaunchCount == 2)
        #expect(gpu.wrong == "")
    }

    @Test("what a graph writes is nobody else's as long as it lives")
    func ownMemory() throws {
        let gpu = EmulatedGPU()
        let device = try gpu.open()
        // As after a run without a graph: there is a buffer to take.
        device.pool.release(device.pool.allocate(byteCount: 1024))
        let allocations = gpu.allocationCount
        var captured: CUDAGraph?
        let address: UInt64
        (captured, address) = try CUDAGraph.capture(on: device) {
            let scratch = device.pool.allocate(byteCount: 1024)
            try device.fill(scratch, count: 256, with: 1)
            device.pool.release(scratch)
            // The same memory serves the next step of the same graph.
            #expect(device.pool.allocate(byteCount: 1024) == scratch)
            return scratch
        }
        #expect(gpu.allocationCount == allocations)
        device.pool.release(address)
        let other = device.pool.allocate(byteCount: 1024)
        #expect(other != address)
        captured?.launch()
        captured = nil
        #expect(device.pool.allocate(byteCount: 1024) == address)
        #expect(gpu.wrong == "")
    }

    @Test("graphs that share a memory share their buffers")
    func sharedMemory() throws {
        let gpu = EmulatedGPU()
        let device = try gpu.open()
        let memory = CUDAGraphMemory(of: device)
        func capture(_ value: Float) throws -> (graph: CUDAGraph, result: UInt64) {
            try CUDAGraph.capture(on: device, memory: memory) {
                let scratch = device.pool.allocate(byteCount: 1024)
                try device.fill(scratch, count: 256, with: value)
                device.pool.release(scratch)
                return scratch
            }
        }
        let (first, second) = (try capture(1), try capture(2))
        #expect(first.result == second.result)
        first.graph.launch()
        #expect(device.floats(first.result, count: 256).allSatisfy { $0 == 1 })
        second.graph.launch()
        #expect(device.floats(first.result, count: 256).allSatisfy { $0 == 2 })
    }

    @Test("an error in what is captured ends the capture")
    func error() throws {
        let gpu = EmulatedGPU()
        let device = try gpu.open()
        #expect(throws: CUDAError.self) {
            _ = try CUDAGraph.capture(on: device) { throw CUDAError("No.") }
        }
        let address = device.upload([1])
        #expect(device.floats(address, count: 1) == [1])
        #expect(gpu.wrong == "")
    }
}
