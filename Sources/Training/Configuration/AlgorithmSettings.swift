package import Objectives
import Settings

/// How rewards become advantages: the keys `algorithm.*`.
package struct AlgorithmSettings: Sendable {
    /// Gives each response token its advantage.
    package let estimator: AdvantageEstimator
    /// The estimator's constants.
    package let advantage: AdvantageSettings
    /// The rewards that `gdpo` normalises each on its own, by name.
    package let rewardKeys: [String]
    /// The KL that is taken from the reward; nil for none.
    package let rewardPenalty: RewardPenaltySettings?
    /// What the loss compares the policy with.
    package let oldPolicy: OldPolicySettings
    /// How a step's samples are drawn again by their scores before they are learned from; nil for
    /// each once.
    package let resampling: PFPPOSettings?
    /// Which groups are left out and replaced; nil for none.
    package let groupFilter: GroupFilterSettings?
    /// Whether responses that reached the longest length are not learned from.
    package let masksTruncated: Bool

    /// Reads `algorithm.*`.
    ///
    /// - Parameter rolloutIsRounded: whether rollouts compute with rounded activations.
    init(_ reader: SettingsReader, rolloutIsRounded: Bool = false) throws(SettingsError) {
        let names = AdvantageEstimator.all.map(\.name)
        let name = try reader.choice(
            "adv_estimator", default: "gae", of: names, "How rewards become advantages.")
        guard let known = AdvantageEstimator.all.first(where: { $0.name == name }) else {
            preconditionFailure("\(name) is one of \(names)")
        }
        estimator = known
        (rewardKeys, advantage) = try Self.advantage(reader, known)
        rewardPenalty = try RewardPenaltySettings.read(reader)
        oldPolicy = try OldPolicySettings(
            reader.scope("rollout_correction"), rolloutIsRounded: rolloutIsRounded)
        resampling = try Self.resampling(reader)
        groupFilter = try GroupFilterSettings.read(reader, takesKL: rewardPenalty != nil)
        masksTruncated = try reader.bool(
            "mask_truncated", default: false,
            "Learn nothing from responses that reached the longest length.")
    }

    private static func advantage(
        _ reader: SettingsReader, _ estimator: AdvantageEstimator
    ) throws(SettingsError) -> ([String], AdvantageSettings) {
        var advantage = AdvantageSettings()
        advantage.normalizeByDeviation = try reader.bool(
            "norm_adv_by_std_in_grpo", default: true,
            "Divide a group's advantages by the deviation of its rewards.")
        advantage.discount = try reader.double(
            "gamma", default: 1, in: .between(0, 1), "Discount of later rewards.")
        advantage.lambda = try reader.double(
            "lam", default: 1, in: .between(0, 1), "Mix of gae between bootstrap and return.")
        if !["gae", "reinforce_plus_plus"].contains(estimator.name) {
            reader.unusedIfSet(
                ["gamma"], because: "adv_estimator=\(estimator.name) discounts nothing")
        }
        if estimator.name != "gae" {
            reader.unusedIfSet(["lam"], because: "adv_estimator=\(estimator.name) has no lambda")
        }
        let keys = try reader.strings(
            "gdpo_reward_keys", default: [],
            "Numbers that the reward gives ('score', or a name of its own), which gdpo normalises"
                + " one by one.")
        let weights = try reader.doubles(
            "gdpo_reward_weights", default: [], "Weight of each of them; 1 each unless given.")
        let isUsed = estimator.needs.contains(.rewardComponents)
        guard isUsed else {
            for key in ["gdpo_reward_keys", "gdpo_reward_weights"]
            where !(key == "gdpo_reward_keys" ? keys.isEmpty : weights.isEmpty) {
                throw reader.conflict(
                    [key, "adv_estimator"], "only the estimator gdpo takes several rewards")
            }
            return ([], advantage)
        }
        guard !keys.isEmpty else {
            throw reader.conflict(
                ["adv_estimator", "gdpo_reward_keys"],
                "gdpo needs the names of its rewards, such as [score, format]")
        }
        guard weights.isEmpty || weights.count == keys.count else {
            throw reader.conflict(
                ["gdpo_reward_keys", "gdpo_reward_weights"], "give one weight for each reward")
        }
        advantage.rewardWeights = weights.isEmpty ? nil : weights
        return (keys, advantage)
    }

    private static func resampling(_ reader: SettingsReader) throws(SettingsError)
        -> PFPPOSettings?
    {
        let isOn = try reader.bool(
            "use_pf_ppo", default: false,
            "Draw a step's samples again, with replacement, by their scores (PF-PPO).")
        let method = try reader.choice(
            "pf_ppo.reweight_method", default: PFPPOSettings.Method.power,
            "What a sample's chance grows with: pow, max_min or max_random.")
        let power = try reader.double(
            "pf_ppo.weight_pow", default: 2, in: .atLeast(0),
            "The power of the score's size that pow takes.")
        guard isOn else {
            reader.unusedIfSet(
                ["pf_ppo.reweight_method", "pf_ppo.weight_pow"], because: "use_pf_ppo is false")
            return nil
        }
        if method != .power {
            reader.unusedIfSet(
                ["pf_ppo.weight_pow"], because: "pf_ppo.reweight_method=\(method.rawValue)")
        }
        do throws(ObjectiveError) {
            return try PFPPOSettings(method: method.rawValue, power: power)
        } catch {
            throw SettingsError("'\(reader.prefix).pf_ppo': \(error)")
        }
    }
}
