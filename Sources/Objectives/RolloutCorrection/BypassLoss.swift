/// The policy loss where the rollout's own log-probabilities stand for the old ones
/// (`rollout_correction.bypass_mode`); raw values are verl's (`rollout_correction.loss_type`).
package enum BypassLoss: String, CaseIterable, Sendable {
    /// The clipped surrogate; its ratio already is the importance weight.
    case ppoClip = "ppo_clip"
    /// -w A log p, with the correction's weight w of the current policy against the rollout's.
    case reinforce

    /// The loss of a name.
    ///
    /// - Throws: when there is none of this name.
    package init(named name: String) throws(ObjectiveError) {
        guard let known = BypassLoss(rawValue: name) else {
            let names = BypassLoss.allCases.map(\.rawValue)
            throw .unknown("bypass loss (rollout_correction.loss_type)", name, known: names)
        }
        self = known
    }
}

/// The actor's loss on one micro-batch in bypass mode; `policy_loss.loss_mode` is not used.
///
/// The correction compares the policy as it is now with the rollout's, so it is computed here and
/// anew for each micro-batch: its rejections narrow the policy term only, and a normalisation of its
/// weights is over the micro-batch, as in verl. Its metrics do not add up and are left out; those of
/// the batch are `rolloutCorrection`'s.
///
/// - Parameters:
///   - inputs: with the rollout's log-probabilities as the old ones, without rollout weights.
///   - settings: everything but the mode.
///   - correction: weights (for `reinforce`) and rejections.
///   - loss: which of the two.
///   - counts: those of the whole mini-batch, rejected tokens included.
/// - Throws: when an input that the settings need is missing or of the wrong length.
package func bypassPolicyLoss(
    _ inputs: PolicyLossInputs, settings: PolicyLossSettings,
    correction: RolloutCorrectionSettings, loss: BypassLoss, counts: GlobalCounts
) throws(ObjectiveError) -> PolicyLossResult {
    var corrected = inputs
    corrected.rolloutWeights = nil
    // A micro-batch whose tokens are all masked has nothing to correct, and loses nothing.
    if inputs.layout.unmaskedTokenCount > 0 {
        let measured = try rolloutCorrection(
            rollout: inputs.oldLogProbabilities, old: inputs.logProbabilities,
            layout: inputs.layout, settings: correction)
        corrected.policyMask = measured.mask
        corrected.rolloutWeights = loss == .reinforce ? measured.weights : nil
    }
    let mode = loss == .reinforce ? reinforceMode : .vanilla
    return try policyLoss(corrected, settings: settings.replacingMode(mode), counts: counts)
}

/// -w A log p, which has no name of its own among verl's losses.
private let reinforceMode = PolicyLossMode("reinforce") { inputs, settings in
    var result = gpgLosses(inputs, settings)
    var divergence = 0.0
    inputs.forEachUnmaskedToken { divergence -= $0.logRatio }
    result.indicators = ["actor/ppo_kl": divergence]
    return result
}
