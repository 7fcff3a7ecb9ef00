extension AdvantageEstimator {
    /// Group relative policy optimisation: https://arxiv.org/abs/2402.03300; without the deviation
    /// Dr. GRPO, https://arxiv.org/abs/2503.20783.
    package static let grpo = AdvantageEstimator("grpo", estimate: grpoAdvantages)
}

/// (R - mean) / (deviation + 1e-6) over each group, or R - mean; R itself in a group of one.
func grpoAdvantages(
    _ inputs: AdvantageInputs, _ settings: AdvantageSettings
) throws(ObjectiveError) -> AdvantageEstimates {
    let groups = OutcomeGroups(inputs)
    let values = try groups.map { sequences throws(ObjectiveError) in
        let single = sequences.count == 1
        let mean = single ? 0 : groups.mean(sequences)
        let deviation = single ? 1 : groups.variance(sequences).squareRoot()
        let divisor = settings.normalizeByDeviation ? deviation + 1e-6 : 1
        return sequences.map { (groups.scores[$0] - mean) / divisor }
    }
    return AdvantageEstimates(broadcasting: values, over: inputs.layout)
}
