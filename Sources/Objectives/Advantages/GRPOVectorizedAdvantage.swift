extension AdvantageEstimator {
    /// GRPO with a floor under the variance: https://arxiv.org/abs/2402.03300.
    package static let grpoVectorized = AdvantageEstimator(
        "grpo_vectorized", estimate: grpoVectorizedAdvantages)
}

/// (R - mean) / (sqrt(max(variance, 1e-6)) + 1e-6): as GRPO, but tiny deviations do not blow up.
func grpoVectorizedAdvantages(
    _ inputs: AdvantageInputs, _ settings: AdvantageSettings
) throws(ObjectiveError) -> AdvantageEstimates {
    let groups = OutcomeGroups(inputs)
    let values = try groups.map { sequences throws(ObjectiveError) in
        let baseline = groups.baseline(sequences)
        let variance = sequences.count == 1 ? 1 : max(groups.variance(sequences), 1e-6)
        let divisor = settings.normalizeByDeviation ? variance.squareRoot() + 1e-6 : 1
        return sequences.map { (groups.scores[$0] - baseline) / divisor }
    }
    return AdvantageEstimates(broadcasting: values, over: inputs.layout)
}
