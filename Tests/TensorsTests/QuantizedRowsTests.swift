import CKernels
import Tensors
import Testing

@Suite("Products of quantised weights and quantised rows")
struct QuantizedRowsTests {
    /// Codes and scales of one row's groups of 64, computed as the definition says.
    private func quantize(_ row: ArraySlice<Float>) -> (codes: [Int], scales: [Float]) {
        var codes: [Int] = [], scales: [Float] = []
        for start in stride(from: row.startIndex, to: row.endIndex, by: 64) {
            let group = row[start..<min(start + 64, row.endIndex)]
            let size = group.reduce(0) { max($0, abs($1)) }
            scales.append(size / 127)
            codes += group.map {
                size == 0 ? 0 : Int(($0 * (127 / size)).rounded(.toNearestOrEven))
            }
        }
        return (codes, scales)
    }

    @Test(
        "Sums are exact within a group and added in the order of the groups, for any number of rows",
        arguments: [(37, 67), (8, 64), (130, 390), (3, 5), (65, 640)],
        [Quantization.int8, .int4])
    func definition(shape: (Int, Int), kind: Quantization) throws {
        let (N, K) = shape, most = 40
        var random = RandomNumbers(seed: 1)
        let exact = random.floats(N * K)
        let weight = try #require(
            QuantizedTensor(quantizing: Tensor(exact, shape: [N, K]), as: kind))
        let dense = weight.dequantized().toArray()
        let groups = (K + 63) / 64
        let scales = weight.scales(N: N, groups: groups)
        var x = random.floats(most * K)
        for k in 0..<min(64, K) { x[2 * K + k] = 0 }
        let bias = random.floats(N)
        var expected: [Float] = []
        for m in 0..<most {
            let (codes, rowScales) = quantize(x[m * K..<(m + 1) * K])
            for n in 0..<N {
                var sum: Float = 0
                for group in 0..<groups {
                    let scale = scales[n * groups + group]
                    let dot = (group * 64..<min(group * 64 + 64, K)).reduce(0) {
                        let level = scale == 0 ? 0 : Int((dense[n * K + $1] / scale).rounded())
                        return $0 + level * codes[$1]
                    }
                    sum += Float(dot) * rowScales[group] * scale
                }
                expected.append(sum + bias[n])
            }
        }
        let biases = Tensor(bias, shape: [N]), rows = Tensor(x, shape: [most, K])
        KernelConditions.forEach { conditions in
            for M in [1, 2, 3, 4, 5, 33, 40] {
                let y = linear(
                    rows.rows(0..<M), .quantized(weight), bias: biases, activations: .int8, nil)
                #expect(
                    bits(y.toArray()) == bits(Array(expected.prefix(M * N))),
                    "\(M) rows, \(conditions)")
            }
        }
    }

    @Test(
        "A row that is not finite gives NaN and leaves the others",
        arguments: [Quantization.int8, .int4])
    func notNumbers(kind: Quantization) throws {
        let N = 20, K = 130
        var random = RandomNumbers(seed: 2)
        let weight = try #require(
            QuantizedTensor(quantizing: Tensor(random.floats(N * K), shape: [N, K]), as: kind))
        var x = random.floats(3 * K)
        x[5] = .nan
        x[2 * K + 129] = -.infinity
        let rows = Tensor(x, shape: [3, K])
        KernelConditions.forEach { conditions in
            let y = linear(rows, .quantized(weight), activations: .int8, nil).toArray()
            for (i, value) in y.enumerated() {
                #expect(value.isNaN == (i / N != 1), "\(conditions)")
            }
        }
    }
}

extension QuantizedTensor {
    /// The scale of each row's groups, `[N, groups]`, out of the panels.
    fileprivate func scales(N: Int, groups: Int) -> [Float] {
        withScaleBytes { bytes in
            (0..<N * groups).map { i in
                let (n, group) = (i / groups, i % groups)
                let place = (n / 8 * groups + group) * 8 + n % 8
                return unsafe bytes.unsafeLoadUnaligned(fromByteOffset: 4 * place, as: Float.self)
            }
        }
    }
}
