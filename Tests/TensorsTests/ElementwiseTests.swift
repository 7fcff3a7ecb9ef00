import CKernels
import Testing

struct ElementwiseTests {
    static let counts = [0, 1, 7, 1000, 16384, 16385, 70001]

    @Test("A sum is exact element by element, in place as well", arguments: counts)
    func add(count: Int) {
        var random = RandomNumbers(seed: 1)
        let a = random.floats(count), b = random.floats(count)
        let expected = zip(a, b).map { $0 + $1 }
        KernelConditions.forEach { conditions in
            var y = [Float](repeating: -1, count: count)
            unsafe ck_add(count, a, b, &y)
            #expect(y == expected, "\(conditions)")
            var inPlace = a
            unsafe inPlace.withUnsafeMutableBufferPointer { buffer in
                guard let base = buffer.baseAddress else { return }
                unsafe ck_add(count, base, b, base)
            }
            #expect(inPlace == expected, "\(conditions)")
        }
    }

    @Test("Scaling multiplies every element", arguments: counts)
    func scale(count: Int) {
        var random = RandomNumbers(seed: 2)
        let x = random.floats(count)
        KernelConditions.forEach { conditions in
            var y = x
            unsafe ck_scale(count, -0.3, &y)
            #expect(y == x.map { $0 * -0.3 }, "\(conditions)")
        }
    }

    @Test("The sum of squares is right and has the same bits for any number of threads")
    func sumOfSquares() {
        for count in Self.counts {
            var random = RandomNumbers(seed: 3)
            let x = random.floats(count)
            let expected = x.reduce(0.0) { $0 + Double($1) * Double($1) }
            var seen: [UInt32: Double] = [:]
            KernelConditions.forEach { conditions in
                let sum = unsafe ck_sum_of_squares(count, x)
                #expect(abs(sum - expected) <= 1e-13 * expected, "\(conditions)")
                #expect(seen[conditions.isa.rawValue, default: sum] == sum, "\(conditions)")
                seen[conditions.isa.rawValue] = sum
            }
        }
    }

    @Test("NaN and infinity come through")
    func notFinite() {
        var y: [Float] = [0, 0]
        unsafe ck_add(2, [.nan, .infinity], [1, 1], &y)
        #expect(y[0].isNaN && y[1] == .infinity)
        #expect(unsafe ck_sum_of_squares(3, [1, .nan, 1]).isNaN)
        #expect(unsafe ck_sum_of_squares(2, [1, -.infinity]) == .infinity)
    }
}
