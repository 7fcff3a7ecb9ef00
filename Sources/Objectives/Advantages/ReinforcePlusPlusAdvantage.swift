extension AdvantageEstimator {
    /// REINFORCE++: https://arxiv.org/abs/2501.03262.
    package static let reinforcePlusPlus = AdvantageEstimator(
        "reinforce_plus_plus", estimate: reinforcePlusPlusAdvantages)
}

/// The discounted return of each token, whitened over the batch.
///
/// Where verl starts the return anew at each masked token, and so hides the reward from all turns but
/// the last, the return passes masked tokens here.
func reinforcePlusPlusAdvantages(
    _ inputs: AdvantageInputs, _ settings: AdvantageSettings
) throws(ObjectiveError) -> AdvantageEstimates {
    let returns = inputs.returns(discount: settings.discount)
    let advantages = try whitened(returns, inputs.layout)
    return AdvantageEstimates(advantages: advantages, returns: returns, inputs.layout)
}
