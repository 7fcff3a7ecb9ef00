package import Objectives
import Settings

/// The KL to the reference that is taken from the reward: `algorithm.use_kl_in_reward`.
package struct RewardPenaltySettings: Sendable {
    /// How the KL is estimated from single tokens (`algorithm.kl_penalty`).
    package let estimator: KLEstimator
    /// Its coefficient at first, and how it changes (`algorithm.kl_ctrl.*`).
    package let controller: KLController

    /// Reads the keys below `algorithm`; nil where the reward is left as it is.
    static func read(_ reader: SettingsReader) throws(SettingsError) -> RewardPenaltySettings? {
        let isOn = try reader.bool(
            "use_kl_in_reward", default: false, "Take the KL to the reference from the reward.")
        let name = try reader.choice(
            "kl_penalty", default: "kl", of: KLEstimator.names,
            "How the KL in the reward is estimated from single tokens.")
        let controls = reader.scope("kl_ctrl")
        let type = try controls.choice(
            "type", default: "fixed", of: ["fixed", "adaptive"],
            "Whether the coefficient stays or follows the KL.")
        let coefficient = try controls.double(
            "kl_coef", default: 0.001, in: .atLeast(0), "Coefficient of the KL, at first.")
        let horizon = try controls.double(
            "horizon", default: 10000, in: .above(0),
            "Samples over which an adaptive coefficient changes.")
        let target = try controls.double(
            "target_kl", default: 0.1, in: .above(0), "The KL that an adaptive one keeps.")
        guard isOn else {
            reader.unusedIfSet(
                ["kl_penalty"]
                    + ["type", "kl_coef", "horizon", "target_kl"].map { "kl_ctrl.\($0)" },
                because: "use_kl_in_reward is false")
            return nil
        }
        if type == "fixed" {
            controls.unusedIfSet(["horizon", "target_kl"], because: "kl_ctrl.type is fixed")
        }
        do throws(ObjectiveError) {
            let rule = try KLController.rule(named: type, target: target, horizon: horizon)
            return RewardPenaltySettings(
                estimator: try KLEstimator(named: name),
                controller: try KLController(coefficient: coefficient, rule: rule))
        } catch {
            throw SettingsError("'\(controls.prefix)': \(error)")
        }
    }
}
