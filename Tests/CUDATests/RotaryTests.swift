import Tensors
import Testing

@Suite("Rotary embedding on a device")
struct RotaryTests {
    @Test("turns as the host does, and back", arguments: [DataType.float32, .bfloat16])
    func forwardAndBackward(type: DataType) throws {
        try withEmulatedDevice { device in
            var random = SplitMix64(seed: 3)
            for (T, H, D) in [(1, 1, 2), (3, 2, 6), (5, 14, 64), (2, 3, 128)] {
                let table = RotaryTable(frequencies: (0..<D / 2).map { 1 / Float($0 + 1) })
                let positions = TokenIndices((0..<T).map { Int32($0 * $0 + 3) })
                for offset in [0, 1] {
                    let x = OpInput([T, H * D], as: type, gradient: type, offset: offset, &random)
                    expectSame(on: device, [x], &random) { inputs, tape in
                        rotary(
                            inputs[0], positions: positions, table: table, headDimension: D, tape)
                    }
                }
            }
        }
    }
}
