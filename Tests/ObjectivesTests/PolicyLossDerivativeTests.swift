import Testing

@testable import Objectives

/// Derivatives of the actor's loss against central finite differences.
struct PolicyLossDerivativeTests {
    /// What is moved so that the slope of a loss is what its derivatives say.
    ///
    /// A loss that holds a part of itself constant does not rise as its derivatives say when one
    /// log-probability is moved; it does along a direction in which that part stays as it is.
    enum Direction {
        /// One log-probability: every loss that holds nothing constant.
        case token
        /// One log-probability and the old one with it, so that their ratio stays.
        case tokenAndOld
        /// All log-probabilities of a sequence, whose derivatives then add up.
        case sequence
    }

    static func direction(_ mode: PolicyLossMode) -> Direction {
        switch mode.name {
        case "cispo", "dppo_tv", "dppo_kl": .tokenAndOld
        case "gspo": .sequence
        default: .token
        }
    }

    /// Tokens masked within sequences, no value near a kink.
    static func example(seed: UInt64) -> PolicyLossExample {
        var example = PolicyLossExample(lengths: [4, 2, 6], seed: seed)
        example.layout = ResponseLayout(
            lengths: [4, 2, 6], mask: [1, 0, 1, 1, 1, 1, 1, 1, 0, 1, 1, 1])
        return example
    }

    static let step: Float = 1.0 / 1024

    /// (loss above - loss below) / 2 steps, where one of two copies is moved up and the other down.
    private func slope(
        _ example: PolicyLossExample, _ settings: PolicyLossSettings,
        _ move: (inout PolicyLossExample, Float) -> Void
    ) throws -> Double {
        var (below, above) = (example, example)
        move(&above, Self.step)
        move(&below, -Self.step)
        let rise = try above.result(settings).loss - below.result(settings).loss
        return rise / Double(2 * Self.step)
    }

    private func expectSlopes(
        _ example: PolicyLossExample, _ settings: PolicyLossSettings, _ direction: Direction,
        _ name: Comment
    ) throws {
        let found = try example.result(settings).logProbabilityDerivatives.map(Double.init)
        switch direction {
        case .token, .tokenAndOld:
            for token in found.indices {
                let expected = try slope(example, settings) { example, step in
                    example.logProbabilities[token] += step
                    if direction == .tokenAndOld { example.oldLogProbabilities[token] += step }
                }
                #expect(abs(expected - found[token]) <= 1e-5 * max(1, abs(expected)), name)
            }
        case .sequence:
            for tokens in (0..<3).map(example.layout.tokens) {
                let expected = try slope(example, settings) { example, step in
                    for token in tokens { example.logProbabilities[token] += step }
                }
                let sum = tokens.reduce(0.0) { $0 + found[$1] }
                #expect(abs(expected - sum) <= 1e-5 * max(1, abs(expected)), name)
            }
        }
    }

    @Test(
        "each loss rises as its derivatives say, with each aggregation and with rollout weights",
        arguments: PolicyLossMode.all.map(\.name), LossAggregation.allCases)
    func losses(name: String, aggregation: LossAggregation) throws {
        let mode = try PolicyLossMode(named: name)
        var constants = PolicyLossConstants()
        constants.klCovRatio = 0.3
        constants.clipCovRatio = 0.2
        constants.clipCovLowerBound = 0.1
        let settings = try PolicyLossSettings(
            mode: mode, clipLow: 0.2, clipHigh: 0.28, clipC: 1.5, aggregation: aggregation,
            lossScaleFactor: 16, constants: constants)
        for isWeighted in [true, false] {
            var example = Self.example(seed: 3)
            if !isWeighted { example.rolloutWeights = example.rolloutWeights.map { _ in 1 } }
            try expectSlopes(
                example, settings, Self.direction(mode),
                "\(name) \(aggregation.rawValue) \(isWeighted)")
        }
    }

    @Test("the clips are at work in these tests, the dual one too")
    func clipsAreReached() throws {
        let settings = try PolicyLossSettings(clipLow: 0.2, clipHigh: 0.28, clipC: 1.5)
        let metrics = try Self.example(seed: 3).result(settings).metrics
        #expect(try #require(metrics["actor/pg_clipfrac"]) > 0)
        #expect(try #require(metrics["actor/pg_clipfrac_lower"]) > 0)
    }

    @Test(
        "the KL term rises as its derivatives say, with each aggregation",
        arguments: KLEstimator.names, LossAggregation.allCases)
    func divergences(name: String, aggregation: LossAggregation) throws {
        let estimator = try KLEstimator(named: name)
        func settings(_ estimator: KLEstimator) throws -> PolicyLossSettings {
            try PolicyLossSettings(
                aggregation: aggregation, lossScaleFactor: 16, useKLLoss: true, klCoefficient: 0.7,
                klEstimator: estimator)
        }
        var example = Self.example(seed: 3)
        example.advantages = example.advantages.map { _ in 0 }
        let found = try example.result(settings(estimator)).logProbabilityDerivatives
        // A straight-through form has the slope of k2.
        let valued = try settings(estimator.straightThrough ? KLEstimator(.k2) : estimator)
        for token in found.indices {
            let expected = try slope(example, valued) { $0.logProbabilities[token] += $1 }
            #expect(abs(expected - Double(found[token])) <= 1e-5, "\(name) \(aggregation.rawValue)")
        }
    }

    @Test(
        "the entropy term rises as its derivatives say", arguments: LossAggregation.allCases)
    func entropies(aggregation: LossAggregation) throws {
        let settings = try PolicyLossSettings(
            aggregation: aggregation, lossScaleFactor: 16, entropyCoefficient: 0.3)
        let example = Self.example(seed: 3)
        let found = try example.result(settings).entropyDerivatives
        for token in found.indices {
            let expected = try slope(example, settings) { $0.entropies[token] += $1 }
            #expect(abs(expected - Double(found[token])) <= 1e-7)
        }
    }
}
