import CKernels
import Testing

struct RMSNormTests {
    static let shapes = [(1, 1), (3, 5), (7, 64), (40, 896), (33, 1000)]

    struct Reference {
        var y: [Double] = [], rstd: [Double] = [], dx: [Double] = [], dweight: [Double] = []

        /// The definition and its derivatives, in double.
        init(rows: Int, width: Int, x: [Float], weight: [Float], dy: [Float], epsilon: Double) {
            dweight = [Double](repeating: 0, count: width)
            for t in 0..<rows {
                let row = x[t * width..<(t + 1) * width].map(Double.init)
                let r = 1 / (row.reduce(0) { $0 + $1 * $1 } / Double(width) + epsilon).squareRoot()
                rstd.append(r)
                let g = (0..<width).map { Double(dy[t * width + $0]) * Double(weight[$0]) }
                let mean = zip(g, row).reduce(0) { $0 + $1.0 * $1.1 } / Double(width)
                for d in 0..<width {
                    y.append(row[d] * r * Double(weight[d]))
                    dx.append(r * (g[d] - row[d] * r * r * mean))
                    dweight[d] += Double(dy[t * width + d]) * row[d] * r
                }
            }
        }
    }

    @Test("Forward and backward match the definition", arguments: shapes)
    func definition(rows: Int, width: Int) {
        var random = RandomNumbers(seed: 11)
        let x = random.floats(rows * width), weight = random.floats(width)
        let dy = random.floats(rows * width)
        let expected = Reference(
            rows: rows, width: width, x: x, weight: weight, dy: dy, epsilon: 1e-6)
        var seen: [UInt32: [UInt32]] = [:]
        KernelConditions.forEach { conditions in
            var y = [Float](repeating: 0, count: rows * width)
            var rstd = [Float](repeating: 0, count: rows)
            unsafe ck_rms_norm_forward(rows, width, x, weight, CK_F32, 1e-6, &y, &rstd)
            #expect(worstError(y, expected.y) < 1e-6, "\(conditions)")
            #expect(worstError(rstd, expected.rstd) < 1e-6, "\(conditions)")
            // Gradients are added to what is there.
            var dx = [Float](repeating: 1, count: rows * width)
            var dweight = [Float](repeating: 2, count: width)
            unsafe ck_rms_norm_backward(
                rows, width, dy, x, rstd, weight, CK_F32, &dx, &dweight)
            #expect(worstError(dx, expected.dx.map { $0 + 1 }) < 2e-6, "\(conditions)")
            #expect(worstError(dweight, expected.dweight.map { $0 + 2 }) < 2e-6, "\(conditions)")
            let all = bits(y + rstd + dx + dweight)
            #expect(seen[conditions.isa.rawValue, default: all] == all, "\(conditions)")
            seen[conditions.isa.rawValue] = all
        }
    }

    @Test("A row has the same bits alone and among others")
    func rowsAlone() {
        let rows = 37, width = 899
        var random = RandomNumbers(seed: 12)
        let x = random.floats(rows * width), weight = random.floats(width)
        KernelConditions.forEach { conditions in
            var y = [Float](repeating: 0, count: rows * width)
            unsafe ck_rms_norm_forward(rows, width, x, weight, CK_F32, 1e-6, &y, nil)
            for t in [0, 17, 36] {
                var alone = [Float](repeating: 0, count: width)
                let row = Array(x[t * width..<(t + 1) * width])
                unsafe ck_rms_norm_forward(1, width, row, weight, CK_F32, 1e-6, &alone, nil)
                #expect(bits(alone) == bits(Array(y[t * width..<(t + 1) * width])), "\(conditions)")
            }
        }
    }

    @Test("Weights of 16 bits are widened")
    func narrowWeights() {
        let x: [Float] = [1, -2, 3]
        var wide: [Float] = [0, 0, 0], half = wide, brain = wide
        KernelConditions.unchanged {
            unsafe ck_rms_norm_forward(1, 3, x, [1.5, -0.25, 2] as [Float], CK_F32, 0, &wide, nil)
            unsafe ck_rms_norm_forward(
                1, 3, x, [0x3E00, 0xB400, 0x4000] as [UInt16], CK_F16, 0, &half, nil)
            unsafe ck_rms_norm_forward(
                1, 3, x, [0x3FC0, 0xBE80, 0x4000] as [UInt16], CK_BF16, 0, &brain, nil)
        }
        #expect(half == wide)
        #expect(brain == wide)
    }

    @Test("NaN and infinity stay in their row")
    func notFinite() {
        let x: [Float] = [.nan, 1, .infinity, 1, 3, 4]
        var y = [Float](repeating: 0, count: 6)
        unsafe ck_rms_norm_forward(3, 2, x, [1, 1] as [Float], CK_F32, 0, &y, nil)
        #expect(y[0].isNaN && y[1].isNaN && y[2].isNaN)
        #expect(abs(y[4] - 3 / Float(12.5).squareRoot()) < 1e-6)
    }
}
