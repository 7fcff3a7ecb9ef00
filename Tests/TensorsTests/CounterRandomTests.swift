import Tensors
import Testing

@Suite("CounterRandom")
struct CounterRandomTests {
    @Test("gives the published vectors of Philox 4x32-10")
    func knownAnswers() {
        // From the authors' Random123 distribution, kat_vectors: counter and key zero, all ones.
        let zero = CounterRandom(seed: 0).words(stream: 0, position: 0)
        #expect(zero == SIMD4(0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8))
        let ones = CounterRandom(seed: .max).words(stream: .max, position: .max)
        #expect(ones == SIMD4(0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd))
    }

    @Test("gives numbers in [0, 1) that fill the interval evenly")
    func uniforms() {
        let random = CounterRandom(seed: 42)
        let draws = (0..<20_000).map { random.uniform(stream: 7, position: UInt64($0)) }
        #expect(draws.allSatisfy { $0 >= 0 && $0 < 1 })
        var bins = [Int](repeating: 0, count: 20)
        for draw in draws { bins[Int(draw * 20)] += 1 }
        let chiSquare = bins.reduce(0.0) { $0 + (Double($1) - 1000) * (Double($1) - 1000) / 1000 }
        #expect(chiSquare < 43.8)  // 0.1 % quantile for 19 degrees of freedom
    }
}
