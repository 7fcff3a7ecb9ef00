extension AdvantageEstimator {
    /// REINFORCE leave-one-out: https://arxiv.org/abs/2402.14740; a group of one keeps its score.
    package static let rloo = AdvantageEstimator("rloo") { inputs, _ throws(ObjectiveError) in
        try rlooAdvantages(inputs, single: { $0 })
    }
    /// The same, but a group of one has the advantage 0.
    package static let rlooVectorized = AdvantageEstimator("rloo_vectorized") {
        inputs, _ throws(ObjectiveError) in
        try rlooAdvantages(inputs, single: { _ in 0 })
    }
}

/// R - mean of the others' scores, which is n / (n - 1) (R - mean of the group).
private func rlooAdvantages(
    _ inputs: AdvantageInputs, single: (Double) -> Double
) throws(ObjectiveError) -> AdvantageEstimates {
    let groups = OutcomeGroups(inputs)
    let values = try groups.map { sequences throws(ObjectiveError) in
        if sequences.count == 1 { return [single(groups.scores[sequences[0]])] }
        let scale = Double(sequences.count) / Double(sequences.count - 1)
        return sequences.map { scale * (groups.scores[$0] - groups.mean(sequences)) }
    }
    return AdvantageEstimates(broadcasting: values, over: inputs.layout)
}
