import Tensors
import Testing

@Suite("AdamW on a device")
struct AdamWTests {
    @Test("makes the host's updates", arguments: [1, 7, 896, 2051])
    func updates(count: Int) throws {
        try withEmulatedDevice { device in
            func parameters(after steps: Int, on device: Device) -> [Float] {
                var random = SplitMix64(seed: 10)
                let buffer = ParameterBuffer([("w", [count])], on: device)
                let state = AdamWState(count: count, on: device)
                func numbers() -> [Float] {
                    (0..<count).map { _ in Float.random(in: -1...1, using: &random) }
                }
                buffer.values.copy(from: numbers())
                for _ in 0..<steps {
                    buffer.gradients.copy(from: numbers())
                    adamWUpdate(
                        buffer, state, AdamWSettings(weightDecay: 0.1), learningRate: 0.01,
                        gradientScale: 0.5)
                }
                return buffer.values.toArray() + state.firstMoments.toArray()
                    + state.secondMoments.toArray()
            }
            let expected = parameters(after: 3, on: .cpu)
            let found = parameters(after: 3, on: device)
            for (a, b) in zip(found, expected) { #expect(abs(a - b) <= 2e-6 * max(0.1, abs(b))) }
        }
    }
}
