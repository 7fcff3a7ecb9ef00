package import Objectives
package import Tensors

/// The settings of one update of the policy.
package struct PolicyUpdateSettings: Sendable {
    package var loss: PolicyLossSettings
    /// Logits are divided by this, as they were when the responses were sampled.
    package var temperature: Float
    package var microBatches: MicroBatchSettings
    /// Whether blocks are run again in the backward pass instead of keeping their activations.
    package var recomputes: Bool
    /// Length that responses would be padded to, which `seq-mean-token-sum-norm` divides by.
    package var paddedResponseLength: Int

    package init(
        loss: PolicyLossSettings, temperature: Float, microBatches: MicroBatchSettings,
        recomputes: Bool, paddedResponseLength: Int
    ) {
        self.loss = loss
        self.temperature = temperature
        self.microBatches = microBatches
        self.recomputes = recomputes
        self.paddedResponseLength = paddedResponseLength
    }
}

/// What one mini-batch gave.
package struct PolicyGradient {
    /// The loss over the whole mini-batch.
    package var loss = 0.0
    /// verl's `actor/...` metrics of the mini-batch.
    package var metrics: [String: Double] = [:]
    /// How far the log-probabilities of training lie from those of the rollout.
    package var rolloutDifference = RolloutDifference()
}

/// Adds the gradient of one mini-batch to the policy's gradient buffer, a micro-batch at a time.
///
/// Losses are normalised by the counts of the whole mini-batch, so that the cut into micro-batches
/// changes nothing.
/// - Parameters:
///   - betweenMicroBatches: called before each micro-batch; what it throws ends the pass.
/// - Throws: `ObjectiveError` when an input that the loss needs is missing.
package func accumulatePolicyGradient(
    _ policy: Policy, _ samples: [PolicySample], _ settings: PolicyUpdateSettings,
    betweenMicroBatches: () throws -> Void = {}
) throws -> PolicyGradient {
    let counts = GlobalCounts(
        samples.responseLayout, paddedResponseLength: settings.paddedResponseLength)
    var result = PolicyGradient()
    let pieces = settings.microBatches.pieces(tokenCounts: samples.map(\.computedTokenCount))
    for (number, piece) in pieces.enumerated() {
        try betweenMicroBatches()
        let microBatch = piece.map { samples[$0] }
        let packed = PackedSamples(microBatch)
        let tape = Tape()
        let scores = policy.score(
            packed, temperature: settings.temperature, recomputes: settings.recomputes, tape)
        var inputs = PolicyLossInputs(microBatch, packed.layout, scores)
        inputs.selectionSeed = UInt64(number)
        let part = try policyLoss(inputs, settings: settings.loss, counts: counts)
        scores.backward(
            logProbabilityDerivatives: part.logProbabilityDerivatives,
            entropyDerivatives: part.entropyDerivatives)
        tape.backward()

        result.loss += part.loss
        result.metrics.merge(part.metrics, uniquingKeysWith: +)
        let rollout = microBatch.flatMap(\.rolloutLogProbabilities)
        if rollout.count == packed.layout.tokenCount {
            result.rolloutDifference.merge(
                RolloutDifference(
                    rollout: rollout, actor: scores.logProbabilities, layout: packed.layout))
        }
    }
    return result
}

extension PolicyLossInputs {
    /// The inputs of one micro-batch. A sample without old log-probabilities takes the current
    /// ones as constants: the ratio is then 1.
    fileprivate init(
        _ samples: [PolicySample], _ layout: ResponseLayout, _ scores: TokenLogProbabilities
    ) {
        let current = scores.logProbabilities
        var old: [Float] = []
        for (index, sample) in samples.enumerated() {
            old += sample.oldLogProbabilities ?? Array(current[layout.tokens(of: index)])
        }
        let reference = samples.compactMap(\.referenceLogProbabilities)
        let weights = samples.compactMap(\.rolloutWeights)
        self.init(
            layout: layout, logProbabilities: current, oldLogProbabilities: old,
            advantages: samples.flatMap(\.advantages), entropies: scores.entropies,
            referenceLogProbabilities: reference.count == samples.count
                ? Array(reference.joined()) : nil,
            rolloutWeights: weights.count == samples.count ? Array(weights.joined()) : nil)
    }
}

/// The log-probability of each response token of each sample, without a gradient.
///
/// - Parameters:
///   - score: the policy's or the reference's pass over one pack.
package func logProbabilities(
    _ samples: [PolicySample], _ microBatches: MicroBatchSettings,
    betweenMicroBatches: () throws -> Void = {},
    score: (PackedSamples) -> TokenLogProbabilities
) rethrows -> [[Float]] {
    var results = [[Float]](repeating: [], count: samples.count)
    for piece in microBatches.pieces(tokenCounts: samples.map(\.computedTokenCount)) {
        try betweenMicroBatches()
        let packed = PackedSamples(piece.map { samples[$0] })
        let values = score(packed).logProbabilities
        for (place, index) in piece.enumerated() {
            results[index] = Array(values[packed.layout.tokens(of: place)])
        }
    }
    return results
}
