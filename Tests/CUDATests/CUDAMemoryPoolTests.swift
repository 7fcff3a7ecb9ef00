import EmulatedGPU
import Testing

@testable import Tensors

@Suite("CUDA memory pool")
struct CUDAMemoryPoolTests {
    @Test("a released buffer is given for the next of its size, without the driver")
    func reuse() throws {
        let gpu = EmulatedGPU()
        let device = try gpu.open()
        let first = device.pool.allocate(byteCount: 100_000)
        device.pool.release(first)
        let allocations = gpu.allocationCount
        let second = device.pool.allocate(byteCount: 99_000)
        let third = device.pool.allocate(byteCount: 99_000)
        #expect(second == first)
        #expect(third != first)
        #expect(gpu.allocationCount == allocations + 1)
    }

    @Test("the ledger counts bytes by what they are for, those kept, and the peak")
    func ledger() throws {
        let device = try EmulatedGPU().open()
        let start = device.pool.ledger.bytesInUse
        let weights = device.pool.allocate(byteCount: 4096, for: .weights)
        let cache = MemoryPurpose.$current.withValue(.keyValueCache) {
            device.pool.allocate(byteCount: 8192)
        }
        #expect(device.pool.ledger.bytesByPurpose[.weights] == 4096)
        #expect(device.pool.ledger.bytesByPurpose[.keyValueCache] == 8192)
        device.pool.release(cache)
        #expect(device.pool.ledger.bytesByPurpose[.keyValueCache] == 0)
        #expect(device.pool.ledger.bytesInUse == start + 4096)
        #expect(device.pool.ledger.bytesKept == 8192)
        #expect(device.pool.ledger.peakBytes == start + 4096 + 8192)
        device.pool.resetPeak()
        #expect(device.pool.ledger.peakBytes == start + 4096)
        device.pool.releaseUnused()
        #expect(device.pool.ledger.bytesKept == 0)
        device.pool.release(weights)
    }

    @Test("what is kept is given back before a buffer is refused")
    func givesBack() throws {
        let gpu = EmulatedGPU()
        gpu.setMemory(byteCount: 64 << 20)
        let device = try gpu.open()
        device.pool.release(try device.pool.tryAllocate(byteCount: 20 << 20))
        let address = try device.pool.tryAllocate(byteCount: 28 << 20)
        #expect(device.pool.ledger.bytesKept == 0)
        device.pool.release(address)
    }

    @Test("a device without room is told with what its memory is used for")
    func outOfMemory() throws {
        let gpu = EmulatedGPU()
        gpu.setMemory(byteCount: 64 << 20)
        let device = try gpu.open()
        let address = try device.pool.tryAllocate(byteCount: 16 << 20, for: .weights)
        #expect {
            _ = try device.pool.tryAllocate(byteCount: 20 << 20, for: .keyValueCache)
        } throws: { error in
            "\(error)".hasPrefix("The GPU has no room for 20.0 MiB of KV cache: ")
                && "\(error)".hasSuffix("in use are weights 16.0 MiB, workspace 32.0 MiB.")
        }
        device.pool.release(address)
    }

    @Test("a refusal of the driver that memory given back mends is not seen")
    func retries() throws {
        let gpu = EmulatedGPU()
        let device = try gpu.open()
        gpu.failAllocation(1)
        let address = try device.pool.tryAllocate(byteCount: 512)
        #expect(address != 0)
    }
}
