import Tensors
import Testing

@Suite("Sampling on a device")
struct SamplingTests {
    static let choices: [(Float, Int, Float)] = [
        (0, 0, 1), (0.6, 0, 1), (1, 1, 1), (2, 50, 0.9), (1, 0, 0.9), (1, 0, 0),
        (0.7, 0, 0.3), (1, 1500, 1),
    ]

    /// Expects the host's tokens, each with its log-probability, for many uniform numbers.
    func expectSameChoices(_ logits: [Float], on device: Device, _ random: inout SplitMix64) {
        let choices = Self.choices.map { temperature, topK, topP in
            TokenChoice(
                temperature: temperature, topK: topK, topP: topP,
                uniform: Float.random(in: 0..<1, using: &random))
        }
        let (rows, width) = (choices.count, logits.count)
        let all = (0..<rows).flatMap { _ in logits }
        let expected = sample(Tensor(all, shape: [rows, width], on: .cpu), choices)
        let found = sample(Tensor(all, shape: [rows, width], on: device), choices)
        #expect(found.tokens == expected.tokens, "\(width) logits, \(choices)")
        for (a, b) in zip(found.logProbabilities, expected.logProbabilities) {
            #expect(abs(a - b) <= 1e-5 * max(1, abs(b)) || a.isNaN && b.isNaN)
        }
    }

    @Test("chooses the host's tokens", arguments: [1, 7, 1031, 5003])
    func tokens(width: Int) throws {
        try withEmulatedDevice { device in
            var random = SplitMix64(seed: 11)
            let logits = (0..<width).map { _ in Float.random(in: -8...8, using: &random) }
            expectSameChoices(logits, on: device, &random)
        }
    }

    @Test("breaks ties by the lower id, and takes 0 and -0 for the same")
    func ties() throws {
        try withEmulatedDevice { device in
            var random = SplitMix64(seed: 12)
            let rounded = (0..<300).map { _ in Float.random(in: -3...3, using: &random).rounded() }
            expectSameChoices(rounded, on: device, &random)
            let zeros: [Float] = (0..<64).map { id in id % 3 == 0 ? 0.0 : -0.0 }
            expectSameChoices(zeros, on: device, &random)
        }
    }

    @Test("never chooses a logit of -infinity")
    func impossible() throws {
        try withEmulatedDevice { device in
            var random = SplitMix64(seed: 13)
            var logits: [Float] = (0..<200).map { id in
                id % 3 == 0 ? Float(id % 7) : -Float.infinity
            }
            expectSameChoices(logits, on: device, &random)
            logits = [Float](repeating: -.infinity, count: 77)
            logits[70] = -5
            expectSameChoices(logits, on: device, &random)
        }
    }

    @Test("never chooses what was forbidden")
    func forbidden() throws {
        try withEmulatedDevice { device in
            let numbers: [Float] = [5, 4, 3, 9, 1, 9, 2, 3]
            for device in [Device.cpu, device] {
                let logits = Tensor(numbers, shape: [2, 4], on: device)
                forbid([], in: logits)
                forbid([(0, 3), (1, 1), (0, 0), (1, 3)], in: logits)
                let expected: [Float] = [
                    -.infinity, 4, 3, -.infinity, 1, -.infinity, 2, -.infinity,
                ]
                #expect(logits.toArray() == expected)
            }
        }
    }

    @Test("tells a row without a distribution", arguments: [Float.nan, .infinity, -.infinity])
    func noDistribution(bad: Float) throws {
        try withEmulatedDevice { device in
            let row = bad < 0 ? [Float](repeating: bad, count: 9) : [0, 1, 2, bad, 4, 5, 6, 7, 8]
            let choices = Self.choices.map {
                TokenChoice(temperature: $0.0, topK: $0.1, topP: $0.2, uniform: 0.5)
            }
            let logits = Tensor(
                (0..<choices.count).flatMap { _ in row }, shape: [choices.count, 9], on: device)
            let found = sample(logits, choices)
            #expect(found.tokens.allSatisfy { $0 == -1 })
            #expect(found.logProbabilities.allSatisfy { $0.isNaN })
        }
    }
}
