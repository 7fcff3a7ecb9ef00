import CKernels
import Tensors
import Testing

@Suite("Quantised tensors")
struct QuantizedTensorTests {
    /// QLoRA's levels (arXiv 2305.14314, appendix E).
    private static let normalFloat: [Float] = [
        -1, -0.696_192_8, -0.525_073_05, -0.394_917_49, -0.284_441_38, -0.184_773_43,
        -0.091_050_036,
        0, 0.079_580_3, 0.160_930_2, 0.246_112_3, 0.337_915_24, 0.440_709_83, 0.562_617,
        0.722_956_84,
        1,
    ]

    private func example(_ N: Int, _ K: Int) -> [Float] {
        var random = RandomNumbers(seed: 11)
        var values = random.floats(N * K, scale: 0.02)
        for k in 0..<min(K, 64) { values[k] = 0 }
        return values
    }

    @Test(
        "Each element comes back within its step, whatever type it was stored as",
        arguments: [(9, 130), (16, 64), (1, 1), (3, 700)], [DataType.float32, .float16, .bfloat16])
    func roundTrip(shape: (Int, Int), type: DataType) throws {
        let (N, K) = shape
        let source = Tensor(example(N, K), shape: [N, K]).converted(to: type)
        let values = source.toArray()
        for kind in Quantization.allCases {
            let tensor = try #require(QuantizedTensor(quantizing: source, as: kind))
            let back = tensor.dequantized().toArray()
            for n in 0..<N {
                for start in stride(from: 0, to: K, by: 64) {
                    let places = n * K + start..<n * K + min(start + 64, K)
                    let size = places.reduce(0) { max($0, abs(values[$1])) }
                    for i in places {
                        let error = abs(back[i] - values[i])
                        switch kind {
                        case .int8: #expect(error <= size / 127 * 0.501)
                        // An extreme may be clipped for the sake of all others.
                        case .int4: #expect(error <= size * 0.3)
                        case .nf4:
                            let nearest = Self.normalFloat.reduce(Float.infinity) {
                                min($0, abs($1 * size - values[i]))
                            }
                            #expect(error <= nearest + size * 1e-4)
                        }
                    }
                }
            }
        }
    }

    @Test("int4 loses less than plain rounding by the largest size does")
    func int4Scales() throws {
        let N = 32, K = 256
        var random = RandomNumbers(seed: 12)
        let values = random.floats(N * K)
        let tensor = try #require(
            QuantizedTensor(quantizing: Tensor(values, shape: [N, K]), as: .int4))
        var chosen = 0.0, plain = 0.0
        for (i, back) in tensor.dequantized().toArray().enumerated() {
            let group = i / 64 * 64..<i / 64 * 64 + 64
            let scale = group.reduce(0) { max($0, abs(values[$1])) } / 7
            chosen += Double((back - values[i]) * (back - values[i]))
            let rounded = (values[i] / scale).rounded() * scale
            plain += Double((rounded - values[i]) * (rounded - values[i]))
        }
        #expect(chosen < 0.85 * plain)
    }

    @Test(
        "Codes and scales are the same with every instruction set", arguments: Quantization.allCases
    )
    func sameEverywhere(kind: Quantization) throws {
        let source = Tensor(example(19, 200), shape: [19, 200])
        var seen: [UInt32]?
        try KernelConditions.forEach { conditions in
            let tensor = try #require(QuantizedTensor(quantizing: source, as: kind))
            let all = bits(tensor.dequantized().toArray())
            #expect(seen ?? all == all, "\(conditions)")
            seen = all
        }
    }

    @Test("What is not finite is refused", arguments: [Float.nan, .infinity, -0x1p60])
    func refusal(value: Float) {
        var values = example(9, 70)
        values[8 * 70 + 69] = value
        for kind in Quantization.allCases {
            #expect(QuantizedTensor(quantizing: Tensor(values, shape: [9, 70]), as: kind) == nil)
        }
    }
}
