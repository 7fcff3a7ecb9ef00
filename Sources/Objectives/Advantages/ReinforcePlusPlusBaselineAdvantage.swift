extension AdvantageEstimator {
    /// REINFORCE++ with the group's mean as baseline: https://arxiv.org/abs/2501.03262.
    package static let reinforcePlusPlusBaseline = AdvantageEstimator(
        "reinforce_plus_plus_baseline", estimate: reinforcePlusPlusBaselineAdvantages)
}

/// R - mean of the group (0 for a group of one), whitened over the tokens of the batch.
func reinforcePlusPlusBaselineAdvantages(
    _ inputs: AdvantageInputs, _ settings: AdvantageSettings
) throws(ObjectiveError) -> AdvantageEstimates {
    let groups = OutcomeGroups(inputs)
    let values = try groups.map { sequences throws(ObjectiveError) in
        sequences.map { groups.scores[$0] - groups.baseline(sequences) }
    }
    let advantages = try whitened(inputs.layout.broadcast(values), inputs.layout)
    return AdvantageEstimates(advantages: advantages, returns: advantages, inputs.layout)
}
