import CKernels
import Testing

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

struct RotaryTests {
    @Test(
        "Each pair of a head is turned by the angle of its position",
        arguments: [(1, 1, 2), (5, 3, 10), (9, 14, 64), (300, 2, 128)])
    func definition(tokens: Int, heads: Int, width: Int) {
        let half = width / 2, positionLimit = 512
        var random = RandomNumbers(seed: 21)
        let x = random.floats(tokens * heads * width)
        let positions = (0..<tokens).map { _ in Int32(random.integer(below: positionLimit)) }
        let angles = (0..<positionLimit * half).map {
            Double($0 / half) * pow(10000, -Double($0 % half) / Double(half))
        }
        let cosines = angles.map { Float(cos($0)) }, sines = angles.map { Float(sin($0)) }
        var expected = [Double](repeating: 0, count: x.count)
        for t in 0..<tokens {
            for h in 0..<heads {
                for i in 0..<half {
                    let first = (t * heads + h) * width + i, second = first + half
                    let angle = angles[Int(positions[t]) * half + i]
                    let (a, b) = (Double(x[first]), Double(x[second]))
                    expected[first] = a * cos(angle) - b * sin(angle)
                    expected[second] = b * cos(angle) + a * sin(angle)
                }
            }
        }
        KernelConditions.forEach { conditions in
            var y = [Float](repeating: 0, count: x.count)
            unsafe ck_rotary(
                tokens, heads, width, x, positions, cosines, sines, 0, &y)
            #expect(worstError(y, expected) < 3e-7, "\(conditions)")
            // The other way round, in place, gives x back.
            unsafe y.withUnsafeMutableBufferPointer { buffer in
                guard let base = buffer.baseAddress else { return }
                unsafe ck_rotary(
                    tokens, heads, width, base, positions, cosines, sines, 1, base)
            }
            #expect(worstError(y, x.map(Double.init)) < 6e-7, "\(conditions)")
        }
    }
}
