package import Models
package import Objectives
import Tensors

/// The settings of one update of the policy.
package struct PolicyUpdateSettings: Sendable {
    package var loss: PolicyLossSettings
    /// The loss and correction that take the place of the policy loss in bypass mode.
    package var bypass: BypassSettings?
    /// Logits are divided by this, as they were when the responses were sampled.
    package var temperature: Float
    package var microBatches: MicroBatchSettings
    /// Which blocks keep their activations for the backward pass.
    package var kept: KeptActivations
    /// Length that responses would be padded to, which `seq-mean-token-sum-norm` divides by.
    package var paddedResponseLength: Int

    package init(
        loss: PolicyLossSettings, bypass: BypassSettings? = nil, temperature: Float,
        microBatches: MicroBatchSettings,
        kept: KeptActivations, paddedResponseLength: Int
    ) {
        self.loss = loss
        self.bypass = bypass
        self.temperature = temperature
        self.microBatches = microBatches
        self.kept = kept
        self.paddedResponseLength = paddedResponseLength
    }
}

/// verl's bypass mode: the rollout's log-probabilities are the old ones, and the correction is
/// measured by the policy as it is.
package struct BypassSettings: Sendable {
    package var loss: BypassLoss
    package var correction: RolloutCorrectionSettings

    package init(loss: BypassLoss, correction: RolloutCorrectionSettings) {
        self.loss = loss
        self.correction = correction
    }
}

/// What one mini-batch gave.
package struct PolicyGradient {
    /// The loss over the whole mini-batch.
    package var loss = 0.0
    /// verl's `actor/...` metrics of the mini-batch.
    package var metrics: [String: Double] = [:]
    /// The policy's log-probability of each response token of each sample.
    package var logProbabilities: [[Float]]
}

/// Adds the gradient of one mini-batch to the policy's gradient buffer, a micro-batch at a time.
///
/// Losses are normalised by the counts of the whole mini-batch, so that the cut into micro-batches
/// changes nothing, and may be finer than the settings ask for where that saves recomputation. Where
/// it is a part of the loss it is as they ask.
/// - Parameters:
///   - selectionSeed: of the losses that choose tokens at random.
///   - betweenMicroBatches: called before each micro-batch; what it throws ends the pass.
/// - Throws: `ObjectiveError` when an input that the loss needs is missing.
package func accumulatePolicyGradient(
    _ policy: Policy, _ samples: [PolicySample], _ settings: PolicyUpdateSettings,
    selectionSeed: UInt64 = 0, betweenMicroBatches: () throws -> Void = {}
) throws -> PolicyGradient {
    let counts = GlobalCounts(
        samples.responseLayout, paddedResponseLength: settings.paddedResponseLength)
    var result = PolicyGradient(logProbabilities: samples.map { _ in [] })
    let atOnce = policy.decoder.tokensAtOnce(settings.kept, adapter: policy.adapter)
    let pieces = settings.microBatches.pieces(
        samples, fitting: settings.dependsOnMicroBatch ? .max : atOnce)
    for (number, piece) in pieces.enumerated() {
        try betweenMicroBatches()
        let microBatch = piece.map { samples[$0] }
        let packed = PackedSamples(microBatch)
        let tape = Tape()
        let scores = policy.score(
            packed, temperature: settings.temperature, keeping: settings.kept, tape)
        var inputs = PolicyLossInputs(microBatch, packed.layout, scores)
        inputs.selectionSeed = selectionSeed &+ UInt64(number)
        let part = try settings.loss(of: inputs, counts: counts)
        scores.backward(
            logProbabilityDerivatives: part.logProbabilityDerivatives,
            entropyDerivatives: part.entropyDerivatives)
        tape.backward()

        result.loss += part.loss
        result.metrics.merge(part.metrics, uniquingKeysWith: +)
        for (place, index) in piece.enumerated() {
            result.logProbabilities[index] = Array(
                scores.logProbabilities[packed.layout.tokens(of: place)])
        }
    }
    return result
}

extension PolicyUpdateSettings {
    /// Whether a token's loss depends on those that are computed with it.
    fileprivate var dependsOnMicroBatch: Bool {
        loss.mode.dependsOnMicroBatch || bypass?.correction.normalizesWeights == true
    }

    /// The loss of one micro-batch and its derivatives.
    fileprivate func loss(
        of inputs: PolicyLossInputs, counts: GlobalCounts
    ) throws(ObjectiveError) -> PolicyLossResult {
        guard let bypass else { return try policyLoss(inputs, settings: loss, counts: counts) }
        return try bypassPolicyLoss(
            inputs, settings: loss, correction: bypass.correction, loss: bypass.loss,
            counts: counts)
    }
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
