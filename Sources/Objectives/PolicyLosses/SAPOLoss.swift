extension PolicyLossMode {
    /// Soft adaptive policy optimisation: https://arxiv.org/abs/2511.20347.
    package static let sapo = PolicyLossMode(
        "sapo", aggregation: .sequenceMeanTokenMean, tokenLosses: sapoLosses)
}

/// -A sigmoid(tau (r - 1)) 4 / tau: a smooth gate where the clip is a step.
///
/// tau is `tau_pos` where the advantage is positive, and `tau_neg` elsewhere.
func sapoLosses(_ inputs: PolicyLossInputs, _ settings: PolicyLossSettings) -> TokenLosses {
    var result = TokenLosses(tokenCount: inputs.layout.tokenCount)
    var divergence = 0.0
    inputs.forEachUnmaskedToken { token in
        let constants = settings.constants
        let temperature = token.advantage > 0 ? constants.tauPositive : constants.tauNegative
        let ratio = exponential(token.clampedLogRatio)
        let gate = 1 / (1 + exponential(-temperature * (ratio - 1)))
        let loss = -token.advantage * gate * 4 / temperature
        let derivative = -token.advantage * 4 * gate * (1 - gate) * ratio * token.clampPasses
        divergence -= token.clampedLogRatio
        result.losses[token.index] = token.rolloutWeight * loss
        result.derivatives[token.index] = token.rolloutWeight * derivative
    }
    result.indicators = [
        "actor/pg_clipfrac": 0, "actor/pg_clipfrac_lower": 0, "actor/ppo_kl": divergence,
    ]
    return result
}
