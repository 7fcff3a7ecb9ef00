extension PolicyLossMode {
    /// Group sequence policy optimisation: https://arxiv.org/abs/2507.18071.
    package static let gspo = PolicyLossMode(
        "gspo", aggregation: .sequenceMeanTokenMean, tokenLosses: gspoLosses)
}

/// max(-A s, -A clip(s, 1 - low, 1 + high)), where s is the geometric mean of a sequence's ratios.
///
/// s is a constant to the derivative but for each token's own log-probability: ds/dlog p = s.
func gspoLosses(_ inputs: PolicyLossInputs, _ settings: PolicyLossSettings) -> TokenLosses {
    // Beyond this mean log-ratio s is constant, as in verl.
    let limit = 10.0
    let means = inputs.sequenceMeans(\.logRatio)
    var result = TokenLosses(tokenCount: inputs.layout.tokenCount)
    var (clipped, divergence) = (0.0, 0.0)
    inputs.forEachUnmaskedToken { token in
        let mean = means[token.sequence]
        let ratio = exponential(min(mean, limit))
        let plain = -token.advantage * ratio
        let bounded = -token.advantage * ratio.clamped(1 - settings.clipLow, 1 + settings.clipHigh)
        var (loss, derivative) = (plain, mean <= limit ? plain : 0)
        if bounded > plain {
            (loss, derivative) = (bounded, 0)
            clipped += 1
        }
        divergence -= token.logRatio
        result.losses[token.index] = token.rolloutWeight * loss
        result.derivatives[token.index] = token.rolloutWeight * derivative
    }
    result.indicators = [
        "actor/pg_clipfrac": clipped, "actor/pg_clipfrac_lower": 0, "actor/ppo_kl": divergence,
    ]
    return result
}
