extension PolicyLossMode {
    /// Direct reward optimisation: https://arxiv.org/abs/2405.19107.
    package static let dro = PolicyLossMode("dro", tokenLosses: droLosses)
}

/// -(A log p - beta / 2 (log p - log p_old)^2): a quadratic leash instead of a clip (`dro_beta`).
func droLosses(_ inputs: PolicyLossInputs, _ settings: PolicyLossSettings) -> TokenLosses {
    let beta = settings.constants.droBeta
    var result = TokenLosses(tokenCount: inputs.layout.tokenCount)
    var divergence = 0.0
    inputs.forEachUnmaskedToken { token in
        let leash = beta / 2 * token.logRatio * token.logRatio
        let loss = leash - token.advantage * token.logProbability
        divergence -= token.logRatio
        result.losses[token.index] = token.rolloutWeight * loss
        result.derivatives[token.index] =
            token.rolloutWeight * (beta * token.logRatio - token.advantage)
    }
    result.indicators = ["actor/ppo_kl": divergence]
    return result
}
