/// What the actor's loss is made of; the defaults are verl's.
package struct PolicyLossSettings: Sendable {
    /// Which policy loss (`policy_loss.loss_mode`).
    package private(set) var mode: PolicyLossMode
    /// Lower clip range of the ratio (`clip_ratio_low`).
    package let clipLow: Double
    /// Upper clip range of the ratio (`clip_ratio_high`).
    package let clipHigh: Double
    /// Bound of the dual clip (`clip_ratio_c`), above 1; https://arxiv.org/abs/1912.09729.
    package let clipC: Double
    /// How token losses become one (`loss_agg_mode`).
    package let aggregation: LossAggregation
    /// Divisor of `seq-mean-token-sum-norm` (`loss_scale_factor`); nil is the padded response length.
    package let lossScaleFactor: Double?
    /// Weight of the entropy bonus (`entropy_coeff`).
    package let entropyCoefficient: Double
    /// Whether the KL to the reference is part of the loss (`use_kl_loss`).
    package let useKLLoss: Bool
    /// Weight of that KL (`kl_loss_coef`).
    package let klCoefficient: Double
    /// Its estimator (`kl_loss_type`).
    package let klEstimator: KLEstimator
    /// Constants that single losses have of their own.
    package let constants: PolicyLossConstants

    /// Settings that are checked.
    ///
    /// - Throws: when a number is outside its range; the message names verl's key.
    package init(
        mode: PolicyLossMode = .vanilla, clipLow: Double = 0.2, clipHigh: Double = 0.2,
        clipC: Double = 3, aggregation: LossAggregation = .tokenMean,
        lossScaleFactor: Double? = nil,
        entropyCoefficient: Double = 0, useKLLoss: Bool = false, klCoefficient: Double = 0.001,
        klEstimator: KLEstimator = KLEstimator(.k3),
        constants: PolicyLossConstants = PolicyLossConstants()
    ) throws(ObjectiveError) {
        try checkSetting("clip_ratio_low", clipLow, "at least 0") { $0 >= 0 }
        try checkSetting("clip_ratio_high", clipHigh, "at least 0") { $0 >= 0 }
        try checkSetting("clip_ratio_c", clipC, "greater than 1") { $0 > 1 }
        try checkSetting("loss_scale_factor", lossScaleFactor ?? 1, "greater than 0") { $0 > 0 }
        try checkSetting("entropy_coeff", entropyCoefficient, "a finite number") { _ in true }
        try checkSetting("kl_loss_coef", klCoefficient, "a finite number") { _ in true }
        try constants.validate()
        self.mode = mode
        self.clipLow = clipLow
        self.clipHigh = clipHigh
        self.clipC = clipC
        self.aggregation = aggregation
        self.lossScaleFactor = lossScaleFactor
        self.entropyCoefficient = entropyCoefficient
        self.useKLLoss = useKLLoss
        self.klCoefficient = klCoefficient
        self.klEstimator = klEstimator
        self.constants = constants
    }

    /// The same settings for another policy loss.
    func replacingMode(_ mode: PolicyLossMode) -> PolicyLossSettings {
        var settings = self
        settings.mode = mode
        return settings
    }
}

/// Constants that belong to one policy loss each; the defaults are verl's.
package struct PolicyLossConstants: Sendable {
    /// Temperature of SAPO's gate where the advantage is positive (`tau_pos`).
    package var tauPositive = 1.0
    /// Temperature of SAPO's gate elsewhere (`tau_neg`).
    package var tauNegative = 1.05
    /// Share of tokens that `clip_cov` takes out (`policy_loss.clip_cov_ratio`).
    package var clipCovRatio = 0.0002
    /// Covariances above this may be taken out by `clip_cov` (`policy_loss.clip_cov_lb`).
    package var clipCovLowerBound = 1.0
    /// Covariances below this may be taken out by `clip_cov` (`policy_loss.clip_cov_ub`).
    package var clipCovUpperBound = 5.0
    /// Share of tokens that `kl_cov` penalises (`policy_loss.kl_cov_ratio`).
    package var klCovRatio = 0.0002
    /// Weight of the penalty of `kl_cov` (`policy_loss.ppo_kl_coef`).
    package var klCovCoefficient = 0.1
    /// Weight of the quadratic term of `dro` (`policy_loss.dro_beta`).
    package var droBeta = 0.1

    /// verl's defaults, to be changed property by property.
    package init() {}

    /// - Throws: when a constant is outside its range; the message names verl's key.
    func validate() throws(ObjectiveError) {
        try checkSetting("tau_pos", tauPositive, "greater than 0") { $0 > 0 }
        try checkSetting("tau_neg", tauNegative, "greater than 0") { $0 > 0 }
        let share = "greater than 0 and at most 1"
        try checkSetting("policy_loss.clip_cov_ratio", clipCovRatio, share) { $0 > 0 && $0 <= 1 }
        try checkSetting("policy_loss.clip_cov_lb", clipCovLowerBound, "a finite number") { _ in
            true
        }
        let aboveLower = "greater than clip_cov_lb=\(clipCovLowerBound)"
        try checkSetting("policy_loss.clip_cov_ub", clipCovUpperBound, aboveLower) {
            $0 > clipCovLowerBound
        }
        try checkSetting("policy_loss.kl_cov_ratio", klCovRatio, share) { $0 > 0 && $0 <= 1 }
        try checkSetting("policy_loss.ppo_kl_coef", klCovCoefficient, "at least 0") { $0 >= 0 }
        try checkSetting("policy_loss.dro_beta", droBeta, "greater than 0") { $0 > 0 }
    }
}
