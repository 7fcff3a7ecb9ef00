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

    @Test("every loss of the reference is registered, and every registered loss has a reference")
    func everyLossIsCovered() throws {
        let cases = try Self.files.flatMap { try fixture($0, as: File.self).cases }
        #expect(Set(cases.map(\.mode)) == Set(PolicyLossMode.all.map(\.name)))
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
