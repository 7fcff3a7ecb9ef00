extension AdvantageEstimator {
    /// Group relative policy optimisation: https://arxiv.org/abs/2402.03300; without the deviation
    /// Dr. GRPO, https://arxiv.org/abs/2503.20783.
    package static let grpo = AdvantageEstimator("grpo", estimate: grpoAdvantages)
}

/// (R - mean) / (deviation + 1e-6) over each group, or R - mean; R itself in a group of one.
func grpoAdvantages(
    _ inputs: AdvantageInputs, _ settings: AdvantageSettings
) throws(ObjectiveError) -> AdvantageEstimates {
    let values = try groupNormalized(OutcomeGroups(inputs), settings)
    return AdvantageEstimates(broadcasting: values, over: inputs.layout)
}

/// The scores of a batch, each relative to its group, `[S]`.
func groupNormalized(
    _ groups: OutcomeGroups, _ settings: AdvantageSettings
) throws(ObjectiveError) -> [Double] {
    try groups.map { sequences throws(ObjectiveError) in
        let baseline = groups.baseline(sequences)
        let deviation = sequences.count == 1 ? 1 : groups.variance(sequences).squareRoot()
        let divisor = settings.normalizeByDeviation ? deviation + 1e-6 : 1
        return sequences.map { (groups.scores[$0] - baseline) / divisor }
    }
}
