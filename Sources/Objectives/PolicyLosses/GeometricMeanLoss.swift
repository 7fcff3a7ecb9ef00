extension PolicyLossMode {
    /// Geometric-mean policy optimisation: https://arxiv.org/abs/2507.20673.
    package static let geometricMean = PolicyLossMode(
        "geo_mean", aggregation: .sequenceMeanTokenMean, tokenLosses: geometricMeanLosses)
}

/// -mean(A) exp(mean(c)) of each sequence, where c is its tokens' log-ratio, clipped.
///
/// The log-ratio is clipped to at most `high` where A > 0 and to at least -`low` where A < 0. Rollout
/// weights enter by their geometric mean. Every token carries its sequence's loss, so that the mean
/// over tokens and sequences is the mean over sequences, whatever `loss_agg_mode` says.
func geometricMeanLosses(
    _ inputs: PolicyLossInputs, _ settings: PolicyLossSettings
) -> TokenLosses {
    let exponents = inputs.sequenceMeans { oneSidedLogRatio($0, settings).value }
    let advantages = inputs.sequenceMeans(\.advantage)
    let logWeights = inputs.sequenceMeans { naturalLogarithm($0.rolloutWeight + 1e-10) }
    var result = TokenLosses(tokenCount: inputs.layout.tokenCount)
    var (clipped, clippedLower, divergence) = (0.0, 0.0, 0.0)
    inputs.forEachUnmaskedToken { token in
        let sequence = token.sequence
        let weight = inputs.rolloutWeights == nil ? 1 : exponential(logWeights[sequence])
        let loss = -advantages[sequence] * exponential(exponents[sequence]) * weight
        result.losses[token.index] = loss
        result.derivatives[token.index] = oneSidedLogRatio(token, settings).passes ? loss : 0
        divergence -= token.logRatio
        if token.logRatio != token.logRatio.clamped(-settings.clipLow, settings.clipHigh) {
            clipped += token.advantage > 0 ? 1 : 0
            clippedLower += token.advantage < 0 ? 1 : 0
        }
    }
    result.indicators = [
        "actor/pg_clipfrac": clipped, "actor/pg_clipfrac_lower": clippedLower,
        "actor/ppo_kl": divergence,
    ]
    return result
}

/// The log-ratio, clipped on the side towards which the advantage pushes, and whether it is its own.
private func oneSidedLogRatio(
    _ token: PolicyToken, _ settings: PolicyLossSettings
) -> (value: Double, passes: Bool) {
    // Without an advantage there is no side; verl takes such a token's log-ratio for 0.
    if token.advantage == 0 { return (0, false) }
    if token.advantage > 0 {
        return (min(token.logRatio, settings.clipHigh), token.logRatio <= settings.clipHigh)
    }
    return (max(token.logRatio, -settings.clipLow), token.logRatio >= -settings.clipLow)
}
