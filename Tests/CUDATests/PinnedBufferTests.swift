import EmulatedGPU
import Testing

@testable import Tensors

@Suite("Pinned buffer")
struct PinnedBufferTests {
    @Test("bytes go up and come down")
    func copies() throws {
        let gpu = EmulatedGPU()
        let device = try gpu.open()
        let (up, down) = (
            PinnedBuffer(byteCount: 4, for: device), PinnedBuffer(byteCount: 8, for: device)
        )
        let address = device.pool.allocate(byteCount: 4)
        up.write([0x1234_5678])
        up.send(4, to: address)
        down.fetch(4, from: address)
        down.wait()
        #expect(down.integers(0..<1) == [0x1234_5678])
        #expect(gpu.wrong == "")
    }

    @Test("a graph copies what is there when it is launched")
    func graph() throws {
        let gpu = EmulatedGPU()
        let device = try gpu.open()
        let (up, down) = (
            PinnedBuffer(byteCount: 4, for: device), PinnedBuffer(byteCount: 4, for: device)
        )
        let address = device.pool.allocate(byteCount: 4)
        let graph = CUDAGraph.capture(on: device) {
            up.send(4, to: address)
            down.fetch(4, from: address)
        }.graph
        for value: Int32 in [7, 8] {
            up.write([value])
            graph.launch()
            down.mark()
            down.wait()
            #expect(down.integers(0..<1) == [value])
        }
        #expect(gpu.wrong == "")
    }
}
