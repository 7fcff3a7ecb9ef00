import Settings

/// How a reinforcement-learning run goes on and what it leaves behind: the keys `trainer.*`.
package struct TrainerSettings: Sendable {
    /// What it shares with supervised fine-tuning.
    package let run: RunSettings
    /// Whether the model is validated before the first step.
    package let validatesFirst: Bool
    /// Whether the run is nothing but one validation.
    package let validatesOnly: Bool
    /// How many validation responses are shown.
    package let shownGenerations: Int
    /// Folder for the responses of every step; nil for none.
    package let rolloutFolder: String?
    /// Folder for the responses of every validation; nil for none.
    package let validationFolder: String?
    /// Checkpoints whose critic is kept, the newest ones; nil for all.
    package let keptCriticCheckpoints: Int?
    /// The first step that updates the actor; before it the critic alone learns.
    package let criticWarmup: Int

    /// Reads `trainer.*`.
    init(_ reader: SettingsReader) throws(SettingsError) {
        run = try RunSettings(reader, .reinforcement)
        validatesFirst = try reader.bool(
            "val_before_train", default: true, "Validate before the first step.")
        validatesOnly = try reader.bool("val_only", default: false, "Validate once and end.")
        shownGenerations = try reader.int(
            "log_val_generations", default: 0, in: .atLeast(0),
            "How many validation responses are shown.")
        rolloutFolder = try reader.optionalPath(
            "rollout_data_dir", "Folder for the responses of every step.")
        validationFolder = try reader.optionalPath(
            "validation_data_dir", "Folder for the responses of every validation.")
        keptCriticCheckpoints = try reader.optionalInt(
            "max_critic_ckpt_to_keep", in: .atLeast(1),
            "Checkpoints whose critic is kept; null for all.")
        criticWarmup = try reader.int(
            "critic_warmup", default: 0, in: .atLeast(0),
            "The first step that updates the actor; before it the critic alone learns.")
        try Self.declareOthers(reader)
    }

    /// Steps of a critic alone need one.
    func checkWarmup(_ root: SettingsReader, hasCritic: Bool) throws(SettingsError) {
        guard criticWarmup > 0, !hasCritic else { return }
        throw root.conflict(
            ["trainer.critic_warmup", "algorithm.adv_estimator"],
            "the estimator uses no critic, so there is none to warm up")
    }

    private static func declareOthers(_ reader: SettingsReader) throws(SettingsError) {
        reader.ignored(
            ["ray_wait_register_center_timeout", "npu_profile"], because: "Ray is not used")
        reader.ignored(
            "esi_redundant_time", because: "an interrupted run saves before it ends")
        try reader.unsupported(
            "v1.trainer_mode", allowed: ["sync", nil],
            because: "each step's rollouts are those of the policy that it trains")
        reader.ignored(["use_v1", "v1"], because: Reason.internals)
        try reader.unsupported(
            "remove_previous_ckpt_in_save", allowed: [false],
            because: "write max_actor_ckpt_to_keep=1")
        try reader.unsupported(
            "del_local_ckpt_after_load", allowed: [false], because: "checkpoints are kept")
    }
}
