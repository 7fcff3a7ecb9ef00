import Objectives
import Settings

extension PolicyLossSettings {
    /// verl's name of the losses of bypass mode, which `rollout_correction.loss_type` chooses from.
    private static let bypassName = "bypass_mode"

    private static func modeName(_ reader: SettingsReader) throws(SettingsError) -> String {
        try reader.choice(
            "policy_loss.loss_mode", default: "vanilla",
            of: PolicyLossMode.all.map(\.name) + [bypassName], "The policy loss.")
    }

    /// Whether the loss is named as that of bypass mode.
    static func asksForBypass(_ reader: SettingsReader) throws(SettingsError) -> Bool {
        try modeName(reader) == bypassName
    }

    /// Reads the actor's loss from `actor_rollout_ref.actor.*`.
    init(_ reader: SettingsReader) throws(SettingsError) {
        let (low, high) = try Self.clipRanges(reader)
        let dual = try reader.double(
            "clip_ratio_c", default: 3, in: .above(1),
            "Bound of the ratio where the advantage is negative (dual clip).")
        let mode = try Self.modeName(reader)
        let aggregation = try reader.choice(
            "loss_agg_mode", default: LossAggregation.tokenMean, "How token losses become one.")
        let scale = try reader.optionalDouble(
            "loss_scale_factor", in: .above(0),
            "Divisor of seq-mean-token-sum-norm; null for data.max_response_length.")
        let entropy = try reader.double(
            "entropy_coeff", default: 0, "Weight of the entropy bonus in the loss.")
        let useKL = try reader.bool(
            "use_kl_loss", default: false, "Add the KL to the reference model to the loss.")
        let coefficient = try reader.double(
            "kl_loss_coef", default: 0.001, "Weight of the KL in the loss.")
        let estimator = try reader.choice(
            "kl_loss_type", default: "low_var_kl", of: KLEstimator.names,
            "How the KL is estimated from single tokens.")
        let constants = try Self.constants(reader)
        Self.noteUnused(reader, mode: mode, aggregation: aggregation, useKL: useKL)
        do throws(ObjectiveError) {
            try self.init(
                mode: mode == Self.bypassName ? .vanilla : PolicyLossMode(named: mode),
                clipLow: low, clipHigh: high, clipC: dual,
                aggregation: aggregation, lossScaleFactor: scale, entropyCoefficient: entropy,
                useKLLoss: useKL, klCoefficient: coefficient,
                klEstimator: KLEstimator(named: estimator), constants: constants)
        } catch {
            throw SettingsError("'\(reader.prefix)': \(error)")
        }
    }
}

extension PolicyLossSettings {
    /// The clip ranges below and above; `clip_ratio` is both, where they are not set.
    private static func clipRanges(_ reader: SettingsReader) throws(SettingsError)
        -> (low: Double, high: Double)
    {
        let both = try reader.double(
            "clip_ratio", default: 0.2, in: .atLeast(0),
            "Clip range of the ratio, where clip_ratio_low or _high is not set.")
        let low = try reader.optionalDouble(
            "clip_ratio_low", in: .atLeast(0),
            "Lower clip range of the ratio; null for clip_ratio.")
        let high = try reader.optionalDouble(
            "clip_ratio_high", in: .atLeast(0),
            "Upper clip range of the ratio; null for clip_ratio.")
        if let low, let high, both != 0.2, (low, high) != (both, both) {
            reader.unused(
                "clip_ratio", because: "clip_ratio_low and clip_ratio_high are both set")
        }
        return (low ?? both, high ?? both)
    }

    /// Says which keys belong to another loss, another aggregation or a KL that is off.
    private static func noteUnused(
        _ reader: SettingsReader, mode: String, aggregation: LossAggregation, useKL: Bool
    ) {
        if aggregation != .sequenceMeanTokenSumNorm {
            reader.unusedIfSet(
                ["loss_scale_factor"], because: "loss_agg_mode is \(aggregation.rawValue)")
        }
        if !useKL {
            reader.unusedIfSet(["kl_loss_coef", "kl_loss_type"], because: "use_kl_loss is false")
        }
        let keysOfLosses = [
            "sapo": ["tau_pos", "tau_neg"],
            "clip_cov": ["clip_cov_ratio", "clip_cov_lb", "clip_cov_ub"].map {
                "policy_loss.\($0)"
            },
            "kl_cov": ["policy_loss.kl_cov_ratio", "policy_loss.ppo_kl_coef"],
            "dro": ["policy_loss.dro_beta"],
        ]
        for (_, keys) in keysOfLosses.sorted(by: { $0.key < $1.key }).filter({ $0.key != mode }) {
            reader.unusedIfSet(keys, because: "policy_loss.loss_mode is \(mode)")
        }
    }

    /// The constants of single losses; their ranges are checked where the losses are defined.
    private static func constants(_ reader: SettingsReader) throws(SettingsError)
        -> PolicyLossConstants
    {
        var constants = PolicyLossConstants()
        constants.tauPositive = try reader.double(
            "tau_pos", default: constants.tauPositive, in: .above(0),
            "Temperature of sapo where the advantage is positive.")
        constants.tauNegative = try reader.double(
            "tau_neg", default: constants.tauNegative, in: .above(0),
            "Temperature of sapo where the advantage is negative.")
        let loss = reader.scope("policy_loss")
        constants.clipCovRatio = try loss.double(
            "clip_cov_ratio", default: constants.clipCovRatio, in: .above(0, upTo: 1),
            "Share of tokens that clip_cov takes out.")
        constants.clipCovLowerBound = try loss.double(
            "clip_cov_lb", default: constants.clipCovLowerBound,
            "Lowest covariance that clip_cov takes out.")
        constants.clipCovUpperBound = try loss.double(
            "clip_cov_ub", default: constants.clipCovUpperBound,
            "Highest covariance that clip_cov takes out.")
        constants.klCovRatio = try loss.double(
            "kl_cov_ratio", default: constants.klCovRatio, in: .above(0, upTo: 1),
            "Share of tokens that kl_cov penalises.")
        constants.klCovCoefficient = try loss.double(
            "ppo_kl_coef", default: constants.klCovCoefficient, in: .atLeast(0),
            "Weight of the penalty of kl_cov.")
        constants.droBeta =
            try loss.optionalDouble(
                "dro_beta", default: constants.droBeta, in: .above(0),
                "Weight of the quadratic term of dro; null for the default.") ?? constants.droBeta
        return constants
    }
}
