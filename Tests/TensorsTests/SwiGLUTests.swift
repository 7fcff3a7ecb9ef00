import CKernels
import Testing

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

struct SwiGLUTests {
    @Test("Forward and backward match the definition", arguments: [1, 15, 4864, 50001])
    func definition(count: Int) {
        var random = RandomNumbers(seed: 31)
        let gate = random.floats(count, scale: 4), up = random.floats(count)
        let dy = random.floats(count)
        var y: [Double] = [], dgate: [Double] = [], dup: [Double] = []
        for i in 0..<count {
            let (g, u, d) = (Double(gate[i]), Double(up[i]), Double(dy[i]))
            let s = 1 / (1 + exp(-g))
            y.append(g * s * u)
            dgate.append(d * u * (s + g * s * (1 - s)))
            dup.append(d * g * s)
        }
        var seen: [UInt32: [UInt32]] = [:]
        KernelConditions.forEach { conditions in
            var result = [Float](repeating: 0, count: count)
            var gateGradient = result, upGradient = result
            unsafe ck_swiglu_forward(count, gate, up, &result)
            unsafe ck_swiglu_backward(count, dy, gate, up, &gateGradient, &upGradient)
            #expect(worstError(result, y) < 5e-7, "\(conditions)")
            #expect(worstError(gateGradient, dgate) < 1e-6, "\(conditions)")
            #expect(worstError(upGradient, dup) < 5e-7, "\(conditions)")
            let all = bits(result + gateGradient + upGradient)
            #expect(seen[conditions.isa.rawValue, default: all] == all, "\(conditions)")
            seen[conditions.isa.rawValue] = all
        }
    }

    @Test("Gradients may overwrite what they are computed from")
    func inPlace() {
        let count = 1003
        var random = RandomNumbers(seed: 32)
        let gate = random.floats(count), up = random.floats(count), dy = random.floats(count)
        KernelConditions.forEach { conditions in
            var dgate = [Float](repeating: 0, count: count), dup = dgate, y = dgate
            unsafe ck_swiglu_forward(count, gate, up, &y)
            unsafe ck_swiglu_backward(count, dy, gate, up, &dgate, &dup)
            // One buffer: gate, then up, then dy.
            var all = gate + up + dy
            unsafe all.withUnsafeMutableBufferPointer { buffer in
                guard let base = buffer.baseAddress else { return }
                let second = unsafe base + count, third = unsafe second + count
                unsafe ck_swiglu_backward(count, third, base, second, base, second)
            }
            #expect(bits(Array(all[0..<2 * count])) == bits(dgate + dup), "\(conditions)")
            all = gate + up
            unsafe all.withUnsafeMutableBufferPointer { buffer in
                guard let base = buffer.baseAddress else { return }
                unsafe ck_swiglu_forward(count, base, base + count, base)
            }
            #expect(bits(Array(all[0..<count])) == bits(y), "\(conditions)")
        }
    }

    @Test("An element has the same bits wherever it stands")
    func position() {
        let count = 45
        var random = RandomNumbers(seed: 33)
        let gate = random.floats(count), up = random.floats(count)
        KernelConditions.forEach { conditions in
            var y = [Float](repeating: 0, count: count)
            unsafe ck_swiglu_forward(count, gate, up, &y)
            for i in 0..<count {
                var alone: Float = 0
                unsafe ck_swiglu_forward(1, [gate[i]], [up[i]], &alone)
                #expect(alone.bitPattern == y[i].bitPattern, "\(conditions)")
            }
        }
    }

    @Test("Large gates saturate and NaN comes through")
    func extremes() {
        var y = [Float](repeating: 1, count: 4)
        unsafe ck_swiglu_forward(4, [200, -200, .nan, .infinity], [2, 2, 2, 2], &y)
        #expect(y[0] == 400 && y[1] == 0 && y[2].isNaN && y[3] == .infinity)
    }
}
