extension AdvantageEstimator {
    /// Group reward-decoupled normalisation, for several rewards: https://arxiv.org/abs/2601.05242.
    package static let gdpo = AdvantageEstimator(
        "gdpo", needs: [.rewardComponents], estimate: gdpoAdvantages)
}

/// The weighted sum of each reward's own GRPO advantages, whitened over the tokens of the batch.
///
/// Normalising before summing keeps a reward of large variance from drowning the others.
func gdpoAdvantages(
    _ inputs: AdvantageInputs, _ settings: AdvantageSettings
) throws(ObjectiveError) -> AdvantageEstimates {
    let components = inputs.rewardComponents ?? []
    let weights = settings.rewardWeights ?? components.map { _ in 1 }
    guard weights.count == components.count else {
        throw ObjectiveError(
            "algorithm.gdpo_reward_weights has \(weights.count) weights "
                + "for \(components.count) rewards.")
    }
    var sums = [Double](repeating: 0, count: inputs.layout.sequenceCount)
    for (weight, component) in zip(weights, components) {
        let groups = OutcomeGroups(scores: component.map(Double.init), groups: inputs.groups)
        for (sequence, value) in try groupNormalized(groups, settings).enumerated() {
            sums[sequence] += weight * value
        }
    }
    let advantages = try whitened(inputs.layout.broadcast(sums), inputs.layout)
    return AdvantageEstimates(advantages: advantages, returns: advantages, inputs.layout)
}
