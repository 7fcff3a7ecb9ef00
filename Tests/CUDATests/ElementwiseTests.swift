import Tensors
import Testing

@Suite("Elementwise ops on a device")
struct ElementwiseTests {
    static let lengths = [1, 7, 896, 2051]
    static let types: [(DataType, DataType)] = [
        (.float32, .float32), (.float32, .bfloat16), (.bfloat16, .bfloat16), (.bfloat16, .float32),
    ]

    @Test("A sum has the type of its first part, and so has its gradient", arguments: types)
    func sums(a: DataType, b: DataType) throws {
        try withEmulatedDevice { device in
            var random = SplitMix64(seed: 5)
            for length in Self.lengths {
                for offset in [0, 1] {
                    let inputs = [a, b].map {
                        OpInput([length], as: $0, gradient: $0, offset: offset, &random)
                    }
                    expectSame(on: device, inputs, &random) { inputs, tape in
                        let y = add(inputs[0], inputs[1], tape)
                        #expect(y.device.isHost || y.dataType == a)
                        return y
                    }
                }
            }
        }
    }

    @Test("A conversion rounds as the host's does")
    func conversions() throws {
        try withEmulatedDevice { device in
            var random = SplitMix64(seed: 6)
            for length in Self.lengths {
                let x = OpInput([length], size: 100, gradient: nil, &random).values
                let narrow = x.converted(to: .bfloat16)
                let found = x.moved(to: device).converted(to: .bfloat16)
                #expect(found.moved(to: .cpu).hasSameBytes(as: narrow))
                let wide = found.converted(to: .float32).moved(to: .cpu)
                #expect(wide.hasSameBytes(as: narrow.converted(to: .float32)))
            }
        }
    }

    @Test("Filling, scaling and the sum of squares go over every element")
    func wholeBuffers() throws {
        try withEmulatedDevice { device in
            var random = SplitMix64(seed: 7)
            for length in Self.lengths + [40_000] {
                let x = OpInput([length], gradient: nil, &random).values
                let moved = x.moved(to: device)
                let sum = moved.sumOfSquares
                #expect(abs(sum - x.sumOfSquares) <= 1e-12 * sum)
                moved.scale(by: -3)
                #expect(moved.toArray() == x.toArray().map { $0 * -3 })
                moved.fill(2.5)
                #expect(moved.toArray() == [Float](repeating: 2.5, count: length))
            }
        }
    }

    @Test("A NaN or an infinity anywhere is found")
    func finite() throws {
        try withEmulatedDevice { device in
            for bad in [Float.nan, .infinity, -.infinity] {
                var numbers = [Float](repeating: 1e30, count: 20_001)
                #expect(Tensor(numbers, shape: [20_001], on: device).isFinite)
                numbers[20_000] = bad
                #expect(!Tensor(numbers, shape: [20_001], on: device).isFinite)
            }
        }
    }
}
