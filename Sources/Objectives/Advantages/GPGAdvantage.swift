extension AdvantageEstimator {
    /// Group policy gradient: https://arxiv.org/abs/2504.02546.
    package static let gpg = AdvantageEstimator("gpg", estimate: gpgAdvantages)
}

/// alpha (R - mean of the group), where alpha is responses / responses with a score other than 0.
func gpgAdvantages(
    _ inputs: AdvantageInputs, _ settings: AdvantageSettings
) throws(ObjectiveError) -> AdvantageEstimates {
    let groups = OutcomeGroups(inputs)
    let scored = groups.scores.count { $0 != 0 }
    let alpha = Double(groups.scores.count) / Double(max(scored, 1))
    let values = try groups.map { sequences throws(ObjectiveError) in
        sequences.map { alpha * (groups.scores[$0] - groups.baseline(sequences)) }
    }
    return AdvantageEstimates(broadcasting: values, over: inputs.layout)
}
