extension AdvantageEstimator {
    /// GRPO that rewards the best of a group only, for pass@k: https://arxiv.org/abs/2503.19595.
    package static let grpoPassK = AdvantageEstimator(
        "grpo_passk", estimate: grpoPassKAdvantages)
}

/// (best - second best) / (deviation + 1e-6) for the best response of each group, 0 for the others.
func grpoPassKAdvantages(
    _ inputs: AdvantageInputs, _ settings: AdvantageSettings
) throws(ObjectiveError) -> AdvantageEstimates {
    let groups = OutcomeGroups(inputs)
    let values = try groups.map { sequences throws(ObjectiveError) in
        guard sequences.count > 1 else {
            throw ObjectiveError(
                "adv_estimator=grpo_passk needs at least 2 responses to each prompt "
                    + "(rollout.n), but a group has 1.")
        }
        let order = sequences.sorted { groups.scores[$0] > groups.scores[$1] }
        let deviation = groups.variance(sequences).squareRoot()
        let divisor = settings.normalizeByDeviation ? deviation + 1e-6 : 1
        let lead = (groups.scores[order[0]] - groups.scores[order[1]]) / divisor
        return sequences.map { $0 == order[0] ? lead : 0 }
    }
    return AdvantageEstimates(broadcasting: values, over: inputs.layout)
}
