extension PolicyLossMode {
    /// Clipped importance-sampling policy optimisation (MiniMax-M1): https://arxiv.org/abs/2506.13585.
    package static let cispo = PolicyLossMode("cispo", tokenLosses: cispoLosses)
}

/// -clip(r, 1 - low, 1 + high) A log p, with the clipped ratio held constant.
///
/// Unlike PPO's clip this leaves no token without a gradient.
func cispoLosses(_ inputs: PolicyLossInputs, _ settings: PolicyLossSettings) -> TokenLosses {
    var result = TokenLosses(tokenCount: inputs.layout.tokenCount)
    var (clipped, divergence) = (0.0, 0.0)
    inputs.forEachUnmaskedToken { token in
        let ratio = exponential(token.clampedLogRatio)
        let bounded = ratio.clamped(1 - settings.clipLow, 1 + settings.clipHigh)
        if ratio != bounded { clipped += 1 }
        divergence -= token.clampedLogRatio
        let weight = -bounded * token.advantage * token.rolloutWeight
        result.losses[token.index] = weight * token.logProbability
        result.derivatives[token.index] = weight
    }
    result.indicators = [
        "actor/pg_clipfrac": clipped, "actor/pg_clipfrac_lower": 0, "actor/ppo_kl": divergence,
    ]
    return result
}
