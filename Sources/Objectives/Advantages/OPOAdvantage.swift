extension AdvantageEstimator {
    /// On-policy RL with the optimal baseline: https://arxiv.org/abs/2505.23585.
    package static let opo = AdvantageEstimator("opo", estimate: opoAdvantages)
}

/// R - sum(length R) / sum(length) over the group; R itself in a group of one or of empty responses.
func opoAdvantages(
    _ inputs: AdvantageInputs, _ settings: AdvantageSettings
) throws(ObjectiveError) -> AdvantageEstimates {
    let groups = OutcomeGroups(inputs)
    let lengths = inputs.layout.unmaskedCounts.map(Double.init)
    let values = try groups.map { sequences throws(ObjectiveError) in
        let total = sequences.reduce(0.0) { $0 + lengths[$1] }
        let weighted = sequences.reduce(0.0) { $0 + lengths[$1] * groups.scores[$1] }
        let baseline = sequences.count == 1 || total == 0 ? 0 : weighted / total
        return sequences.map { groups.scores[$0] - baseline }
    }
    return AdvantageEstimates(broadcasting: values, over: inputs.layout)
}
