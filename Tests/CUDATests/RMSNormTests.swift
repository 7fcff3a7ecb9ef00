import Tensors
import Testing

@Suite("RMSNorm on a device")
struct RMSNormTests {
    /// Types of x and of what is made of it.
    static let types: [(DataType, DataType)] = [
        (.float32, .float32), (.float32, .bfloat16), (.bfloat16, .bfloat16),
    ]

    @Test("gives the host's rows and gradients", arguments: types)
    func forwardAndBackward(x: DataType, weight: DataType) throws {
        try withEmulatedDevice { device in
            var random = SplitMix64(seed: 1)
            for shape in [[1, 1], [3, 7], [2, 896], [40, 3, 16], [2, 1100], [1, 5120]] {
                for offset in [0, 1] {
                    let inputs = [
                        OpInput(shape, as: x, size: 3, gradient: x, offset: offset, &random),
                        OpInput(
                            [shape[shape.count - 1]], as: weight, gradient: .float32,
                            offset: offset, &random),
                    ]
                    expectSame(on: device, inputs, &random) { inputs, tape in
                        rmsNorm(inputs[0], inputs[1], epsilon: 1e-6, tape)
                    }
                }
            }
        }
    }

    @Test("gives a row the same bits alone and among others")
    func rowsAlone() throws {
        try withEmulatedDevice { device in
            var random = SplitMix64(seed: 2)
            for width in [129, 1400] {
                let x = OpInput([5, width], gradient: nil, &random).values.moved(to: device)
                let weight = OpInput([width], gradient: nil, &random).values.moved(to: device)
                let all = rmsNorm(x, weight, epsilon: 1e-6, nil)
                let alone = rmsNorm(x.rows(3..<4), weight, epsilon: 1e-6, nil)
                #expect(alone.hasSameBytes(as: all.rows(3..<4)))
            }
        }
    }
}
