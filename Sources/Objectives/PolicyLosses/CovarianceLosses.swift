extension PolicyLossMode {
    /// PPO that takes some tokens of high covariance out: Clip-Cov, https://arxiv.org/abs/2505.22617.
    package static let clipCovariance = PolicyLossMode(
        "clip_cov", dependsOnMicroBatch: true, tokenLosses: clipCovLosses)
    /// Policy gradient that holds back tokens of the highest covariance: KL-Cov, same paper.
    package static let klCovariance = PolicyLossMode(
        "kl_cov", dependsOnMicroBatch: true, tokenLosses: klCovLosses)
}

/// The clipped surrogate, 0 for tokens chosen at random among those of high covariance.
///
/// The covariance of a token is (A - mean A) (log p - mean log p). Of the tokens that the clip leaves
/// alone and whose covariance is between the bounds, max(1, ratio N) are taken out, chosen by
/// `selectionSeed`. Means, N and choice are those of the micro-batch, as in verl, so that another
/// split makes another choice.
func clipCovLosses(_ inputs: PolicyLossInputs, _ settings: PolicyLossSettings) -> TokenLosses {
    var result = TokenLosses(tokenCount: inputs.layout.tokenCount)
    let (constants, covariances) = (settings.constants, inputs.tokenCovariances())
    var candidates: [Int] = []
    var divergence = 0.0
    inputs.forEachUnmaskedToken { token in
        let ratio = exponential(token.logRatio)
        let plain = -token.advantage * ratio
        let bounded = -token.advantage * ratio.clamped(1 - settings.clipLow, 1 + settings.clipHigh)
        let isClipped = bounded > plain
        divergence -= token.logRatio
        result.losses[token.index] = token.rolloutWeight * max(plain, bounded)
        result.derivatives[token.index] = isClipped ? 0 : token.rolloutWeight * plain
        let covariance = covariances[token.index]
        if !isClipped, covariance > constants.clipCovLowerBound,
            covariance < constants.clipCovUpperBound
        {
            candidates.append(token.index)
        }
    }
    let count = max(Int(constants.clipCovRatio * Double(inputs.layout.unmaskedTokenCount)), 1)
    let order = candidates.sorted {
        counterBits(inputs.selectionSeed, $0) < counterBits(inputs.selectionSeed, $1)
    }
    for token in order.prefix(count) {
        (result.losses[token], result.derivatives[token]) = (0, 0)
    }
    result.indicators = [
        "actor/pg_clipfrac": Double(min(count, order.count)), "actor/ppo_kl": divergence,
    ]
    return result
}

/// -A r, plus `ppo_kl_coef` |log r| for the max(1, ratio N) tokens of the highest covariance.
///
/// The tokens are chosen within the micro-batch, as in verl; see `clipCovLosses`.
func klCovLosses(_ inputs: PolicyLossInputs, _ settings: PolicyLossSettings) -> TokenLosses {
    var result = TokenLosses(tokenCount: inputs.layout.tokenCount)
    let covariances = inputs.tokenCovariances()
    let tokens = inputs.layout.unmaskedTokens
    let count = max(Int(settings.constants.klCovRatio * Double(tokens.count)), 1)
    // Of equal covariances the earlier token is chosen, so that the choice is always the same.
    let order = tokens.sorted {
        covariances[$0] != covariances[$1] ? covariances[$0] > covariances[$1] : $0 < $1
    }
    let chosen = Set(order.prefix(count))
    var divergence = 0.0
    inputs.forEachUnmaskedToken { token in
        var loss = -token.advantage * exponential(token.logRatio)
        var derivative = loss
        if chosen.contains(token.index) {
            let sign = token.logRatio > 0 ? 1.0 : (token.logRatio < 0 ? -1 : 0)
            loss += settings.constants.klCovCoefficient * abs(token.logRatio)
            derivative += settings.constants.klCovCoefficient * sign
        }
        divergence += abs(token.logRatio)
        result.losses[token.index] = token.rolloutWeight * loss
        result.derivatives[token.index] = token.rolloutWeight * derivative
    }
    result.indicators = ["actor/ppo_kl": divergence]
    return result
}

extension PolicyLossInputs {
    /// (A - mean A) (log p - mean log p) of each token, `[T]`; 0 where masked.
    fileprivate func tokenCovariances() -> [Double] {
        var (count, advantageSum, logProbabilitySum) = (0.0, 0.0, 0.0)
        forEachUnmaskedToken { token in
            count += 1
            advantageSum += token.advantage
            logProbabilitySum += token.logProbability
        }
        var covariances = [Double](repeating: 0, count: layout.tokenCount)
        forEachUnmaskedToken { token in
            covariances[token.index] =
                (token.advantage - advantageSum / count)
                * (token.logProbability - logProbabilitySum / count)
        }
        return covariances
    }
}
