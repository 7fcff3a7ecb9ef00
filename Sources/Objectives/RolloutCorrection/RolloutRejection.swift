/// The mask without the tokens that fail any rule, `[T]`, and metrics.
func rejection(
    _ logRatios: [Double], _ layout: ResponseLayout, _ rules: [RejectionRule]
) -> (mask: [Float], metrics: [String: Double]) {
    var kept = (0..<layout.tokenCount).map(layout.isUnmasked)
    var metrics: [String: Double] = [:]
    for rule in rules {
        let values = rule.values(logRatios, layout)
        let passed = values.map(rule.passes)
        for token in kept.indices where !passed[token] { kept[token] = false }
        let measured = ruleMetrics(rule, values, layout)
            .merging(maskedShares(passed, layout)) { $1 }
        metrics.merge(prefixed(measured, "rollout_corr/rollout_rs_\(rule.name)_")) { $1 }
    }
    let total = maskedShares(kept, layout)
    metrics.merge(prefixed(total, "rollout_corr/rollout_rs_")) { $1 }
    return (kept.map { $0 ? 1 : 0 }, metrics)
}

extension RejectionRule {
    /// The value that decides about each token, `[T]`: its own, or its sequence's.
    fileprivate func values(_ logRatios: [Double], _ layout: ResponseLayout) -> [Double] {
        var values = logRatios.map(value)
        if scope == .token { return values }
        for sequence in 0..<layout.sequenceCount {
            let tokens = layout.tokens(of: sequence)
            let own = tokens.filter(layout.isUnmasked).map { values[$0] }
            let shared =
                switch scope {
                case .token, .sequenceSum: own.sum
                case .sequenceMean: own.mean
                case .sequenceMax: own.max() ?? 0
                }
            for token in tokens { values[token] = shared }
        }
        return values
    }
}

/// How the values of one rule lie, under verl's names.
private func ruleMetrics(
    _ rule: RejectionRule, _ values: [Double], _ layout: ResponseLayout
) -> [String: Double] {
    let tokens = layout.unmaskedValues(values)
    let sequences = layout.mapSequences(values, \.mean)
    let units = rule.scope == .token ? tokens : sequences
    let low = rule.lower ?? 0
    var metrics: [String: Double] = [
        "mean": tokens.mean, "max": units.max() ?? 0, "min": units.min() ?? 0,
        "fraction_high": units.fraction { $0 > rule.upper },
        "fraction_low": rule.lower == nil ? 0 : units.fraction { $0 < low },
        "std": tokens.map { $0.clamped(low, rule.upper) }.deviation,
        "seq_mean": sequences.mean, "seq_std": sequences.sampleDeviation,
        "seq_max": sequences.max() ?? 0, "seq_min": sequences.min() ?? 0,
        "seq_max_deviation": sequences.map { abs($0) }.max() ?? 0,
        "seq_fraction_high": sequences.fraction { $0 > rule.upper },
    ]
    if rule.lower != nil { metrics["seq_fraction_low"] = sequences.fraction { $0 < low } }
    return metrics
}

/// The share of tokens that are rejected, and of sequences that lose a token.
private func maskedShares(_ kept: [Bool], _ layout: ResponseLayout) -> [String: Double] {
    let rejected = kept.map { $0 ? 0.0 : 1 }
    return [
        "masked_fraction": layout.unmaskedValues(rejected).mean,
        "seq_masked_fraction": layout.mapSequences(rejected) { $0.max() ?? 0 }.mean,
    ]
}
