extension PolicyLossMode {
    /// PPO's clipped surrogate with a dual clip: https://arxiv.org/abs/1707.06347 and
    /// https://arxiv.org/abs/1912.09729.
    package static let vanilla = PolicyLossMode("vanilla", tokenLosses: vanillaLosses)
}

/// max(-A r, -A clip(r, 1 - low, 1 + high)), and where A < 0 at most -A c; r is the ratio.
func vanillaLosses(_ inputs: PolicyLossInputs, _ settings: PolicyLossSettings) -> TokenLosses {
    var result = TokenLosses(tokenCount: inputs.layout.tokenCount)
    var (clipped, clippedLower, divergence) = (0.0, 0.0, 0.0)
    inputs.forEachUnmaskedToken { token in
        let ratio = exponential(token.clampedLogRatio)
        let plain = -token.advantage * ratio
        let bounded = -token.advantage * ratio.clamped(1 - settings.clipLow, 1 + settings.clipHigh)
        var (loss, derivative) = (plain, plain * token.clampPasses)
        if bounded > plain {
            (loss, derivative) = (bounded, 0)
            clipped += 1
        }
        let ceiling = -token.advantage * settings.clipC
        if token.advantage < 0, loss > ceiling {
            (loss, derivative) = (ceiling, 0)
            clippedLower += 1
        }
        divergence -= token.clampedLogRatio
        result.losses[token.index] = token.rolloutWeight * loss
        result.derivatives[token.index] = token.rolloutWeight * derivative
    }
    result.indicators = [
        "actor/pg_clipfrac": clipped, "actor/pg_clipfrac_lower": clippedLower,
        "actor/ppo_kl": divergence,
    ]
    return result
}
