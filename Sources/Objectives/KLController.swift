/// The coefficient of a KL penalty in the reward, and how it follows the KL that was measured.
package struct KLController: Sendable {
    /// How the coefficient changes (`algorithm.kl_ctrl.type`).
    package enum Rule: Sendable, Equatable {
        /// Never.
        case fixed
        /// Towards a target KL: https://arxiv.org/abs/1909.08593.
        case adaptive(target: Double, horizon: Double)
    }

    /// The coefficient now (`algorithm.kl_ctrl.kl_coef` at first).
    package private(set) var coefficient: Double
    /// How it changes.
    package let rule: Rule

    /// A controller that is checked.
    ///
    /// - Throws: when a number is outside its range; the message names verl's key.
    package init(coefficient: Double, rule: Rule = .fixed) throws(ObjectiveError) {
        try checkSetting("algorithm.kl_ctrl.kl_coef", coefficient, "at least 0") { $0 >= 0 }
        if case .adaptive(let target, let horizon) = rule {
            try checkSetting("algorithm.kl_ctrl.target_kl", target, "greater than 0") { $0 > 0 }
            try checkSetting("algorithm.kl_ctrl.horizon", horizon, "greater than 0") { $0 > 0 }
        }
        self.coefficient = coefficient
        self.rule = rule
    }

    /// Every name that `rule(named:target:horizon:)` knows.
    package static let names = ["fixed", "adaptive"]

    /// The rule of a name of verl's.
    ///
    /// - Throws: when there is none of this name.
    package static func rule(
        named name: String, target: Double, horizon: Double
    ) throws(ObjectiveError) -> Rule {
        switch name {
        case "fixed": return .fixed
        case "adaptive": return .adaptive(target: target, horizon: horizon)
        default:
            throw .unknown("KL controller (algorithm.kl_ctrl.type)", name, known: names)
        }
    }

    /// Follows the KL of one batch: coefficient *= 1 + clip(KL / target - 1, +-0.2) S / horizon.
    ///
    /// - Parameters:
    ///   - divergence: the batch's KL, in nats a token.
    ///   - sequences: S, the sequences of the batch.
    package mutating func update(divergence: Double, sequences: Int) {
        guard case .adaptive(let target, let horizon) = rule else { return }
        let error = (divergence / target - 1).clamped(-0.2, 0.2)
        coefficient *= 1 + error * Double(sequences) / horizon
    }
}

/// Rewards less the KL to the reference, and the KL itself.
package struct PenalizedRewards: Sendable {
    /// Reward of each token, `[T]`; 0 where masked.
    package var tokenRewards: [Float]
    /// Mean over sequences of the mean KL over their tokens (`actor/reward_kl_penalty`).
    package var divergence: Double
}

/// r_t - coefficient KL_t, with each score on the last unmasked token of its sequence
/// (`algorithm.use_kl_in_reward`).
///
/// - Parameters:
///   - inputs: scores or token rewards of the batch.
///   - logProbabilities: under the policy that sampled, `[T]`.
///   - reference: under the reference, `[T]`.
///   - estimator: `algorithm.kl_penalty`.
/// - Throws: when there is not one log-probability a token.
package func rewardsWithKLPenalty(
    _ inputs: AdvantageInputs, logProbabilities: [Float], reference: [Float],
    estimator: KLEstimator, coefficient: Double
) throws(ObjectiveError) -> PenalizedRewards {
    let layout = inputs.layout
    guard logProbabilities.count == layout.tokenCount, reference.count == layout.tokenCount else {
        throw ObjectiveError(
            "There are \(logProbabilities.count) log-probabilities and \(reference.count) of the "
                + "reference for \(layout.tokenCount) response tokens.")
    }
    var rewards = inputs.rewards
    var divergence = 0.0
    for sequence in 0..<layout.sequenceCount {
        let length = Double(max(layout.unmaskedCounts[sequence], 1))
        for token in layout.tokens(of: sequence) where layout.isUnmasked(token) {
            let estimate = estimator.estimate(
                logProbability: Double(logProbabilities[token]),
                reference: Double(reference[token])
            ).value
            rewards[token] -= coefficient * estimate
            divergence += estimate / length
        }
    }
    return PenalizedRewards(
        tokenRewards: rewards.map { Float($0) },
        divergence: divergence / Double(max(layout.sequenceCount, 1)))
}
