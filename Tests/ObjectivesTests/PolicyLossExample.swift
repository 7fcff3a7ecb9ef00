@testable import Objectives

/// A small mini-batch of random numbers with every input that a policy loss may read.
struct PolicyLossExample {
    var layout: ResponseLayout
    var logProbabilities: [Float]
    var oldLogProbabilities: [Float]
    var advantages: [Float]
    var entropies: [Float]
    var reference: [Float]
    var rolloutWeights: [Float]

    init(lengths: [Int], seed: UInt64) {
        layout = ResponseLayout(lengths: lengths)
        var numbers = SeededNumbers(seed: seed)
        let count = layout.tokenCount
        func values(_ range: ClosedRange<Double>) -> [Float] {
            (0..<count).map { _ in Float(numbers.next(in: range)) }
        }
        logProbabilities = values(-3 ... -0.1)
        oldLogProbabilities = zip(logProbabilities, values(-0.8...0.8)).map { $0 + $1 }
        reference = zip(logProbabilities, values(-0.8...0.8)).map { $0 + $1 }
        advantages = values(-2...2)
        entropies = values(0...2)
        rolloutWeights = values(0.5...1.5)
    }

    /// Losses that choose tokens by comparing those of the micro-batch, as verl does.
    static func selectsWithinBatch(_ mode: PolicyLossMode) -> Bool {
        ["clip_cov", "kl_cov"].contains(mode.name)
    }

    var inputs: PolicyLossInputs {
        PolicyLossInputs(
            layout: layout, logProbabilities: logProbabilities,
            oldLogProbabilities: oldLogProbabilities, advantages: advantages, entropies: entropies,
            referenceLogProbabilities: reference, rolloutWeights: rolloutWeights)
    }

    func settings(
        mode: PolicyLossMode, aggregation: LossAggregation = .tokenMean,
        estimator: KLEstimator = KLEstimator(.k3)
    ) throws -> PolicyLossSettings {
        try PolicyLossSettings(
            mode: mode, clipLow: 0.2, clipHigh: 0.28, clipC: 1.5, aggregation: aggregation,
            lossScaleFactor: 16, entropyCoefficient: 0.01, useKLLoss: true, klCoefficient: 0.2,
            klEstimator: estimator)
    }

    func result(_ settings: PolicyLossSettings) throws -> PolicyLossResult {
        try policyLoss(inputs, settings: settings, counts: GlobalCounts(layout))
    }

    /// The results of the same sequences in several micro-batches.
    func results(_ settings: PolicyLossSettings, partCount: Int) throws -> [PolicyLossResult] {
        let sequences = layout.sequenceCount
        return try (0..<partCount).map { part in
            let range = (sequences * part / partCount)..<(sequences * (part + 1) / partCount)
            var example = self
            example.layout = ResponseLayout(lengths: range.map { layout.tokens(of: $0).count })
            let tokens = layout.starts[range.lowerBound]..<layout.starts[range.upperBound]
            example.logProbabilities = Array(logProbabilities[tokens])
            example.oldLogProbabilities = Array(oldLogProbabilities[tokens])
            example.advantages = Array(advantages[tokens])
            example.entropies = Array(entropies[tokens])
            example.reference = Array(reference[tokens])
            example.rolloutWeights = Array(rolloutWeights[tokens])
            return try policyLoss(example.inputs, settings: settings, counts: GlobalCounts(layout))
        }
    }

    /// Takes another example's values, with one more token of a given value in their midst.
    mutating func takeTokens(of other: PolicyLossExample, around token: Int, holding value: Float) {
        func widened(_ values: [Float]) -> [Float] {
            values[..<token] + [value] + values[token...]
        }
        logProbabilities = widened(other.logProbabilities)
        oldLogProbabilities = widened(other.oldLogProbabilities)
        advantages = widened(other.advantages)
        entropies = widened(other.entropies)
        reference = widened(other.reference)
        rolloutWeights = widened(other.rolloutWeights)
    }
}
