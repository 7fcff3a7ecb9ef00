import Testing

@testable import Objectives

/// Resampling of a batch by its scores.
struct PFPPOTests {
    static let scores: [Float] = [0, 1, -2, 0.5]

    @Test(
        "weights are those of verl, and 1e-8 more",
        arguments: [
            ("pow", [0, 1, 4, 0.25]), ("max_min", [0, 1, 1, 0]),
            ("max_random", [0.1, 0.4, 0.1, 0.1]),
        ])
    func weights(method: String, expected: [Double]) throws {
        let found = filtrationWeights(
            Self.scores.map(Double.init), try PFPPOSettings(method: method))
        for (weight, value) in zip(found, expected) { #expect(weight == value + 1e-8) }
    }

    @Test("the power is the exponent of the score's size")
    func power() throws {
        let settings = try PFPPOSettings(method: "pow", power: 3)
        #expect(filtrationWeights([-2, 0.5], settings) == [8 + 1e-8, 0.125 + 1e-8])
    }

    /// From SplitMix64's numbers of seed 7 (0.390, 0.017, 0.901, 0.583) and the sums of the weights.
    @Test(
        "draws are those that another program makes of the same seed",
        arguments: [
            ("pow", [2, 1, 2, 2]), ("max_min", [1, 1, 2, 2]), ("max_random", [1, 0, 3, 1]),
        ])
    func draws(method: String, expected: [Int]) throws {
        let settings = try PFPPOSettings(method: method)
        let found = try resampledSequences(scores: Self.scores, settings: settings, seed: 7)
        #expect(found == expected)
    }

    @Test(
        "sequences are drawn as often as they weigh", arguments: ["pow", "max_min", "max_random"])
    func frequencies(method: String) throws {
        let settings = try PFPPOSettings(method: method)
        var counts = Self.scores.map { _ in 0.0 }
        for seed in 0..<2000 {
            let drawn = try resampledSequences(
                scores: Self.scores, settings: settings, seed: UInt64(seed))
            #expect(drawn.count == Self.scores.count)
            for sequence in drawn { counts[sequence] += 1 }
        }
        let weights = filtrationWeights(Self.scores.map(Double.init), settings)
        let (total, draws) = (weights.reduce(0, +), counts.reduce(0, +))
        for (count, weight) in zip(counts, weights) {
            let share = weight / total
            let deviation = (share * (1 - share) / draws).squareRoot()
            #expect(abs(count / draws - share) <= 4 * deviation + 1e-9)
        }
    }

    @Test("scores of 0 alone are drawn from evenly, and no scores give no draw")
    func edges() throws {
        let settings = try PFPPOSettings()
        let found = try resampledSequences(
            scores: [Float](repeating: 0, count: 64), settings: settings, seed: 3)
        #expect(Set(found).count > 30)
        #expect(try resampledSequences(scores: [], settings: settings, seed: 3) == [])
    }

    @Test("bad settings and scores are refused")
    func refusals() throws {
        let unknown = #expect(throws: ObjectiveError.self) { try PFPPOSettings(method: "maxmin") }
        #expect(unknown?.message.contains("nearest: \"max_min\"") == true)
        #expect(
            throws: ObjectiveError(
                "algorithm.pf_ppo.weight_pow must be at least 0, but it is -1.0.")
        ) {
            try PFPPOSettings(power: -1)
        }
        #expect(throws: ObjectiveError("PF-PPO needs finite scores, but one is nan.")) {
            try resampledSequences(scores: [1, .nan], settings: PFPPOSettings(), seed: 0)
        }
        let overflow = #expect(throws: ObjectiveError.self) {
            try resampledSequences(scores: [1e30], settings: PFPPOSettings(power: 20), seed: 0)
        }
        #expect(overflow?.message.contains("weight_pow=20.0") == true)
    }
}
