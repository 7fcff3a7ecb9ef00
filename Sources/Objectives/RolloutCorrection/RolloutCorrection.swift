/// What is done about the difference between the policy that sampled and the one that is trained
/// (`algorithm.rollout_correction`).
package struct RolloutCorrectionSettings: Sendable {
    /// What an importance weight is the ratio of; raw values are verl's (`rollout_is`).
    package enum Weighting: String, CaseIterable, Sendable {
        /// Each token's probability.
        case token
        /// The whole sequence's probability; its tokens share the weight.
        case sequence
    }

    /// Whether and how tokens are weighted.
    package let weighting: Weighting?
    /// The largest weight (`rollout_is_threshold`).
    package let weightThreshold: Double
    /// Whether weights are divided by their mean (`rollout_is_batch_normalize`).
    package let normalizesWeights: Bool
    /// What tokens must pass to be learned from (`rollout_rs`).
    package let rejections: [RejectionRule]

    /// Settings that are checked, from the values of verl's keys.
    ///
    /// - Parameters:
    ///   - weighting: `rollout_is`: "token", "sequence" or nil.
    ///   - weightThreshold: `rollout_is_threshold`.
    ///   - normalizesWeights: `rollout_is_batch_normalize`.
    ///   - rejections: `rollout_rs`: rules parted by commas, or nil.
    ///   - rejectionThresholds: `rollout_rs_threshold`: one for all rules or one each, by commas.
    /// - Throws: when a name is unknown or a threshold missing, malformed or not positive.
    package init(
        weighting: String? = nil, weightThreshold: Double = 2, normalizesWeights: Bool = false,
        rejections: String? = nil, rejectionThresholds: String? = nil
    ) throws(ObjectiveError) {
        try checkSetting("rollout_is_threshold", weightThreshold, "greater than 0") { $0 > 0 }
        self.weighting = try weighting.map { name throws(ObjectiveError) in
            guard let known = Weighting(rawValue: name) else {
                let names = Weighting.allCases.map(\.rawValue)
                throw .unknown("rollout weight (rollout_is)", name, known: names)
            }
            return known
        }
        self.weightThreshold = weightThreshold
        self.normalizesWeights = normalizesWeights
        self.rejections =
            try rejections.map { names throws(ObjectiveError) in
                try RejectionRule.rules(named: names, thresholds: rejectionThresholds)
            } ?? []
    }
}

/// What a correction of a whole batch gives.
package struct RolloutCorrection: Sendable {
    /// Importance weights, `[T]`, 0 where masked; nil without weighting.
    package var weights: [Float]?
    /// The layout's mask without the rejected tokens, `[T]`.
    package var mask: [Float]
    /// Metrics of the batch under verl's names (`rollout_corr/...`); they do not add up over parts.
    package var metrics: [String: Double]
}

/// Importance weights and rejections of a whole batch, from two log-probabilities of each token.
///
/// With d = log old - log rollout: weights are min(exp(d), threshold), or with the sum of d over the
/// sequence. Empty sequences count in no metric.
///
/// - Parameters:
///   - rollout: under which tokens were sampled, `[T]`.
///   - old: what training computes for the same tokens before its first update, `[T]`.
/// - Throws: when there is not one value a token, or no token to learn from.
package func rolloutCorrection(
    rollout: [Float], old: [Float], layout: ResponseLayout, settings: RolloutCorrectionSettings
) throws(ObjectiveError) -> RolloutCorrection {
    guard rollout.count == layout.tokenCount, old.count == layout.tokenCount else {
        throw ObjectiveError(
            "There are \(rollout.count) rollout and \(old.count) old log-probabilities "
                + "for \(layout.tokenCount) response tokens.")
    }
    guard layout.unmaskedTokenCount > 0 else {
        throw ObjectiveError("A rollout correction needs at least 1 response token in the batch.")
    }
    let ratios = zip(old, rollout).map { Double($0) - Double($1) }
    var result = RolloutCorrection(
        mask: (0..<layout.tokenCount).map { layout.isUnmasked($0) ? 1 : 0 },
        metrics: offPolicyMetrics(rollout: rollout, old: old, layout: layout))
    if settings.weighting != nil {
        let weighted = rolloutWeights(ratios, layout, settings)
        result.weights = weighted.weights.map { Float($0) }
        result.metrics.merge(weighted.metrics) { $1 }
    }
    if !settings.rejections.isEmpty {
        let rejected = rejection(ratios, layout, settings.rejections)
        result.mask = rejected.mask
        result.metrics.merge(rejected.metrics) { $1 }
    }
    return result
}

/// The largest |log-ratio| that is exponentiated, as in verl.
let rolloutLogRatioLimit = 20.0
