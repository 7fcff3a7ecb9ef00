import CKernels
import Tensors
import Testing

/// A weight with all sizes of elements, as it is quantised and as the dense weight that it means.
private struct QuantizedPair {
    let quantized: Weight
    let dense: Weight

    init(_ N: Int, _ K: Int, _ kind: Quantization, seed: UInt64) throws {
        var random = RandomNumbers(seed: seed)
        let values = random.floats(N * K).map { $0 * $0 * $0 }
        let tensor = try #require(
            QuantizedTensor(quantizing: Tensor(values, shape: [N, K]), as: kind))
        quantized = .quantized(tensor)
        dense = .dense(tensor.dequantized())
    }
}

@Suite("Products with quantised weights")
struct QuantizedLinearTests {
    static let shapes = [
        (37, 67), (8, 64), (130, 390), (9, 1030), (24, 896), (3, 5), (1, 1), (131, 385),
    ]

    @Test(
        "Forward has the bits of the dense weight that the codes mean, for any number of rows",
        arguments: shapes, Quantization.allCases)
    func forward(shape: (Int, Int), kind: Quantization) throws {
        let (N, K) = shape
        let weights = try QuantizedPair(N, K, kind, seed: 1)
        var random = RandomNumbers(seed: 2)
        let bias = Tensor(random.floats(N), shape: [N])
        let rows = Tensor(random.floats(40 * K), shape: [40, K])
        KernelConditions.forEach { conditions in
            let all = linear(rows, weights.quantized, bias: bias, nil)
            for M in [1, 2, 3, 4, 5, 7, 13, 40] {
                let x = rows.rows(0..<M)
                let y = linear(x, weights.quantized, bias: bias, nil)
                let expected = linear(x, weights.dense, bias: bias, nil)
                #expect(y.hasSameBytes(as: expected), "\(M) rows, \(conditions)")
                #expect(y.hasSameBytes(as: all.rows(0..<M)), "\(M) rows, \(conditions)")
            }
        }
    }

    @Test(
        "The gradient by the input has the bits of the dense weight's", arguments: shapes,
        Quantization.allCases)
    func backward(shape: (Int, Int), kind: Quantization) throws {
        let (N, K) = shape
        let weights = try QuantizedPair(N, K, kind, seed: 3)
        var random = RandomNumbers(seed: 4)
        for M in [1, 6, 33] {
            let values = random.floats(M * K)
            let dy = Tensor(random.floats(M * N), shape: [M, N])
            KernelConditions.forEach { conditions in
                func gradient(_ weight: Weight) -> Tensor? {
                    var x = Tensor(values, shape: [M, K])
                    x.node = GradientNode()
                    let tape = Tape()
                    let y = linear(x, weight, tape)
                    y.node?.add(dy)
                    tape.backward()
                    return x.node?.gradient
                }
                let expected = gradient(weights.dense)
                let isSame = expected.map { gradient(weights.quantized)?.hasSameBytes(as: $0) }
                #expect(isSame == true, "\(M) rows, \(conditions)")
            }
        }
    }

    @Test(
        "Embedding and fused head have the bits of the dense weight's",
        arguments: Quantization.allCases)
    func ends(kind: Quantization) throws {
        let V = 1037, D = 72, T = 9
        let weights = try QuantizedPair(V, D, kind, seed: 5)
        var random = RandomNumbers(seed: 6)
        let tokens = TokenIndices((0..<T).map { _ in Int32(random.integer(below: V)) })
        let hidden = random.floats(T * D)
        let derivatives = random.floats(T)
        KernelConditions.forEach { conditions in
            func results(_ weight: Weight) -> [Float] {
                var h = Tensor(hidden, shape: [T, D])
                h.node = GradientNode()
                let tape = Tape()
                let scores = tokenLogProbabilities(
                    h, weight, targets: tokens, temperature: 0.8, tape)
                scores.backward(
                    logProbabilityDerivatives: derivatives, entropyDerivatives: derivatives)
                return embedding(tokens, weight, nil).toArray() + scores.logProbabilities
                    + scores.entropies + (h.node?.gradient?.toArray() ?? [])
            }
            let expected = results(weights.dense)
            #expect(expected.count == 2 * T * D + 2 * T)
            #expect(bits(results(weights.quantized)) == bits(expected), "\(conditions)")
        }
    }
}
