import Testing

@testable import Objectives

/// The whole loss: policy term, entropy and KL, over packed micro-batches.
struct PolicyLossTests {
    @Test("contributions of micro-batches add up to the loss of the mini-batch")
    func splitsAddUp() throws {
        for mode in PolicyLossMode.all where !PolicyLossExample.selectsWithinBatch(mode) {
            for aggregation in LossAggregation.allCases {
                let example = PolicyLossExample(lengths: [5, 0, 3, 9, 1, 4, 2], seed: 7)
                let settings = try example.settings(mode: mode, aggregation: aggregation)
                let whole = try example.result(settings)
                for partCount in [2, 7] {
                    let parts = try example.results(settings, partCount: partCount)
                    try expectSum(parts, equals: whole)
                }
            }
        }
    }

    private func expectSum(_ parts: [PolicyLossResult], equals whole: PolicyLossResult) throws {
        #expect(abs(parts.reduce(0) { $0 + $1.loss } - whole.loss) <= 1e-12)
        #expect(parts.flatMap(\.logProbabilityDerivatives) == whole.logProbabilityDerivatives)
        #expect(parts.flatMap(\.entropyDerivatives) == whole.entropyDerivatives)
        for (key, value) in whole.metrics {
            let sum = try parts.reduce(0) { try $0 + #require($1.metrics[key]) }
            #expect(abs(sum - value) <= 1e-12, Comment(rawValue: key))
        }
    }

    @Test("a masked token changes nothing, whatever it holds")
    func maskedTokensDoNotCount() throws {
        for mode in PolicyLossMode.all {
            let example = PolicyLossExample(lengths: [4, 6], seed: 11)
            var masked = PolicyLossExample(lengths: [4, 7], seed: 11)
            masked.layout = ResponseLayout(
                lengths: [4, 7], mask: [1, 1, 1, 1, 1, 1, 0, 1, 1, 1, 1])
            masked.takeTokens(of: example, around: 6, holding: .nan)
            let settings = try example.settings(mode: mode)
            let (expected, found) = (try example.result(settings), try masked.result(settings))
            #expect(found.loss == expected.loss)
            #expect(found.metrics == expected.metrics)
            var derivatives = found.logProbabilityDerivatives
            #expect(derivatives.remove(at: 6) == 0)
            #expect(derivatives == expected.logProbabilityDerivatives)
        }
    }

    @Test("the loss is policy term - entropy coefficient * entropy + KL coefficient * KL")
    func theLossIsTheSumOfItsTerms() throws {
        let example = PolicyLossExample(lengths: [4, 6], seed: 5)
        let metrics = try example.result(example.settings(mode: .vanilla)).metrics
        let loss = try example.result(example.settings(mode: .vanilla)).loss
        let policy = try #require(metrics["actor/pg_loss"])
        let entropy = try #require(metrics["actor/entropy"])
        let divergence = try #require(metrics["actor/kl_loss"])
        #expect(abs(policy - 0.01 * entropy + 0.2 * divergence - loss) <= 1e-12)
        let mean = example.entropies.reduce(0.0) { $0 + Double($1) } / 10
        #expect(abs(entropy - mean) <= 1e-12)
    }

    @Test("an unchanged policy clips nothing, and its loss is minus the mean advantage")
    func onPolicyStepIsPlainPolicyGradient() throws {
        var example = PolicyLossExample(lengths: [3, 5], seed: 2)
        example.logProbabilities = example.oldLogProbabilities
        example.rolloutWeights = example.advantages.map { _ in 1 }
        let settings = try PolicyLossSettings()
        let result = try example.result(settings)
        #expect(result.metrics["actor/ppo_kl"] == 0)
        #expect(result.metrics["actor/pg_clipfrac"] == 0)
        #expect(result.metrics["actor/pg_clipfrac_lower"] == 0)
        let expected = example.advantages.map { -Double($0) / 8 }
        #expect(largestDifference(result.logProbabilityDerivatives, expected) <= 1e-7)
    }

    @Test("the tokens that clip_cov takes out depend on the seed and on nothing else")
    func clipCovIsSeeded() throws {
        var example = PolicyLossExample(lengths: [40, 40], seed: 4)
        example.logProbabilities = example.oldLogProbabilities
        var constants = PolicyLossConstants()
        constants.clipCovRatio = 0.05
        constants.clipCovLowerBound = 0.1
        let settings = try PolicyLossSettings(mode: .clipCovariance, constants: constants)
        let counts = GlobalCounts(example.layout)
        func removed(seed: UInt64) throws -> [Int] {
            var inputs = example.inputs
            inputs.selectionSeed = seed
            let result = try policyLoss(inputs, settings: settings, counts: counts)
            #expect(result.metrics["actor/pg_clipfrac"] == 0.05)
            return result.logProbabilityDerivatives.indices.filter {
                result.logProbabilityDerivatives[$0] == 0
            }
        }
        let first = try removed(seed: 1)
        #expect(first.count == 4)
        #expect(try removed(seed: 1) == first)
        #expect(try removed(seed: 2) != first)
    }

    @Test("missing inputs, wrong lengths and wrong constants are refused in one sentence")
    func badInputIsRefused() throws {
        let example = PolicyLossExample(lengths: [3, 2], seed: 1)
        var inputs = example.inputs
        let counts = GlobalCounts(example.layout)
        let settings = try example.settings(mode: .vanilla)
        inputs.referenceLogProbabilities = nil
        #expect(throws: ObjectiveError("use_kl_loss=True needs the reference's log-probabilities."))
        {
            try policyLoss(inputs, settings: settings, counts: counts)
        }
        inputs = example.inputs
        inputs.entropies = nil
        #expect(throws: ObjectiveError.self) {
            try policyLoss(inputs, settings: settings, counts: counts)
        }
        inputs = example.inputs
        inputs.advantages.removeLast()
        #expect(throws: ObjectiveError("There are 4 advantages for 5 response tokens.")) {
            try policyLoss(inputs, settings: settings, counts: counts)
        }
        #expect(throws: ObjectiveError.self) {
            try policyLoss(
                example.inputs, settings: settings, counts: GlobalCounts(tokens: 4, sequences: 2))
        }
        #expect(throws: ObjectiveError("clip_ratio_c must be greater than 1, but it is 1.0.")) {
            try PolicyLossSettings(clipC: 1)
        }
        #expect(throws: ObjectiveError.self) { try PolicyLossSettings(klCoefficient: .nan) }
    }

    @Test("an unknown name is refused with the nearest known name")
    func unknownNamesAreRefused() {
        let loss = #expect(throws: ObjectiveError.self) { try PolicyLossMode(named: "vanila") }
        #expect(loss?.message.contains("nearest: \"vanilla\"") == true)
        let mean = #expect(throws: ObjectiveError.self) { try LossAggregation(named: "token_mean") }
        #expect(mean?.message.contains("nearest: \"token-mean\"") == true)
        let estimator = #expect(throws: ObjectiveError.self) { try KLEstimator(named: "full") }
        #expect(estimator?.message.contains("low_var_kl") == true)
    }
}
