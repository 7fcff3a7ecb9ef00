/// Truncated importance weights, `[T]`, and their metrics (before truncation).
func rolloutWeights(
    _ logRatios: [Double], _ layout: ResponseLayout, _ settings: RolloutCorrectionSettings
) -> (weights: [Double], metrics: [String: Double]) {
    let limit = rolloutLogRatioLimit
    var exponents = logRatios
    if settings.weighting == .sequence {
        for sequence in 0..<layout.sequenceCount {
            let tokens = layout.tokens(of: sequence)
            let sum = tokens.filter(layout.isUnmasked).map { logRatios[$0] }.sum
            for token in tokens { exponents[token] = sum }
        }
    }
    var weights = exponents.indices.map {
        layout.isUnmasked($0) ? exponential(exponents[$0].clamped(-limit, limit)) : 0
    }
    var metrics = weightMetrics(weights, exponents, layout, settings)
    for token in weights.indices { weights[token] = min(weights[token], settings.weightThreshold) }
    if settings.normalizesWeights {
        let mean =
            settings.weighting == .sequence
            ? layout.mapSequences(weights, \.mean).mean : layout.unmaskedValues(weights).mean
        // Weights that all vanish stay as they are.
        let factor = mean > 1e-8 ? mean : 1
        for token in weights.indices { weights[token] /= factor }
        metrics["rollout_corr/rollout_is_batch_norm_factor"] = factor
    }
    return (weights, metrics)
}

/// How weights lie, under verl's names.
private func weightMetrics(
    _ weights: [Double], _ exponents: [Double], _ layout: ResponseLayout,
    _ settings: RolloutCorrectionSettings
) -> [String: Double] {
    let (high, low) = (settings.weightThreshold, 1 / settings.weightThreshold)
    let tokens = layout.unmaskedValues(weights)
    let sequences = layout.mapSequences(weights, \.mean)
    // Of a sequence's weight, each sequence counts once; of a token's, each token.
    let units = settings.weighting == .sequence ? sequences : tokens
    let bounded = tokens.map { $0.clamped(low, high) }
    let squares = bounded.map { ($0 / bounded.mean) * ($0 / bounded.mean) }
    let metrics: [String: Double] = [
        "max": units.max() ?? 0, "min": units.min() ?? 0, "mean": tokens.mean,
        "ratio_fraction_high": units.fraction { $0 > high },
        "ratio_fraction_low": units.fraction { $0 < low },
        "std": bounded.deviation, "eff_sample_size": 1 / squares.mean,
        "seq_mean": sequences.mean, "seq_std": sequences.sampleDeviation,
        "seq_max": sequences.max() ?? 0, "seq_min": sequences.min() ?? 0,
        "seq_max_deviation": sequences.map { abs($0 - 1) }.max() ?? 0,
        "seq_fraction_high": sequences.fraction { $0 > high },
        "seq_fraction_low": sequences.fraction { $0 < low },
    ]
    return prefixed(metrics, "rollout_corr/rollout_is_")
}

/// The same metrics with a prefix to their names.
func prefixed(_ metrics: [String: Double], _ prefix: String) -> [String: Double] {
    Dictionary(uniqueKeysWithValues: metrics.map { (prefix + $0.key, $0.value) })
}
