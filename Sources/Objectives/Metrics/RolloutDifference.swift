/// How far apart the log-probabilities are that the rollout sampled with and that training computes.
///
/// With p the rollout's and q the actor's probability of each sampled token, over unmasked tokens:
/// the difference |p - q| (max, mean and deviation, verl's `training/rollout_probs_diff_*`), the
/// difference |log p - log q|, and Pearson's correlation of p and q
/// (https://arxiv.org/abs/2506.13585). Additive: merge the parts of a batch, then read the values.
package struct RolloutDifference: Sendable {
    private var count = 0.0
    private var probabilityMaximum = 0.0
    private var probabilitySum = 0.0
    private var probabilitySquares = 0.0
    private var logProbabilityMaximum = 0.0
    private var logProbabilitySum = 0.0
    private var correlation = Correlation()

    /// Nothing measured yet.
    package init() {}

    /// The difference over the unmasked tokens of one layout.
    ///
    /// - Parameters:
    ///   - rollout: log-probabilities under which tokens were sampled, `[T]`.
    ///   - actor: log-probabilities that training computed for the same tokens, `[T]`.
    package init(rollout: [Float], actor: [Float], layout: ResponseLayout) {
        precondition(rollout.count == layout.tokenCount && actor.count == layout.tokenCount)
        for token in rollout.indices where layout.isUnmasked(token) {
            add(rollout: Double(rollout[token]), actor: Double(actor[token]))
        }
    }

    /// Adds one token by its two log-probabilities.
    private mutating func add(rollout: Double, actor: Double) {
        let (p, q) = (exponential(rollout), exponential(actor))
        let difference = abs(p - q)
        // A NaN must come out, and max() would lose it.
        probabilityMaximum = larger(probabilityMaximum, difference)
        logProbabilityMaximum = larger(logProbabilityMaximum, abs(rollout - actor))
        probabilitySum += difference
        probabilitySquares += difference * difference
        logProbabilitySum += abs(rollout - actor)
        correlation.add(p, q)
        count += 1
    }

    /// Adds the measurements of another part of the batch.
    package mutating func merge(_ other: RolloutDifference) {
        count += other.count
        probabilityMaximum = larger(probabilityMaximum, other.probabilityMaximum)
        probabilitySum += other.probabilitySum
        probabilitySquares += other.probabilitySquares
        logProbabilityMaximum = larger(logProbabilityMaximum, other.logProbabilityMaximum)
        logProbabilitySum += other.logProbabilitySum
        correlation.merge(other.correlation)
    }

    /// The largest |log p - log q|, in nats; 0 when nothing was measured.
    package var maximumLogProbabilityDifference: Double { logProbabilityMaximum }

    /// The values under verl's names, and `training/rollout_log_probs_diff_max` and `_mean`.
    ///
    /// What is not defined is left out: everything without a token, the deviation of one token, the
    /// correlation of probabilities that do not vary.
    package var metrics: [String: Double] {
        guard count > 0 else { return ["training/rollout_probs_diff_valid": 0] }
        let mean = probabilitySum / count
        var metrics = [
            "training/rollout_probs_diff_valid": 1,
            "training/rollout_probs_diff_max": probabilityMaximum,
            "training/rollout_probs_diff_mean": mean,
            "training/rollout_log_probs_diff_max": logProbabilityMaximum,
            "training/rollout_log_probs_diff_mean": logProbabilitySum / count,
        ]
        if count > 1 {
            let variance = (probabilitySquares - count * mean * mean) / (count - 1)
            metrics["training/rollout_probs_diff_std"] = variance < 0 ? 0 : variance.squareRoot()
        }
        metrics["training/rollout_actor_probs_pearson_corr"] = correlation.pearson
        return metrics
    }
}

/// Running moments of pairs, for Pearson's correlation (Welford's update, Chan's merge).
package struct Correlation: Sendable {
    private var count = 0.0
    private var (meanX, meanY) = (0.0, 0.0)
    private var (squaresX, squaresY, products) = (0.0, 0.0, 0.0)

    /// No pair yet.
    package init() {}

    /// Adds one pair.
    package mutating func add(_ x: Double, _ y: Double) {
        count += 1
        let (offsetX, offsetY) = (x - meanX, y - meanY)
        meanX += offsetX / count
        meanY += offsetY / count
        squaresX += offsetX * (x - meanX)
        squaresY += offsetY * (y - meanY)
        products += offsetX * (y - meanY)
    }

    /// Adds the pairs of another.
    package mutating func merge(_ other: Correlation) {
        guard other.count > 0 else { return }
        let total = count + other.count
        let (offsetX, offsetY) = (other.meanX - meanX, other.meanY - meanY)
        let share = count * other.count / total
        squaresX += other.squaresX + offsetX * offsetX * share
        squaresY += other.squaresY + offsetY * offsetY * share
        products += other.products + offsetX * offsetY * share
        meanX += offsetX * other.count / total
        meanY += offsetY * other.count / total
        count = total
    }

    /// sum((x - mean x)(y - mean y)) / sqrt(sum((x - mean x)^2) sum((y - mean y)^2)), -1 to 1.
    ///
    /// nil for fewer than two pairs, or when one side does not vary.
    package var pearson: Double? {
        let scale = (squaresX * squaresY).squareRoot()
        guard count > 1, scale > 0 else { return nil }
        return (products / scale).clamped(-1, 1)
    }
}

/// The larger of two numbers, or NaN if one of them is.
private func larger(_ first: Double, _ second: Double) -> Double {
    first.isNaN || second.isNaN ? .nan : max(first, second)
}
