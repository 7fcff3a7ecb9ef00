extension PolicyLossMode {
    /// Divergence PPO with the binary total variation: https://arxiv.org/abs/2602.04879.
    package static let dppoTotalVariation = PolicyLossMode("dppo_tv") { inputs, settings in
        dppoLosses(inputs, settings, trusts: totalVariationTrusts)
    }
    /// Divergence PPO with the binary KL: same paper.
    package static let dppoKL = PolicyLossMode("dppo_kl") { inputs, settings in
        dppoLosses(inputs, settings, trusts: binaryKLTrusts)
    }
}

/// -A min(r, c) log p for the tokens that are trusted, 0 for the others; min(r, c) held constant.
///
/// A token is not trusted once the policy has moved further than `clip_ratio_high` (where A > 0) or
/// `clip_ratio_low` (elsewhere) in the direction in which A pushes it; these bound a divergence here,
/// not a ratio. c is `clip_ratio_c`.
private func dppoLosses(
    _ inputs: PolicyLossInputs, _ settings: PolicyLossSettings,
    trusts: (PolicyToken, PolicyLossSettings) -> Bool
) -> TokenLosses {
    var result = TokenLosses(tokenCount: inputs.layout.tokenCount)
    var (dropped, truncated, divergence) = (0.0, 0.0, 0.0)
    inputs.forEachUnmaskedToken { token in
        divergence -= token.clampedLogRatio
        guard trusts(token, settings) else {
            dropped += 1
            return
        }
        let ratio = exponential(token.clampedLogRatio)
        if ratio > settings.clipC { truncated += 1 }
        let weight = -token.advantage * min(ratio, settings.clipC) * token.rolloutWeight
        result.losses[token.index] = weight * token.logProbability
        result.derivatives[token.index] = weight
    }
    result.indicators = [
        "actor/pg_clipfrac": dropped, "actor/pg_clipfrac_lower": truncated,
        "actor/ppo_kl": divergence,
    ]
    return result
}

/// Whether p - p_old, the signed total variation of "this token or another", is within its bound.
private func totalVariationTrusts(_ token: PolicyToken, _ settings: PolicyLossSettings) -> Bool {
    let change = exponential(token.logProbability) - exponential(token.oldLogProbability)
    return token.advantage > 0 ? change <= settings.clipHigh : change >= -settings.clipLow
}

/// Whether KL(old || new) of "this token or another" is within its bound, or p moved the other way.
private func binaryKLTrusts(_ token: PolicyToken, _ settings: PolicyLossSettings) -> Bool {
    let new = exponential(token.logProbability)
    let old = exponential(token.oldLogProbability)
    let others = naturalLogarithm((1 - old + 1e-8) / (1 - new + 1e-8))
    let divergence = -old * token.logRatio + (1 - old) * others
    return token.advantage > 0
        ? divergence <= settings.clipHigh || new <= old
        : divergence <= settings.clipLow || new >= old
}
