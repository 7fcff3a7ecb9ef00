import Tensors
import Testing

@Suite("SwiGLU on a device")
struct SwiGLUTests {
    @Test("gives the host's values and gradients", arguments: [DataType.float32, .bfloat16])
    func forwardAndBackward(type: DataType) throws {
        try withEmulatedDevice { device in
            var random = SplitMix64(seed: 4)
            for shape in [[1, 1], [3, 5], [2, 896], [3, 1025]] {
                for offset in [0, 1] {
                    let inputs = [Float(9), 1].map { size in
                        OpInput(
                            shape, as: type, size: size, gradient: type, offset: offset, &random)
                    }
                    expectSame(on: device, inputs, &random) { inputs, tape in
                        swiGLU(gate: inputs[0], up: inputs[1], tape)
                    }
                }
            }
        }
    }

    @Test("has no overflow far from 0")
    func farGates() throws {
        try withEmulatedDevice { device in
            let gate = Tensor([-200, -90, 90, 200], shape: [1, 4], on: device)
            let up = Tensor([1, 1, 1, 1], shape: [1, 4], on: device)
            #expect(swiGLU(gate: gate, up: up, nil).toArray().map { $0 + 0 } == [0, 0, 90, 200])
        }
    }
}
