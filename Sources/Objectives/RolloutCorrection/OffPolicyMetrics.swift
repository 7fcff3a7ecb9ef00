/// How far the policy that sampled is from the one that is trained, under verl's names.
///
/// With d = log old - log rollout: `kl` is mean(-d), `k3_kl` is mean(exp(d) - d - 1), perplexities are
/// means over sequences of exp(-mean log p), `chi2_token` is mean(exp(d)^2) - 1 and `chi2_seq` the
/// same of sums over sequences.
///
/// - Parameters:
///   - rollout: log-probabilities under which tokens were sampled, `[T]`.
///   - old: what training computes for the same tokens, `[T]`.
package func offPolicyMetrics(
    rollout: [Float], old: [Float], layout: ResponseLayout
) -> [String: Double] {
    precondition(rollout.count == layout.tokenCount && old.count == layout.tokenCount)
    let (sampled, trained) = (rollout.map(Double.init), old.map(Double.init))
    let ratios = zip(trained, sampled).map { $0 - $1 }
    let tokenRatios = layout.unmaskedValues(ratios)
    let training = layout.mapSequences(trained) { -$0.mean }
    let sampling = layout.mapSequences(sampled) { -$0.mean }
    let differences = zip(training, sampling).map { $0 - $1 }
    let limit = rolloutLogRatioLimit
    let sums = layout.mapSequences(ratios, \.sum)
    let metrics: [String: Double] = [
        "training_ppl": training.map(exponential).mean, "training_log_ppl": training.mean,
        "rollout_ppl": sampling.map(exponential).mean, "rollout_log_ppl": sampling.mean,
        "kl": -tokenRatios.mean, "k3_kl": tokenRatios.map { exponential($0) - $0 - 1 }.mean,
        "log_ppl_diff": differences.mean, "log_ppl_abs_diff": differences.map { abs($0) }.mean,
        "log_ppl_diff_max": differences.max() ?? 0, "log_ppl_diff_min": differences.min() ?? 0,
        "ppl_ratio": differences.map(exponential).mean,
        "chi2_token": tokenRatios.map { exponential(2 * $0.clamped(-limit, limit)) }.mean - 1,
        "chi2_seq": sums.map { exponential(2 * $0.clamped(-limit, limit)) }.mean - 1,
    ]
    return prefixed(metrics, "rollout_corr/")
}
