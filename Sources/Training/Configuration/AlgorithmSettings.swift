package import Objectives
import Settings

/// How rewards become advantages: the keys `algorithm.*`.
package struct AlgorithmSettings: Sendable {
    /// Gives each response token its advantage.
    package let estimator: AdvantageEstimator
    /// The estimator's constants.
    package let advantage: AdvantageSettings
    /// Whether the log-probabilities of the rollout stand for the old ones of the loss
    /// (`rollout_correction.bypass_mode`); otherwise they are computed anew before the update.
    package let usesRolloutLogProbabilities: Bool

    /// Reads `algorithm.*`.
    init(_ reader: SettingsReader) throws(SettingsError) {
        estimator = try Self.estimator(reader)
        var advantage = AdvantageSettings()
        advantage.normalizeByDeviation = try reader.bool(
            "norm_adv_by_std_in_grpo", default: true,
            "Divide a group's advantages by the deviation of its rewards.")
        advantage.discount = try reader.double(
            "gamma", default: 1, in: .between(0, 1), "Discount of later rewards.")
        advantage.lambda = try reader.double(
            "lam", default: 1, in: .between(0, 1), "Mix of gae between bootstrap and return.")
        self.advantage = advantage
        usesRolloutLogProbabilities = try reader.bool(
            "rollout_correction.bypass_mode", default: true,
            "Take the rollout's log-probabilities as the old ones; false computes them anew.")
        try Self.declareOthers(reader)
    }

    private static func estimator(_ reader: SettingsReader) throws(SettingsError)
        -> AdvantageEstimator
    {
        let key = "adv_estimator"
        let name = try reader.string(key, default: "gae", "How rewards become advantages.")
        let known = AdvantageEstimator.all.first { $0.name == name }
        if let known, known.needs.isEmpty { return known }
        let usable = AdvantageEstimator.all.filter(\.needs.isEmpty).map(\.name)
        let choice = "set \(reader.fullKey(key)) to one of " + usable.joined(separator: ", ")
        guard let need = known?.needs.first else {
            throw reader.invalid(key, "there is no such estimator: \(choice)")
        }
        let reason = need == .values ? "a critic, which is not there yet" : need.rawValue
        throw reader.invalid(key, "it needs \(reason): \(choice)")
    }

    private static func declareOthers(_ reader: SettingsReader) throws(SettingsError) {
        try reader.unsupported(
            "use_kl_in_reward", allowed: [false],
            because: "put the KL into the loss with actor_rollout_ref.actor.use_kl_loss=true")
        reader.ignored(
            ["kl_penalty", "kl_ctrl"], because: "the KL is in the loss, not in the reward")
        try reader.unsupported(
            "use_pf_ppo", allowed: [false], because: "batches are not resampled")
        reader.ignored("pf_ppo", because: "batches are not resampled")
        try reader.unsupported(
            "filter_groups.enable", allowed: [false], because: "groups are not filtered yet")
        reader.ignored("filter_groups", because: "groups are not filtered yet")
        let correction = reader.scope("rollout_correction")
        let exact = "rollouts and training share their kernels, so there is nothing to correct"
        for key in ["rollout_is", "rollout_rs"] {
            try correction.unsupported(key, allowed: [nil], because: exact)
        }
        try correction.unsupported("loss_type", allowed: ["ppo_clip"], because: exact)
        correction.ignored(
            ["rollout_is_threshold", "rollout_is_batch_normalize", "rollout_rs_threshold"],
            because: exact)
    }
}
