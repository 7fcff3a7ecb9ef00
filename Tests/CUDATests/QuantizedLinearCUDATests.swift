import Testing

@testable import Tensors

@Suite("Products with quantised weights on an emulated GPU")
struct QuantizedLinearCUDATests {
    /// Random numbers that bf16 can hold, as f32.
    private func numbers(_ shape: [Int], seed: Int) -> Tensor {
        let random = CounterRandom(seed: UInt64(seed))
        let values = (0..<shape.reduce(1, *)).map {
            2 * random.uniform(stream: 1, position: UInt64($0)) - 1
        }
        return Tensor(values, shape: shape, on: .cpu).converted(to: .bfloat16)
            .converted(to: .float32)
    }

    private func weight(_ N: Int, _ K: Int, _ kind: Quantization) throws -> QuantizedTensor {
        try #require(QuantizedTensor(quantizing: numbers([N, K], seed: 1), as: kind))
    }

    @Test(
        "a few rows give the sums over the elements rounded to bf16",
        arguments: [
            (1, 13, 72), (3, 40, 1216), (16, 70, 136), (17, 33, 1096), (32, 64, 64), (33, 24, 64),
            (2, 9, 70),
        ])
    func fewRows(T: Int, N: Int, K: Int) throws {
        for kind in Quantization.allCases {
            let (weight, x) = try (weight(N, K, kind), numbers([T, K], seed: 2))
            let bias = numbers([N], seed: 3)
            let rounded = weight.dequantized().converted(to: .bfloat16).converted(to: .float32)
            let expected = linear(x, .dense(rounded), bias: bias, nil)
            try withEmulatedDevice { device in
                let rows = x.converted(to: .bfloat16).moved(to: device)
                let there = Weight.quantized(weight.moved(to: device))
                for type in [DataType.float32, .bfloat16] {
                    let result = linear(
                        rows, there, bias: bias.moved(to: device), as: type, nil)
                    #expect(result.dataType == type)
                    let tolerance: Float = type == .float32 ? 1e-6 : 4e-3
                    #expect(isNear(result, expected, tolerance), "\(kind) to \(type)")
                }
            }
        }
    }

    @Test("a row has the same bits beside others and alone")
    func independence() throws {
        for kind in Quantization.allCases {
            let weight = try weight(40, 1216, kind)
            try withEmulatedDevice { device in
                let x = numbers([32, 1216], seed: 2).converted(to: .bfloat16).moved(to: device)
                let there = Weight.quantized(weight.moved(to: device))
                let all = linear(x, there, nil)
                for rows in [0..<1, 5..<21, 31..<32] {
                    let some = linear(x.rows(rows), there, nil)
                    #expect(some.toArray() == all.rows(rows).toArray(), "\(kind), \(rows)")
                }
            }
        }
    }

    @Test("many rows take the weight in pieces, there and back")
    func pieces() throws {
        let (T, N, K) = (5, 150, 200)
        for kind in Quantization.allCases {
            let (weight, x) = try (weight(N, K, kind), numbers([T, K], seed: 2))
            let (bias, dy) = (numbers([N], seed: 3), numbers([T, N], seed: 4))
            let expected = linear(x, .quantized(weight), bias: bias, nil)
            let gradient = Tensor(zeros: [T, K], on: .cpu)
            gradient.fill(1)
            addInputGradient(dy, .quantized(weight), scale: 0.5, accumulate: true, to: gradient)
            try withEmulatedDevice { device in
                guard case .cuda(let cuda) = device else { return }
                let there = weight.moved(to: device)
                let y = Tensor(uninitialized: [T, N], on: device)
                cuda.product(
                    x.moved(to: device), there, bias: bias.moved(to: device), into: y,
                    mostBytes: 64 * K * 4)
                #expect(isNear(y, expected, 1e-6))
                let dx = Tensor(zeros: [T, K], on: device)
                dx.fill(1)
                cuda.inputGradient(
                    dy.moved(to: device), there, scale: 0.5, accumulates: true, into: dx,
                    mostBytes: 64 * N * 4)
                #expect(isNear(dx, gradient, 1e-6))
            }
        }
    }
}
