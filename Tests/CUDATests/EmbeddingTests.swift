import Tensors
import Testing

@Suite("Rows of a table on a device")
struct EmbeddingTests {
    /// Some of them twice, one six times.
    static let tokens: [Int32] = [4, 0, 4, 6, 4, 2, 0, 4, 4, 6, 4]

    @Test(
        "are the host's, and so is the table's gradient", arguments: [DataType.float32, .bfloat16])
    func embeddings(type: DataType) throws {
        try withEmulatedDevice { device in
            var random = SplitMix64(seed: 8)
            for width in [1, 7, 896] {
                for offset in [0, 1] {
                    let table = OpInput(
                        [7, width], as: type, gradient: .float32, offset: offset, &random)
                    expectSame(on: device, [table], &random) { inputs, tape in
                        embedding(TokenIndices(Self.tokens), .dense(inputs[0]), tape)
                    }
                    let x = OpInput(
                        [7, width], as: type, gradient: type, offset: offset, &random)
                    expectSame(on: device, [x], &random) { inputs, tape in
                        selectRows(inputs[0], TokenIndices(Self.tokens), tape)
                    }
                }
            }
        }
    }

    @Test("of a quantised table have the host's bits", arguments: Quantization.allCases)
    func quantized(kind: Quantization) throws {
        try withEmulatedDevice { device in
            var random = SplitMix64(seed: 9)
            for width in [1, 70, 896] {
                let dense = OpInput([13, width], gradient: nil, &random).values
                let table = try #require(QuantizedTensor(quantizing: dense, as: kind))
                let tokens = TokenIndices([12, 0, 7, 8, 7])
                let expected = embedding(tokens, .quantized(table), nil)
                let found = embedding(tokens, .quantized(table.moved(to: device)), nil)
                #expect(found.moved(to: .cpu).hasSameBytes(as: expected))
            }
        }
    }
}
