extension AdvantageEstimator {
    /// Generalised advantage estimation: https://arxiv.org/abs/1506.02438.
    package static let gae = AdvantageEstimator(
        "gae", needs: [.values], estimate: generalizedAdvantages)
}

/// a_t = d_t + gamma lambda a_{t+1} with d_t = r_t + gamma V_{t+1} - V_t, whitened over the batch.
///
/// Masked tokens are stepped over: the next value and advantage are those after them. Returns are
/// a + V, not whitened.
func generalizedAdvantages(
    _ inputs: AdvantageInputs, _ settings: AdvantageSettings
) throws(ObjectiveError) -> AdvantageEstimates {
    let (layout, values, rewards) = (inputs.layout, inputs.values ?? [], inputs.rewards)
    var advantages = rewards
    var returns = rewards
    for sequence in 0..<layout.sequenceCount {
        var (nextValue, nextAdvantage) = (0.0, 0.0)
        for token in layout.tokens(of: sequence).reversed() {
            let value = Double(values[token])
            if layout.isUnmasked(token) {
                let error = rewards[token] + settings.discount * nextValue - value
                nextAdvantage = error + settings.discount * settings.lambda * nextAdvantage
                nextValue = value
            }
            advantages[token] = nextAdvantage
            returns[token] = nextAdvantage + value
        }
    }
    return AdvantageEstimates(
        advantages: try whitened(advantages, layout), returns: returns, layout)
}
