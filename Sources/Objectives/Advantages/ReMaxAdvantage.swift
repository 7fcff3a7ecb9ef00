extension AdvantageEstimator {
    /// ReMax: https://arxiv.org/abs/2310.10505.
    package static let remax = AdvantageEstimator(
        "remax", needs: [.greedyScores], estimate: remaxAdvantages)
}

/// The return of each token less the score of the greedy response to its prompt.
func remaxAdvantages(
    _ inputs: AdvantageInputs, _ settings: AdvantageSettings
) throws(ObjectiveError) -> AdvantageEstimates {
    let returns = inputs.returns()
    let baselines = inputs.layout.broadcast((inputs.greedyScores ?? []).map(Double.init))
    let advantages = zip(returns, baselines).map { $0 - $1 }
    return AdvantageEstimates(advantages: advantages, returns: returns, inputs.layout)
}
