import Testing

@testable import Objectives

/// verl's losses, gradients and metrics.
struct PolicyLossReferenceTests {
    struct File: Decodable {
        let batches: [Batch]
        let cases: [Case]
    }

    struct Batch: Decodable {
        let lengths: [Int]
        let mask: [Float]?
        let paddedLength: Int
        let old: [Float]
        let new: [Float]
        let advantages: [Float]
        let rolloutWeights: [Float]?
    }

    struct Case: Decodable {
        let batch: Int
        let mode: String
        let aggregation: String
        let weighted: Bool
        let loss: Double
        let gradient: [Double]
        let metrics: [String: Double]
    }

    /// The second has tokens masked within sequences, and log-ratios beyond every clamp.
    private static let files = ["policy_losses.json", "policy_losses_masked.json"]

    @Test(
        "losses, gradients and metrics are those of verl",
        arguments: files, PolicyLossMode.all.map(\.name))
    func lossesEqualTheReference(name: String, mode: String) throws {
        let file = try fixture(name, as: File.self)
        for reference in file.cases where reference.mode == mode {
            try expectReference(reference, file.batches[reference.batch])
        }
    }

    @Test("every registered loss has a reference with each aggregation and with rollout weights")
    func everyLossIsCovered() throws {
        let cases = try fixture("policy_losses_masked.json", as: File.self).cases
        let covered = Set(cases.map { "\($0.mode) \($0.aggregation) \($0.weighted)" })
        let registered = PolicyLossMode.all.flatMap { mode in
            LossAggregation.allCases.flatMap { aggregation in
                [true, false].map { "\(mode.name) \(aggregation.rawValue) \($0)" }
            }
        }
        #expect(covered == Set(registered))
    }

    struct WholeFile: Decodable {
        let lengths: [Int]
        let mask: [Float]
        let paddedLength: Int
        let old: [Float]
        let new: [Float]
        let advantages: [Float]
        let entropies: [Float]
        let reference: [Float]
        let cases: [WholeCase]
    }

    struct WholeCase: Decodable {
        let estimator: String
        let aggregation: String
        let loss: Double
        let klLoss: Double
        let entropy: Double
        let gradient: [Double]
        let entropyGradient: [Double]
    }

    @Test("the loss with its entropy and KL terms is that of verl, with its gradients")
    func wholeLossesEqualTheReference() throws {
        let file = try fixture("actor_losses.json", as: WholeFile.self)
        #expect(Set(file.cases.map(\.estimator)) == Set(KLEstimator.names))
        #expect(Set(file.cases.map(\.aggregation)) == Set(LossAggregation.allCases.map(\.rawValue)))
        let layout = ResponseLayout(lengths: file.lengths, mask: file.mask)
        let inputs = PolicyLossInputs(
            layout: layout, logProbabilities: file.new, oldLogProbabilities: file.old,
            advantages: file.advantages, entropies: file.entropies,
            referenceLogProbabilities: file.reference)
        for reference in file.cases {
            let settings = try PolicyLossSettings(
                clipLow: 0.2, clipHigh: 0.28,
                aggregation: LossAggregation(named: reference.aggregation),
                entropyCoefficient: 0.01, useKLLoss: true, klCoefficient: 0.2,
                klEstimator: KLEstimator(named: reference.estimator))
            let result = try policyLoss(
                inputs, settings: settings,
                counts: GlobalCounts(layout, paddedResponseLength: file.paddedLength))
            let name = Comment(rawValue: "\(reference.estimator) \(reference.aggregation)")
            for (found, expected) in [
                (result.loss, reference.loss),
                (result.metrics["actor/kl_loss"], reference.klLoss),
                (result.metrics["actor/entropy"], reference.entropy),
            ] {
                let difference = abs(try #require(found, name) - expected)
                #expect(difference <= 1e-6 * max(1, abs(expected)), name)
            }
            #expect(
                largestDifference(result.logProbabilityDerivatives, reference.gradient) <= 1e-6,
                name)
            #expect(
                largestDifference(result.entropyDerivatives, reference.entropyGradient) <= 1e-7,
                name)
        }
    }

    private func expectReference(_ reference: Case, _ batch: Batch) throws {
        let layout = ResponseLayout(lengths: batch.lengths, mask: batch.mask)
        let inputs = PolicyLossInputs(
            layout: layout, logProbabilities: batch.new, oldLogProbabilities: batch.old,
            advantages: batch.advantages,
            rolloutWeights: reference.weighted ? batch.rolloutWeights : nil)
        var constants = PolicyLossConstants()
        constants.klCovRatio = 0.1
        constants.klCovCoefficient = 0.3
        // All candidates are taken out, for verl's random choice cannot be had.
        constants.clipCovRatio = 1
        constants.clipCovLowerBound = 0.3
        constants.droBeta = 0.1
        let settings = try PolicyLossSettings(
            mode: PolicyLossMode(named: reference.mode), clipLow: 0.2, clipHigh: 0.28, clipC: 3,
            aggregation: LossAggregation(named: reference.aggregation), constants: constants)
        let result = try policyLoss(
            inputs, settings: settings,
            counts: GlobalCounts(layout, paddedResponseLength: batch.paddedLength))
        let name = Comment(rawValue: "\(reference.mode) \(reference.aggregation)")
        #expect(abs(result.loss - reference.loss) <= 1e-6 * abs(reference.loss), name)
        let norm = reference.gradient.map(abs).max() ?? 0
        #expect(
            largestDifference(result.logProbabilityDerivatives, reference.gradient, scale: norm)
                <= 1e-6, name)
        #expect(result.metrics["actor/pg_loss"] == result.loss, name)
        for (key, value) in reference.metrics {
            let found = try #require(result.metrics[key], name)
            #expect(abs(found - value) <= 1e-6, name)
        }
    }
}
