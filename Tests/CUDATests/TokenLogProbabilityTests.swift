import Tensors
import Testing

@Suite("The fused head on a device")
struct TokenLogProbabilityTests {
    /// Scores and gradients of random hidden states; the same numbers on any device.
    func results(
        T: Int, V: Int, type: DataType, temperature: Float, on device: Device
    ) -> (scores: TokenLogProbabilities, gradients: [Tensor]) {
        var random = SplitMix64(seed: 14)
        let D = 8
        let hidden = OpInput([T, D], as: type, size: 3, gradient: nil, &random).values
        let weight = OpInput([V, D], as: type, size: 2, gradient: nil, &random).values
        let held = device.isHost ? DataType.float32 : type
        var x = hidden.moved(to: device).converted(to: held)
        var w = weight.moved(to: device).converted(to: held)
        x.node = GradientNode(dataType: held, on: device)
        w.node = GradientNode(on: device)
        let targets = TokenIndices((0..<T).map { Int32(($0 * 7919 + V - 1) % V) })
        let tape = Tape()
        let scores = tokenLogProbabilities(
            x, .dense(w), targets: targets, temperature: temperature, tape)
        scores.backward(
            logProbabilityDerivatives: (0..<T).map { Float($0) - 1 },
            entropyDerivatives: (0..<T).map { 0.3 * Float($0 + 1) })
        return (scores, [x, w].compactMap { $0.node?.gradient })
    }

    @Test(
        "gives the host's scores and gradients, over one tile and more",
        arguments: [(1, 1), (3, 7), (5, 301), (2, 8200)])
    func scores(T: Int, V: Int) throws {
        try withEmulatedDevice { device in
            let expected = results(T: T, V: V, type: .float32, temperature: 0.7, on: .cpu)
            let found = results(T: T, V: V, type: .float32, temperature: 0.7, on: device)
            func expectNear(_ values: KeyPath<TokenLogProbabilities, [Float]>) {
                for (a, b) in zip(found.scores[keyPath: values], expected.scores[keyPath: values]) {
                    #expect(abs(a - b) <= 1e-5 * max(1, abs(b)))
                }
            }
            expectNear(\.logProbabilities)
            expectNear(\.entropies)
            expectNear(\.squaredProbabilitySums)
            for (a, b) in zip(found.gradients, expected.gradients) {
                let (a, b) = (a.toArray(), b.toArray())
                let largest = b.reduce(1e-3) { max($0, abs($1)) }
                let distance = zip(a, b).reduce(0) { max($0, abs($1.0 - $1.1)) }
                #expect(distance <= 2e-5 * largest)
            }
        }
    }

    @Test("stays near the host in bf16")
    func halfPrecision() throws {
        try withEmulatedDevice { device in
            let expected = results(T: 5, V: 301, type: .bfloat16, temperature: 1, on: .cpu)
            let found = results(T: 5, V: 301, type: .bfloat16, temperature: 1, on: device)
            // Logits are sums in f32 of products that bf16 holds exactly.
            for (a, b) in zip(found.scores.logProbabilities, expected.scores.logProbabilities) {
                #expect(abs(a - b) <= 1e-5 * max(1, abs(b)))
            }
            for (a, b) in zip(found.gradients, expected.gradients) {
                let (a, b) = (a.toArray(), b.toArray())
                let largest = b.reduce(1e-3) { max($0, abs($1)) }
                let distance = zip(a, b).reduce(0) { max($0, abs($1.0 - $1.1)) }
                #expect(distance <= 0x1p-6 * largest)
            }
        }
    }
}
