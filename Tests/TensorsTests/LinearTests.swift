import CKernels
import Testing

/// A product's sizes: rows M, columns N, reduction K.
struct ProductShape: CustomStringConvertible {
    let M: Int, N: Int, K: Int

    var description: String { "[\(M), \(K)] x [\(N), \(K)]" }

    /// Rows around every tile's edge, N and K that are no multiple of a vector, short reductions.
    static let awkward: [ProductShape] =
        (1...17).map { ProductShape(M: $0, N: 37, K: 67) }
        + [
            .init(M: 33, N: 130, K: 50), .init(M: 33, N: 16, K: 1), .init(M: 1, N: 1, K: 1),
            .init(M: 7, N: 3, K: 390), .init(M: 200, N: 5, K: 9), .init(M: 3, N: 70, K: 1030),
            .init(M: 2, N: 131, K: 385), .init(M: 40, N: 64, K: 800), .init(M: 193, N: 20, K: 17),
            .init(M: 1, N: 96, K: 32), .init(M: 5, N: 4, K: 896), .init(M: 4, N: 9, K: 0),
        ]
}

/// A weight as it lies in memory, and the values it stands for.
struct StoredWeight {
    let dtype: ck_dtype
    private let bytes: [UInt8]
    let values: [Float]

    init(_ exact: [Float], as dtype: ck_dtype) {
        self.dtype = dtype
        var bytes = [UInt8](repeating: 0, count: exact.count * ck_dtype_size(dtype))
        var values = exact
        unsafe ck_convert(exact.count, exact, CK_F32, &bytes, dtype)
        unsafe ck_convert(exact.count, bytes, dtype, &values, CK_F32)
        self.bytes = bytes + [0]  // so that there is a first byte
        self.values = values
    }

    /// Calls `body` with the weight as kernels take it.
    func callAsFunction(_ body: (ck_weight) -> Void) {
        unsafe bytes.withUnsafeBytes { bytes in
            guard let data = bytes.baseAddress else { return }
            unsafe body(ck_weight(data: data, dtype: dtype, scales: nil))
        }
    }

    static let dtypes = [CK_F32, CK_F16, CK_BF16]
}

/// sum_d a(r, d) b(d, c) in double, and the sum of the products' sizes: what rounding scales with.
func product(
    rows: Int, columns: Int, depth: Int, _ a: (Int, Int) -> Float, _ b: (Int, Int) -> Float
) -> [(sum: Double, size: Double)] {
    var result: [(sum: Double, size: Double)] = []
    for r in 0..<rows {
        for c in 0..<columns {
            var sum = 0.0, size = 0.0
            for d in 0..<depth {
                let term = Double(a(r, d)) * Double(b(d, c))
                sum += term
                size += abs(term)
            }
            result.append((sum, size))
        }
    }
    return result
}

struct LinearTests {
    /// The largest error as a share of the products' sizes that f32 sums may have.
    static let tolerance = 2e-6

    @Test("Forward matches sums in double", arguments: ProductShape.awkward)
    func forward(shape: ProductShape) {
        let (M, N, K) = (shape.M, shape.N, shape.K), ldx = K + 3, ldy = N + 5
        var random = RandomNumbers(seed: 1)
        let x = random.floats(M * ldx), old = random.floats(M * ldy), bias = random.floats(N)
        let exact = random.floats(N * K)
        for dtype in StoredWeight.dtypes {
            let weight = StoredWeight(exact, as: dtype), W = weight.values
            let sums = product(
                rows: M, columns: N, depth: K, { x[$0 * ldx + $1] }, { W[$1 * K + $0] })
            KernelConditions.forEach { conditions in
                for accumulate in [false, true] {
                    var y = old
                    unsafe weight {
                        unsafe ck_linear_forward(
                            M, N, K, x, ldx, $0, accumulate ? bias : nil, CK_F32, 0.5,
                            accumulate ? 1 : 0, &y, ldy)
                    }
                    var worst = 0.0
                    for m in 0..<M {
                        for n in 0..<N {
                            let (sum, size) = sums[m * N + n]
                            let rest = accumulate ? Double(old[m * ldy + n]) + Double(bias[n]) : 0
                            let error = abs(Double(y[m * ldy + n]) - (0.5 * sum + rest))
                            worst = max(worst, error / (1 + size))
                        }
                        let between = m * ldy + N..<(m + 1) * ldy
                        #expect(y[between] == old[between], "wrote past a row's end")
                    }
                    #expect(worst < Self.tolerance, "\(conditions), dtype \(dtype.rawValue)")
                }
            }
        }
    }

    @Test("A row has the same bits whatever the number of rows", arguments: [5, 32, 67, 900])
    func rowsDoNotDependOnEachOther(K: Int) {
        let most = 40, N = 150
        var random = RandomNumbers(seed: 2)
        let x = random.floats(most * K), exact = random.floats(N * K)
        for dtype in StoredWeight.dtypes {
            let weight = StoredWeight(exact, as: dtype)
            var seen: [UInt32: [UInt32]] = [:]
            KernelConditions.forEach { conditions in
                for M in [40, 1, 2, 3, 4, 6, 7, 8, 12, 13, 16, 17, 32] {
                    var y = [Float](repeating: 0, count: M * N)
                    unsafe weight {
                        unsafe ck_linear_forward(
                            M, N, K, x, K, $0, nil, CK_F32, 1.25, 0, &y, N)
                    }
                    let rows = bits(y)
                    let all = seen[conditions.isa.rawValue, default: rows]
                    #expect(rows == Array(all.prefix(M * N)), "\(M) rows, \(conditions)")
                    seen[conditions.isa.rawValue] = all
                }
            }
        }
    }

    @Test("The gradient by the input matches sums in double", arguments: ProductShape.awkward)
    func backwardInput(shape: ProductShape) {
        let (M, N, K) = (shape.M, shape.N, shape.K), lddx = K + 3, lddy = N + 5
        var random = RandomNumbers(seed: 3)
        let dy = random.floats(M * lddy), old = random.floats(M * lddx)
        let exact = random.floats(N * K)
        for dtype in StoredWeight.dtypes {
            let weight = StoredWeight(exact, as: dtype), W = weight.values
            let sums = product(
                rows: M, columns: K, depth: N, { dy[$0 * lddy + $1] }, { W[$0 * K + $1] })
            var seen: [UInt32: [UInt32]] = [:]
            KernelConditions.forEach { conditions in
                var worst = 0.0, all: [UInt32] = []
                for accumulate in [false, true] {
                    var dx = old
                    unsafe weight {
                        unsafe ck_linear_backward_input(
                            M, N, K, dy, lddy, $0, -2, accumulate ? 1 : 0, &dx, lddx)
                    }
                    for m in 0..<M {
                        for k in 0..<K {
                            let (sum, size) = sums[m * K + k]
                            let rest = accumulate ? Double(old[m * lddx + k]) : 0
                            let error = abs(Double(dx[m * lddx + k]) - (rest - 2 * sum))
                            worst = max(worst, error / (1 + 2 * size))
                        }
                        let between = m * lddx + K..<(m + 1) * lddx
                        #expect(dx[between] == old[between], "wrote past a row's end")
                    }
                    all += bits(dx)
                }
                #expect(worst < Self.tolerance, "\(conditions), dtype \(dtype.rawValue)")
                #expect(seen[conditions.isa.rawValue, default: all] == all, "\(conditions)")
                seen[conditions.isa.rawValue] = all
            }
        }
    }

    @Test("The gradients by weight and bias are added", arguments: ProductShape.awkward)
    func backwardWeightAndBias(shape: ProductShape) {
        let (M, N, K) = (shape.M, shape.N, shape.K), ldx = K + 3, lddy = N + 5
        var random = RandomNumbers(seed: 4)
        let dy = random.floats(M * lddy), x = random.floats(M * ldx)
        let old = random.floats(N * K), oldBias = random.floats(N)
        let sums = product(
            rows: N, columns: K, depth: M, { dy[$1 * lddy + $0] }, { x[$0 * ldx + $1] })
        var seen: [UInt32: [UInt32]] = [:]
        KernelConditions.forEach { conditions in
            var dW = old, dbias = oldBias
            unsafe ck_linear_backward_weight(M, N, K, dy, lddy, x, ldx, 0.25, &dW)
            unsafe ck_linear_backward_bias(M, N, dy, lddy, &dbias)
            var worst = 0.0
            for i in 0..<N * K {
                let expected = Double(old[i]) + 0.25 * sums[i].sum
                worst = max(worst, abs(Double(dW[i]) - expected) / (1 + 0.25 * sums[i].size))
            }
            #expect(worst < Self.tolerance, "\(conditions)")
            let expected = (0..<N).map { n in
                (0..<M).reduce(Double(oldBias[n])) { $0 + Double(dy[$1 * lddy + n]) }
            }
            #expect(worstError(dbias, expected, size: 1) < 1e-6, "\(conditions)")
            let all = bits(dW + dbias)
            #expect(seen[conditions.isa.rawValue, default: all] == all, "\(conditions)")
            seen[conditions.isa.rawValue] = all
        }
    }

    @Test("A NaN or an infinity in the weight reaches its column and no other")
    func notNumbers() {
        let N = 20, K = 70
        var random = RandomNumbers(seed: 5)
        var exact = random.floats(N * K)
        exact[3 * K + 69] = .nan
        exact[19 * K + 1] = .infinity
        for dtype in StoredWeight.dtypes {
            let weight = StoredWeight(exact, as: dtype)
            KernelConditions.forEach { conditions in
                for M in [1, 3, 8] {
                    let x = [Float](repeating: 1, count: M * K)
                    var y = [Float](repeating: 0, count: M * N)
                    unsafe weight {
                        unsafe ck_linear_forward(M, N, K, x, K, $0, nil, CK_F32, 1, 0, &y, N)
                    }
                    for (i, value) in y.enumerated() {
                        switch i % N {
                        case 3: #expect(value.isNaN, "\(M) rows, \(conditions)")
                        case 19: #expect(value == .infinity, "\(M) rows, \(conditions)")
                        default: #expect(value.isFinite, "\(M) rows, \(conditions)")
                        }
                    }
                }
            }
        }
    }

    @Test("Conversion rounds to nearest even and keeps what is no number")
    func conversion() {
        let values: [Float] = [
            0, -0.0, 1, -1.5, 65504, 65519, 65520, 1e-8, 6e-8, 5.97e-8, 3.1e-5, 1e30, .infinity,
            -.infinity, .nan, 1.0 + 0x1p-11, 1.0 + 0x3p-11, 1.0 + 0x1p-8, 1.0 + 0x3p-8, 0x1p-140,
        ]
        KernelConditions.forEach { conditions in
            var half = [UInt16](repeating: 0, count: values.count), brain = half
            unsafe ck_convert(values.count, values, CK_F32, &half, CK_F16)
            unsafe ck_convert(values.count, values, CK_F32, &brain, CK_BF16)
            var back = values
            unsafe ck_convert(values.count, half, CK_F16, &back, CK_F32)
            for (i, value) in values.enumerated() {
                let expected = ieeeHalf(value)
                #expect(
                    back[i].isNaN ? expected.isNaN : back[i] == expected,
                    "\(value), \(conditions)")
                #expect(back[i].sign == value.sign || value.isNaN)
            }
            unsafe ck_convert(values.count, brain, CK_BF16, &back, CK_F32)
            for (i, value) in values.enumerated() {
                let expected = brainFloat(value)
                #expect(
                    back[i].isNaN ? value.isNaN : back[i] == expected, "\(value), \(conditions)")
            }
        }
    }

    /// The nearest multiple of the half's spacing at `value`, ties to even.
    private func ieeeHalf(_ value: Float) -> Float {
        guard value.isFinite else { return value }
        let exponent = max(value == 0 ? -14 : Int(value.exponent), -14)
        let spacing = Double(sign: .plus, exponent: exponent - 10, significand: 1)
        let rounded = (Double(value) / spacing).rounded(.toNearestOrEven) * spacing
        return abs(rounded) > 65504 ? (rounded < 0 ? -.infinity : .infinity) : Float(rounded)
    }

    /// The nearest multiple of bf16's spacing at `value`, ties to even.
    private func brainFloat(_ value: Float) -> Float {
        guard value.isFinite, value != 0 else { return value }
        let exponent = max(Int(value.exponent), -126)
        let spacing = Double(sign: .plus, exponent: exponent - 7, significand: 1)
        return Float((Double(value) / spacing).rounded(.toNearestOrEven) * spacing)
    }
}
