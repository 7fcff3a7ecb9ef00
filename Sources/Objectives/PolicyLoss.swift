/// What the actor's loss is computed from: one micro-batch, per token of its layout.
package struct PolicyLossInputs: Sendable {
    /// Where the sequences lie, and which tokens count.
    package var layout: ResponseLayout
    /// log-probabilities under the policy being trained, `[T]`.
    package var logProbabilities: [Float]
    /// log-probabilities under the policy that ratios are taken against, `[T]`.
    package var oldLogProbabilities: [Float]
    /// Advantages, `[T]`.
    package var advantages: [Float]
    /// Entropies of the policy's next-token distribution, `[T]`; nil when they are not wanted.
    package var entropies: [Float]?
    /// log-probabilities under the reference, `[T]`; needed with `use_kl_loss`.
    package var referenceLogProbabilities: [Float]?
    /// Importance weights of the rollout correction, `[T]`, constants to the derivative.
    package var rolloutWeights: [Float]?
    /// The mask of the policy term where it is narrower than the layout's (a rejection), `[T]`.
    package var policyMask: [Float]?
    /// Seed of the losses that choose tokens at random (`clip_cov`).
    package var selectionSeed: UInt64

    /// Inputs of one micro-batch.
    package init(
        layout: ResponseLayout, logProbabilities: [Float], oldLogProbabilities: [Float],
        advantages: [Float], entropies: [Float]? = nil, referenceLogProbabilities: [Float]? = nil,
        rolloutWeights: [Float]? = nil, selectionSeed: UInt64 = 0
    ) {
        self.layout = layout
        self.logProbabilities = logProbabilities
        self.oldLogProbabilities = oldLogProbabilities
        self.advantages = advantages
        self.entropies = entropies
        self.referenceLogProbabilities = referenceLogProbabilities
        self.rolloutWeights = rolloutWeights
        self.selectionSeed = selectionSeed
    }
}

/// One micro-batch's contribution to the loss of its mini-batch; contributions add up.
package struct PolicyLossResult: Sendable {
    /// Policy loss - `entropy_coeff` * entropy + `kl_loss_coef` * KL.
    package var loss: Double
    /// Derivative of `loss` by each log-probability, `[T]`.
    package var logProbabilityDerivatives: [Float]
    /// Derivative of `loss` by each entropy, `[T]`; all 0 without an entropy bonus.
    package var entropyDerivatives: [Float]
    /// Contributions under verl's names, to be added up over the micro-batches: `actor/pg_loss`,
    /// `actor/kl_loss` (with `use_kl_loss`), `actor/entropy` (when entropies are given) and what the
    /// loss itself measures, such as `actor/pg_clipfrac`, `actor/pg_clipfrac_lower`, `actor/ppo_kl`.
    package var metrics: [String: Double]
}

/// The actor's loss on one micro-batch, and its derivatives.
///
/// - Parameters:
///   - inputs: what is known of each response token.
///   - settings: which loss, and its constants.
///   - counts: those of the whole mini-batch, so that micro-batches add up.
/// - Throws: when an input that the settings need is missing or of the wrong length.
package func policyLoss(
    _ inputs: PolicyLossInputs, settings: PolicyLossSettings, counts: GlobalCounts
) throws(ObjectiveError) -> PolicyLossResult {
    try inputs.validate()
    let (layout, mode) = (inputs.layout, settings.mode)
    let weights = try settings.aggregation.weights(
        layout, counts: counts, scaleFactor: settings.lossScaleFactor)
    let policyInputs = inputs.narrowed
    let policyWeights = try (mode.aggregation ?? settings.aggregation).weights(
        policyInputs.layout, counts: counts, scaleFactor: settings.lossScaleFactor)
    let tokenLosses = mode.tokenLosses(policyInputs, settings)

    var total = WeightedLoss(tokenCount: layout.tokenCount)
    var metrics = tokenLosses.indicators.mapValues { $0 / max(counts.tokens, 1) }
    metrics["actor/pg_loss"] = total.add(tokenLosses, weights: policyWeights)
    if settings.useKLLoss {
        let divergence = try klLosses(inputs, estimator: settings.klEstimator)
        metrics["actor/kl_loss"] = total.add(
            divergence, weights: weights, coefficient: settings.klCoefficient)
    }
    var entropyDerivatives = [Float](repeating: 0, count: layout.tokenCount)
    if let entropies = inputs.entropies {
        var entropy = 0.0
        for token in weights.indices where weights[token] != 0 {
            entropy += weights[token] * Double(entropies[token])
        }
        metrics["actor/entropy"] = entropy
        total.loss -= settings.entropyCoefficient * entropy
        entropyDerivatives = weights.map { Float(-settings.entropyCoefficient * $0) }
    } else if settings.entropyCoefficient != 0 {
        throw ObjectiveError("entropy_coeff is not 0, so the loss needs the tokens' entropies.")
    }
    return PolicyLossResult(
        loss: total.loss, logProbabilityDerivatives: total.derivatives.map { Float($0) },
        entropyDerivatives: entropyDerivatives, metrics: metrics)
}

/// Losses of single tokens with their derivatives by the log-probability, before aggregation.
struct TokenLosses {
    /// Loss of each token, `[T]`; whatever stands at masked tokens is not read.
    var losses: [Double]
    /// Derivative of the token's share of the loss by its log-probability, `[T]`.
    var derivatives: [Double]
    /// Metrics as sums over unmasked tokens; the caller divides by the mini-batch's tokens.
    var indicators: [String: Double] = [:]

    /// Room for every token of a layout, zeros.
    init(tokenCount: Int) {
        losses = [Double](repeating: 0, count: tokenCount)
        derivatives = losses
    }
}

/// A sum of aggregated token losses.
private struct WeightedLoss {
    var loss = 0.0
    var derivatives: [Double]

    init(tokenCount: Int) {
        derivatives = [Double](repeating: 0, count: tokenCount)
    }

    /// Adds `coefficient` times the aggregated losses, and returns these without the coefficient.
    mutating func add(
        _ tokens: TokenLosses, weights: [Double], coefficient: Double = 1
    ) -> Double {
        precondition(tokens.losses.count == weights.count)
        precondition(tokens.derivatives.count == weights.count)
        precondition(derivatives.count == weights.count)
        var sum = 0.0
        // A masked token may hold anything, even a NaN that its weight of 0 would not take away.
        for token in weights.indices where weights[token] != 0 {
            sum += weights[token] * tokens.losses[token]
            derivatives[token] += coefficient * weights[token] * tokens.derivatives[token]
        }
        loss += coefficient * sum
        return sum
    }
}

/// The KL to the reference at each token.
private func klLosses(
    _ inputs: PolicyLossInputs, estimator: KLEstimator
) throws(ObjectiveError) -> TokenLosses {
    guard let reference = inputs.referenceLogProbabilities else {
        throw ObjectiveError("use_kl_loss=True needs the reference's log-probabilities.")
    }
    var result = TokenLosses(tokenCount: inputs.layout.tokenCount)
    for token in reference.indices {
        (result.losses[token], result.derivatives[token]) = estimator.estimate(
            logProbability: Double(inputs.logProbabilities[token]),
            reference: Double(reference[token]))
    }
    return result
}

extension PolicyLossInputs {
    /// The same inputs with the policy term's own mask as the layout's.
    fileprivate var narrowed: PolicyLossInputs {
        guard let policyMask else { return self }
        var narrowed = self
        narrowed.layout = ResponseLayout(starts: layout.starts, mask: policyMask)
        return narrowed
    }

    /// - Throws: when an array has not one value a token.
    fileprivate func validate() throws(ObjectiveError) {
        let arrays: [(String, [Float]?)] = [
            ("log-probabilities", logProbabilities), ("old log-probabilities", oldLogProbabilities),
            ("advantages", advantages), ("entropies", entropies),
            ("reference log-probabilities", referenceLogProbabilities),
            ("rollout weights", rolloutWeights), ("values of the policy mask", policyMask),
        ]
        for (name, values) in arrays {
            guard let values, values.count != layout.tokenCount else { continue }
            throw ObjectiveError(
                "There are \(values.count) \(name) for \(layout.tokenCount) response tokens.")
        }
    }
}
