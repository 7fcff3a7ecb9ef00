package import Objectives
import Settings

/// Whose log-probabilities the loss compares the policy with, and what is done where the rollout's
/// differ: the keys `algorithm.rollout_correction.*`.
package struct OldPolicySettings: Sendable {
    /// Where the old log-probabilities come from.
    package enum Source: Sendable {
        /// The rollout's own where they are the policy's, else a pass of their own.
        case automatic
        /// A pass of their own, before the first update (`bypass_mode=false`).
        case recomputed
        /// The rollout's, with the loss that verl has for that (`bypass_mode=true`).
        case rollout
    }

    package let source: Source
    /// Weights and rejections by the difference between rollout and training.
    package let correction: RolloutCorrectionSettings
    /// The loss of `bypass_mode=true`.
    package let bypassLoss: BypassLoss

    /// Whether anything is weighted or rejected.
    package var corrects: Bool { correction.weighting != nil || !correction.rejections.isEmpty }

    package init(
        source: Source, correction: RolloutCorrectionSettings? = nil,
        bypassLoss: BypassLoss = .ppoClip
    ) throws(ObjectiveError) {
        self.source = source
        if let correction {
            self.correction = correction
        } else {
            self.correction = try RolloutCorrectionSettings()
        }
        self.bypassLoss = bypassLoss
    }

    /// Reads `algorithm.rollout_correction.*`.
    ///
    /// - Parameter rolloutIsRounded: whether rollouts compute with rounded activations, so that
    ///   their log-probabilities are not the policy's and tokens are weighted unless set otherwise.
    ///   False as well where the distribution is cut: the ratio would be the kept mass.
    init(_ reader: SettingsReader, rolloutIsRounded: Bool = false) throws(SettingsError) {
        let bypass = try reader.optionalBool(
            "bypass_mode",
            "Compare the policy with the rollout's log-probabilities: true as verl's bypass mode,"
                + " false with log-probabilities computed anew, null whichever is exact and"
                + " cheaper.")
        source = bypass.map { $0 ? .rollout : .recomputed } ?? .automatic
        bypassLoss = try reader.choice(
            "loss_type", default: BypassLoss.ppoClip, "The policy loss of bypass mode.")
        if bypassLoss != .ppoClip, source != .rollout {
            throw reader.conflict(
                ["loss_type", "bypass_mode"], "the first is of bypass mode, so set the second true")
        }
        correction = try Self.correction(
            reader, weighsByDefault: rolloutIsRounded && source != .rollout)
        guard source == .rollout, bypassLoss == .ppoClip, correction.weighting != nil else {
            return
        }
        reader.note(
            "'\(reader.fullKey("rollout_is"))' has no effect with loss_type=ppo_clip in bypass"
                + " mode: its ratio is the importance weight already.")
    }

    private static func correction(
        _ reader: SettingsReader, weighsByDefault: Bool
    ) throws(SettingsError) -> RolloutCorrectionSettings {
        let words = "null, or token where rollout.activations=int8 and top_k, top_p cut nothing"
        let weighting = try reader.derived(words).optionalChoice(
            "rollout_is",
            default: weighsByDefault ? RolloutCorrectionSettings.Weighting.token.rawValue : nil,
            of: RolloutCorrectionSettings.Weighting.allCases.map(\.rawValue),
            "Weigh tokens by the ratio of the policy to the rollout, of the token or the sequence.")
        let threshold = try reader.double(
            "rollout_is_threshold", default: 2, in: .above(0), "The largest such weight.")
        let normalizes = try reader.bool(
            "rollout_is_batch_normalize", default: false, "Divide these weights by their mean.")
        if weighting == nil {
            reader.unusedIfSet(
                ["rollout_is_threshold", "rollout_is_batch_normalize"],
                because: "rollout_is is null, so nothing is weighed")
        }
        let rejections = try reader.optionalString(
            "rollout_rs",
            "Rules, parted by commas, that a token or sequence must pass to be learned from, such"
                + " as token_k1 or seq_mean_k3.")
        let thresholds = try reader.optionalString(
            "rollout_rs_threshold",
            "One threshold for all rules of rollout_rs, which need it, or one each, parted by"
                + " commas; LOWER_UPPER for k1.")
        if rejections == nil {
            reader.unusedIfSet(
                ["rollout_rs_threshold"], because: "rollout_rs is null, so nothing is rejected")
        } else if thresholds == nil {
            throw reader.conflict(
                ["rollout_rs", "rollout_rs_threshold"],
                "a rule needs a threshold, so set the second, such as 2.0 or 0.5_2.0")
        }
        do throws(ObjectiveError) {
            return try RolloutCorrectionSettings(
                weighting: weighting, weightThreshold: threshold, normalizesWeights: normalizes,
                rejections: rejections, rejectionThresholds: thresholds)
        } catch {
            throw SettingsError("'\(reader.prefix)': \(error)")
        }
    }
}
