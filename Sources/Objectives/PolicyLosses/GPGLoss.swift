extension PolicyLossMode {
    /// Group policy gradient: https://arxiv.org/abs/2504.02546.
    package static let gpg = PolicyLossMode("gpg", tokenLosses: gpgLosses)
}

/// -A log p: the plain policy gradient, without a ratio.
func gpgLosses(_ inputs: PolicyLossInputs, _ settings: PolicyLossSettings) -> TokenLosses {
    var result = TokenLosses(tokenCount: inputs.layout.tokenCount)
    inputs.forEachUnmaskedToken { token in
        let weight = -token.advantage * token.rolloutWeight
        result.losses[token.index] = weight * token.logProbability
        result.derivatives[token.index] = weight
    }
    return result
}
